"""Revision files that are on another branch: read from git, never from the working tree.

what a database has x the files here -> Between -> files of all commits -> a folder with its chain
"""

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.branches.renumbering import in_name
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import Revision, ancestors, read_revisions, with_past
from surefoot.chain.source import source_of
from surefoot.chain.way_back import way_back
from surefoot.errors import PathBetween, RevisionNotFound, SurefootError, UsageError
from surefoot.errors.names import command
from surefoot.frozen import dataclass
from surefoot.git import blobs, git
from surefoot.ledger.glance import Glance
from surefoot.project import Project

# A line of `git log --raw`: the object of a file, and its path.
_RAW = re.compile(r":\d+ \d+ \S+ ([0-9a-f]+) [AMRCT]\S*\t(.*)")


@dataclass(frozen=True)
class Found:
    """The text of a revision, and a commit that has it."""

    id: str
    name: str
    code: bytes
    sha256: str
    down: tuple[str, ...]
    commit: str

    def __str__(self) -> str:
        return f"{self.name} of {self.commit}"


@dataclass(frozen=True)
class Between:
    """The revisions of a database, seen from the files here."""

    database: str
    # Those that both know, oldest first; with the same code, where the ledger says it.
    known: tuple[Revision, ...]
    # Those of another branch: an id, and its checksum where the ledger has it.
    strangers: Mapping[str, str | None]
    # The revisions of this branch, and whether the database has a ledger.
    here: tuple[Revision, ...]
    is_recorded: bool


def between(database: str, revisions: Sequence[Revision], found: Glance) -> Between:
    """Compare what the two tables of a database say with the files."""
    recorded = {each: row.checksum for each, row in (found.recorded or {}).items()}
    below = ancestors(revisions, found.heads)
    codes = {each.id: each.sha256 for each in revisions if recorded or each.id in below}
    told: Mapping[str, str | None] = recorded or dict.fromkeys(found.heads)
    same = {each for each in told if each in codes and told[each] in (None, codes[each])}
    known = tuple(each for each in revisions if each.id in (same if recorded else below))
    strangers = {each: sha for each, sha in told.items() if each not in same}
    return Between(database, known, strangers, tuple(revisions), bool(recorded))


def files_of(project: Project, at: Between) -> tuple[tuple[Found, ...], Between]:
    """The files of the strangers, oldest first, and the database as they tell of it.

    On failure: RevisionNotFound, UsageError.
    """
    wanted, known = dict(at.strangers), {each.id for each in at.known}
    found: dict[str, Found] = {}
    history, folder = dict(_history(project.locations)), project.lock.parent
    while missing := [each for each in wanted if each not in found]:
        for identifier in missing:
            versions = _versions(folder, history, identifier, wanted[identifier])
            one = next(versions, None)
            if one is None:
                raise RevisionNotFound(at.database, missing)
            if wanted[identifier] is None:
                _refuse_several(at.database, one, versions)
            found[identifier] = one
            if at.is_recorded:
                continue
            # Without a ledger only the newest revisions are told: it has those before, too.
            known |= ancestors(at.here, one.down)
            wanted |= dict.fromkeys(each for each in one.down if each not in known)
    both = tuple(each for each in at.here if each.id in known)
    return tuple(_oldest_first(found)), replace(at, known=both, strangers=wanted)


def written(project: Project, at: Between, files: Sequence[Found], folder: Path) -> str:
    """Write the chain of the database into a folder; where its downgrade has to go.

    On failure: PathBetween; FileNotWritable.
    """
    versions = folder / "versions"
    versions.mkdir()
    for revision in at.known:
        if revision.path is not None:
            (versions / revision.file_name).write_bytes(revision.path.read_bytes())
    for each in files:
        (versions / each.name).write_bytes(each.code)
    chain = read_revisions(versions)
    past = [each.id for each in at.known if each.past]
    write_lock(folder / "revisions.lock", with_past(chain, past))
    strange = {each.id for each in files}
    reverted = {each.id for each in chain if strange & ancestors(chain, [each.id])}
    end = way_back(chain, [each.id for each in chain], reverted)
    if end is None:
        raise PathBetween(at.database, sorted(reverted))
    return end


def _history(folders: Collection[Path]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each text that a file of the folders had in a commit: its object -> its name, the commit.

    Also in commits that no branch has any more. On failure: UsageError.
    """
    for folder in folders:
        log = git(
            folder, "-c", "core.quotePath=false", "log", "--all", "--reflog", "-m", "--raw",
            "--no-abbrev", "--no-renames", "--format=commit %H", "--", ".",
        )  # fmt: skip
        commit, seen = "", set[str]()
        for line in io.StringIO(log):
            if match := _RAW.match(line.rstrip("\n")):
                blob, path = match[1], Path(match[2])
                if path.suffix == ".py" and blob not in seen:
                    seen.add(blob)
                    yield blob, (path.name, commit)
            elif line.startswith("commit "):
                commit = line.split()[1][:10]


def _versions(
    folder: Path, history: Mapping[str, tuple[str, str]], identifier: str, sha256: str | None
) -> Iterator[Found]:
    """The texts with that id, newest first, and with that checksum."""
    word = in_name(identifier)
    likely = [blob for blob, (name, _) in history.items() if word.search(Path(name).stem)]
    for named in (likely, [each for each in history if each not in likely]):
        for blob, code in zip(named, blobs(folder, named) if named else (), strict=True):
            yield from _read(*history[blob], code, identifier, sha256)


def _read(
    name: str, commit: str, code: bytes, identifier: str, sha256: str | None
) -> Iterator[Found]:
    try:
        source = source_of(Path(name), code)
    except SurefootError:
        return  # it never ran
    told = source.names.get("revision")
    if told == identifier and sha256 in (None, source.sha256):
        down: list[object] = []
        for each in (source.names.get("down_revision"), source.names.get("depends_on")):
            down += each if isinstance(each, (tuple, list)) else [each]
        named = tuple(each for each in down if isinstance(each, str))
        yield Found(identifier, name, code, source.sha256, named, commit)


def _refuse_several(database: str, one: Found, others: Iterator[Found]) -> None:
    """On failure: UsageError, where no checksum tells which of several was applied."""
    other = next((each for each in others if each.sha256 != one.sha256), None)
    if other is not None:
        raise UsageError(
            f"{database} has {one.id}, its ledger does not say by which file, and git has several: "
            f"{one}, {other}",
            help=f"`{command()} db reset --execute` makes a new one at head",
        )


def _oldest_first(found: Mapping[str, Found]) -> Iterator[Found]:
    waiting, done = dict(found), set[str]()
    while waiting:
        ready = [each for each in waiting.values() if not {*each.down} & ({*found} - done)]
        for each in ready or [*waiting.values()]:
            done.add(each.id)
            yield waiting.pop(each.id)
