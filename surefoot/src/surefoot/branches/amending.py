"""The newest revisions, taken out of a project: their files are kept beside the repository."""

import ast
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

from surefoot.chain.backfills import backfill_paths
from surefoot.chain.coding import parsed
from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.chain.whole_file import write_all
from surefoot.errors import UsageError
from surefoot.frozen import dataclass
from surefoot.git import git
from surefoot.project import Project
from surefoot.wording import counted


@dataclass(frozen=True)
class Taken:
    """The newest revisions, and their files with those of their backfills."""

    revisions: tuple[Revision, ...]
    files: Mapping[Path, bytes]
    # The revisions that stay.
    before: frozenset[str]
    # revisions.lock, and its text with them.
    lock_path: Path
    lock: bytes

    @property
    def title(self) -> str:
        """The message with which the first of them was written."""
        first = self.revisions[0]
        code = next(code for path, code in self.files.items() if path == first.path)
        told = (ast.get_docstring(parsed(code)) or "").split("\n\n", 1)[0]
        return " ".join(told.split()).rstrip(".") or first.words


def newest(project: Project, chain: Sequence[Revision], first: str | None) -> Taken:
    """The revisions from `first` on, or the newest one. On failure: UsageError."""
    ends = sorted(heads(chain))
    if len(ends) != 1:
        raise UsageError(
            f"the chain has {counted(len(ends), 'head')}, and this takes the newest of one",
            help="`alembic heads` shows them",
        )
    below = first or ends[0]
    revisions = tuple(each for each in chain if below in ancestors(chain, [each.id]))
    ids = {each.id for each in revisions}
    rest = [each for each in chain if each.id not in ids]
    wanted = {name for each in revisions for name in each.requires_backfill}
    wanted -= {name for each in rest for name in each.requires_backfill}
    paths = [each.path for each in revisions if each.path]
    paths += [each for each in backfill_paths(project.lock) if each.stem in wanted]
    files = {path: path.read_bytes() for path in paths}
    before = frozenset(each.id for each in rest)
    return Taken(revisions, files, before, project.lock, project.lock.read_bytes())


def keep(project: Project, taken: Taken) -> Path:
    """Copy the files into a new folder of the repository that no commit has; which one.

    On failure: UsageError, where there is no repository; OSError.
    """
    folder = project.lock.parent
    at = f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{taken.revisions[0].id}"
    # Of the repository, not of a worktree of it, with which the copies would be removed.
    place = folder / git(folder, "rev-parse", "--git-common-dir").strip() / "surefoot" / at
    place.mkdir(parents=True, exist_ok=True)
    for path, code in taken.files.items():
        _free(place / path.name).write_bytes(code)
    return place


def _free(path: Path) -> Path:
    """The path, with a number where it is taken: two folders may have files of one name."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(each for each in numbered if not each.exists())


def remove(project: Project, taken: Taken) -> None:
    """Delete the files, and take them out of revisions.lock.

    On failure: all is as it was; UsageError, where a file is not the one that was kept.
    """
    for path, code in taken.files.items():
        if path.exists() and path.read_bytes() != code:
            raise UsageError(
                f"{path.name} was changed meanwhile, and is not deleted", help="run it again"
            )
    locked = read_lock(project.lock)
    write_all(dict.fromkeys(taken.files))
    try:
        write_lock(project.lock, with_known(project.revisions(), locked))
    except BaseException:
        restore(taken)
        raise


def restore(taken: Taken) -> None:
    """Write the files and revisions.lock as they were."""
    write_all({**taken.files, taken.lock_path: taken.lock})
