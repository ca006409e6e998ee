"""Rebase is the plan of `surefoot rebase`: which files it writes, and the proof that they fit.

    branch to stand behind -> its lock -> theirs -+
    files on disk --------------------- -> mine --+-> moves -> Rebase -> files and revisions.lock

Nothing is written before all of it is known to be a chain.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.branches import upstream as at
from surefoot.branches.lines import Lines, read_lines
from surefoot.branches.onto import onto_one
from surefoot.branches.renaming import renamed
from surefoot.branches.renumbering import Key, Move, end_of, key, moves
from surefoot.chain.backfills import backfill_paths, is_of_backfill
from surefoot.chain.conflict import conflict_line
from surefoot.chain.lockfile import baseline, with_known, write_lock
from surefoot.chain.revisions import Revision, revisions_in, with_past
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
    # The newest revisions of theirs, one of each line that mine follow; none where they have none.
    onto: Sequence[str]
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
        paths = [(move.path, move.revision.path) for move in self.moves]
        former = {path: old for path, old in paths if old is not None and old != path}
        write_all(self.contents, former)
        try:
            write_lock(self.lock, self.revisions)
        except BaseException:
            write_all(before, {old: path for path, old in former.items()})
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
    read = read_lines(codes)
    mine = _mine(read, theirs, branch)
    _refuse_changed(project)
    at.refuse_released(lock, mine)
    ends = _ends(read, theirs, mine, onto)
    text = lock.read_text("utf-8") if lock.exists() else ""
    first = {key(each) for each in at.told_by(lock, "HEAD")}
    planned_moves = moves(mine, theirs, ends, at.views(lock), first)
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
    chain = _proved(project, codes, contents, theirs, _most(read, theirs, ends))
    contents |= _backfills(lock, branch, planned_moves)
    behind = [each for each in dict.fromkeys(ends.values()) if each and isinstance(each, str)]
    return Rebase(
        lock, branch, behind, planned_moves, contents, left, chain, conflict_line(text) is not None
    )


def _ends(
    read: Lines, theirs: Sequence[Revision], mine: Sequence[Revision], onto: str | None
) -> Mapping[Key, str | Sequence[str]]:
    """The revision of theirs that each of mine is to stand behind; see `onto_one`.

    Where `onto` is named, mine of another branch stay behind the newest of that one. A branch that
    mine begins, by its name, stays behind those that its files name.
    """
    found: dict[Key, str | Sequence[str]] = {}
    there = read.alone(theirs)
    beginning = {key(revision) for revision, labels in read.files if labels}
    lines = []
    for line in map(read.alone, read.divided(mine)):
        if beginning.isdisjoint(map(key, line)):
            lines.append(line)
        else:
            found.update({key(each): each.down for each in line})
    ends = [end_of(there, line) for line in lines]
    is_of_some = onto is not None and any(onto in each for each in ends)
    for line, fitting in zip(lines, ends, strict=True):
        named = None if is_of_some and onto not in fitting and len(fitting) == 1 else onto
        found.update(dict.fromkeys(map(key, line), onto_one(there, line, named)))
    return found


def _most(read: Lines, theirs: Sequence[Revision], ends: Mapping[Key, str | Sequence[str]]) -> int:
    """So many heads the chain may have: those of theirs, and of the branches that mine begins."""
    stay = [each for each, _ in read.files if not isinstance(ends.get(key(each), ""), str)]
    return max(len(read.heads(theirs)), 1) + len(read.heads(stay))


def _mine(read: Lines, theirs: Sequence[Revision], branch: str) -> tuple[Revision, ...]:
    """The revisions on disk that the branch does not have.

    On failure: RevisionsUnmerged; RevisionReleased, where the branch has one with other code.
    """
    named = {key(revision) for revision, _ in read.files}
    by_id, found, mine = {each.id: each for each in theirs}, set[str](), list[Revision]()
    for revision, _ in read.files:
        line = by_id.get(revision.id)
        # One of another name is the same revision renamed, where that name is nowhere else.
        is_renamed = line == revision and line is not None and key(line) not in named
        if line is not None and (line.slug == revision.slug or is_renamed):
            if line != revision:
                raise RevisionReleased(revision.name, f"{branch} has it with other code")
            found.add(line.id)
            continue
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
    most: int,
) -> tuple[Revision, ...]:
    """The chain of the files as they will be, with so many heads of lines at most.

    On failure: RevisionsBroken, UsageError.
    """
    after = {name: code for name, code in codes.items() if Path(name) not in contents}
    files = {path: code for path, code in contents.items() if code is not None}
    after |= {str(path): code for path, code in files.items()}
    chain = revisions_in(after)
    if len(found := read_lines(after).heads(chain)) > most:
        ends = ", ".join(sorted(found))
        raise RevisionsBroken(
            f"the chain would have several heads: {ends}",
            help="nothing was written; place them by hand, by their down_revision",
        )
    known = {each.id for each in chain}
    past = [each for each in baseline(project.lock) if each in known]
    return with_known(with_past(chain, past), theirs)
