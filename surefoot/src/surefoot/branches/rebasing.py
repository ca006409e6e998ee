"""Rebase is the plan of `surefoot rebase`: which files it writes, and the proof that they fit.

    branch to stand behind -> its lock -> theirs -+
    files on disk --------------------- -> mine --+-> moves -> Rebase -> files and revisions.lock

Nothing is written before all of it is known to be a chain.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.branches import upstream as at
from surefoot.branches.onto import onto_one
from surefoot.branches.renaming import renamed
from surefoot.branches.renumbering import Move, key, moves
from surefoot.chain.backfills import backfill_paths, is_of_backfill
from surefoot.chain.conflict import conflict_line
from surefoot.chain.lockfile import baseline, with_known, write_lock
from surefoot.chain.revisions import Revision, heads, parsed, revisions_in, with_past
from surefoot.chain.whole_file import write_all
from surefoot.errors import (
    ChangesUncommitted,
    RevisionReleased,
    RevisionsBroken,
    RevisionsUnmerged,
    UsageError,
)
from surefoot.frozen import dataclass
from surefoot.git import check_known, text_at
from surefoot.project import Project


@dataclass(frozen=True)
class Rebase:
    """My revisions behind those of a branch."""

    lock: Path
    branch: str
    # The newest revision of theirs; empty where they have none.
    onto: str
    moves: tuple[Move, ...]
    # The files to write by their paths; None removes one.
    contents: Mapping[Path, bytes | None]
    # Places of strings in my files that name an id which another revision has now.
    left: Sequence[str]
    # The chain as it will be.
    revisions: tuple[Revision, ...]
    # Whether revisions.lock has a conflict of git.
    conflict: bool

    def write(self) -> None:
        """Write the files and revisions.lock. On failure: all of them are as they were."""
        before = {path: path.read_bytes() if path.exists() else None for path in self.contents}
        write_all(self.contents)
        try:
            write_lock(self.lock, self.revisions)
        except BaseException:
            write_all(before)
            raise


def planned(project: Project, branch: str | None = None, onto: str | None = None) -> Rebase:
    """The plan. On failure: ChangesUncommitted, RevisionReleased, RevisionsUnmerged, UsageError,
    RevisionUnknown, RevisionsBroken.
    """
    lock, folder = project.lock, project.lock.parent
    branch = branch or at.branch_to_stand_behind(folder)
    check_known(folder, branch)
    theirs = at.chain_of(lock, branch)
    codes = project.codes()
    mine = _mine(codes, theirs, branch)
    _refuse_changed(project)
    at.refuse_released(lock, mine)
    end = onto_one(theirs, mine, onto)
    text = lock.read_text("utf-8") if lock.exists() else ""
    first = {key(each) for each in at.told_by(lock, "HEAD")}
    planned_moves = moves(mine, theirs, end, at.views(lock), first)
    contents: dict[Path, bytes | None] = {}
    left: list[str] = []
    for move in planned_moves:
        path = move.revision.path or move.path
        made = renamed(path, codes[str(path)], _others(move.ids), move.down)
        if move.path != path:
            contents.setdefault(path, None)
        if move.path != path or made.code != codes[str(path)]:
            contents[move.path] = made.code
        left += [f"{move.path.name}:{number}" for number in made.left]
    _refuse_taken(planned_moves)
    chain = _proved(project, codes, contents, theirs)
    contents |= _backfills(lock, branch, planned_moves)
    return Rebase(
        lock, branch, end, planned_moves, contents, left, chain, conflict_line(text) is not None
    )


def _mine(
    codes: Mapping[str, bytes], theirs: Sequence[Revision], branch: str
) -> tuple[Revision, ...]:
    """The revisions on disk that the branch does not have.

    On failure: RevisionsUnmerged; RevisionReleased, where the branch has one with other code.
    """
    read = [parsed(Path(name), code) for name, code in codes.items()]
    named = {key(revision) for revision, _ in read if revision is not None}
    by_id, found, mine = {each.id: each for each in theirs}, set[str](), list[Revision]()
    for revision, labels in read:
        if revision is None:
            continue
        line = by_id.get(revision.id)
        # One of another name is the same revision renamed, where that name is nowhere else.
        is_renamed = line == revision and line is not None and key(line) not in named
        if line is not None and (line.slug == revision.slug or is_renamed):
            if line != revision:
                raise RevisionReleased(revision.name, f"{branch} has it with other code")
            found.add(line.id)
            continue
        if labels:
            raise UsageError(
                f"{revision.file_name} begins a branch of its own ({', '.join(labels)}), which no "
                "revision has to stand behind",
                help="leave it as it is, or remove its branch_labels",
            )
        mine.append(revision)
    if missing := [each.name for each in theirs if each.id not in found]:
        raise RevisionsUnmerged(branch, missing)
    return tuple(mine)


def _refuse_changed(project: Project) -> None:
    folders = {project.lock.with_name("backfills"), *project.locations}
    folders = {each for each in folders if each.is_dir()}
    found = {str((each / name).resolve()) for each in folders for name in at.changed(each)}
    if found:
        raise ChangesUncommitted(sorted(Path(each).name for each in found))


def _others(ids: Mapping[str, str]) -> Mapping[str, str]:
    return {old: new for old, new in ids.items() if old != new}


def _backfills(lock: Path, branch: str, done: Sequence[Move]) -> dict[Path, bytes | None]:
    """My backfills that name a revision which has another id now."""
    lines = map(str.split, text_at(lock, branch).splitlines())
    theirs = {fields[1] for fields in lines if is_of_backfill(fields)}
    ids = {old: new for move in reversed(done) for old, new in _others(move.ids).items()}
    found: dict[Path, bytes | None] = {}
    for path in backfill_paths(lock):
        code = path.read_bytes()
        if path.stem not in theirs and (made := renamed(path, code, ids).code) != code:
            found[path] = made
    return found


def _refuse_taken(done: Sequence[Move]) -> None:
    """On failure: UsageError, where a file has the name that one of mine is to have."""
    old = {move.revision.path for move in done}
    for move in done:
        if move.path not in old and move.path.exists():
            raise UsageError(
                f"there is a file {move.path.name} already, which holds no revision of this branch",
                help="rename or remove it",
            )


def _proved(
    project: Project,
    codes: Mapping[str, bytes],
    contents: Mapping[Path, bytes | None],
    theirs: Sequence[Revision],
) -> tuple[Revision, ...]:
    """The chain of the files as they will be. On failure: RevisionsBroken, UsageError."""
    after = {name: code for name, code in codes.items() if Path(name) not in contents}
    files = {path: code for path, code in contents.items() if code is not None}
    after |= {str(path): code for path, code in files.items()}
    chain = revisions_in(after)
    if len(heads(chain)) > max(len(heads(theirs)), 1):
        ends = ", ".join(sorted(heads(chain)))
        raise RevisionsBroken(
            f"the chain would have several heads: {ends}",
            help="nothing was written; place them by hand, by their down_revision",
        )
    known = {each.id for each in chain}
    past = [each for each in baseline(project.lock) if each in known]
    return with_known(with_past(chain, past), theirs)
