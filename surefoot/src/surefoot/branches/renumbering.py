"""moves() puts the revisions of one branch behind those of another.

my revisions x their chain -> (Move, ...) in the order in which mine apply

Two branches may give one id to different revisions, so a revision is known by id and slug together.
Pure functions.
"""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from surefoot.chain.numbering import is_number, next_number
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.frozen import dataclass

Key = tuple[str, str]


@dataclass(frozen=True)
class Move:
    """A revision of mine, and what it becomes."""

    revision: Revision
    id: str
    down: tuple[str, ...]
    path: Path
    # The ids that its file may name, as they are called now.
    ids: Mapping[str, str]
    # Whether it is of a branch that mine begins, which stays where it is.
    stays: bool = False


def key(revision: Revision) -> Key:
    """The names by which every branch knows a revision, whatever its code is."""
    return revision.id, revision.slug


def moves(
    mine: Sequence[Revision],
    theirs: Sequence[Revision],
    onto: Mapping[Key, str | Sequence[str]],
    views: Sequence[Sequence[Revision]] = (),
    first: Collection[Key] = (),
) -> tuple[Move, ...]:
    """My revisions in a line behind each of `onto`, the newest of theirs, by the names of mine.

    One that stays behind others has these there, as its file names them.
    `views` are the chains as each side of a conflict has them: an id in a file means what it meant
    on the branch where the file was written. Those of `first` come before others that nothing
    orders. A revision whose id is no number keeps it.
    """
    seen = [_Seen(each, mine, theirs, views) for each in mine]
    ordered = _ordered(seen, first)
    named = [each.id for each in theirs]
    given: dict[Key, str] = {}
    for each in ordered:
        given[key(each.revision)] = _id(each.revision, named)
        named.append(given[key(each.revision)])
    found, newest = list[Move](), dict[str, str]()
    for each in ordered:
        new, end = given[key(each.revision)], onto[key(each.revision)]
        ids = {old: given[key(one)] for old, one in each.means.items()}
        stays = not isinstance(end, str)
        if isinstance(end, str):
            down = newest.get(end, end)
            predecessors: tuple[str, ...] = (down,) if down else ()
            newest[end] = new
        else:
            predecessors = tuple(ids.get(one, one) for one in end)
        path = _path(each.revision, new)
        found.append(Move(each.revision, new, predecessors, path, ids, stays=stays))
    return tuple(found)


def end_of(theirs: Sequence[Revision], mine: Sequence[Revision]) -> tuple[str, ...]:
    """The newest revisions of theirs that mine can stand behind: those on the line of mine."""
    newest = sorted(heads(theirs))
    base = {down for each in mine for down in each.down}
    fitting = [each for each in newest if base & ancestors(theirs, [each])]
    return tuple(fitting if len(fitting) == 1 else newest)


class _Seen:
    """A revision of mine, and the revisions of mine that the ids in its file mean."""

    def __init__(
        self,
        revision: Revision,
        mine: Sequence[Revision],
        theirs: Sequence[Revision],
        views: Sequence[Sequence[Revision]],
    ) -> None:
        self.revision = revision
        view = next((each for each in views if any(_is(revision, one) for one in each)), None)
        is_theirs = {key(each) for each in theirs}
        if view is None:
            called = {each.id: each for each in reversed(mine)}
        else:
            lines = [line for line in view if key(line) not in is_theirs]
            called = {line.id: one for line in lines if (one := _named_by(line, mine))}
        self.means = {**called, revision.id: revision}
        self.after = [self.means[d] for d in revision.down if d in self.means and d != revision.id]


def _is(revision: Revision, line: Revision) -> bool:
    """Whether a line is that of the revision; another name of a file is no other revision."""
    return key(revision) == key(line) or revision == line


def _named_by(line: Revision, mine: Sequence[Revision]) -> Revision | None:
    """The revision of mine that a line means: it may have a former name, or a former id."""
    found = [each for each in mine if key(each) == key(line)]
    found += [each for each in mine if each == line]
    found += [each for each in mine if each.slug == line.slug]
    return found[0] if found else None


def _ordered(seen: Sequence[_Seen], first: Collection[Key]) -> Sequence[_Seen]:
    """Each after those of mine that it builds on."""

    def rank(each: _Seen) -> tuple[bool, str, str]:
        return key(each.revision) not in first, *key(each.revision)

    waiting, found, done = sorted(seen, key=rank), list[_Seen](), set[Key]()
    while waiting:
        is_ready = (one for one in waiting if {key(each) for each in one.after} <= done)
        each = next(is_ready, waiting[0])
        waiting.remove(each)
        found.append(each)
        done.add(key(each.revision))
    return found


def in_name(identifier: str) -> re.Pattern[str]:
    """An id as a word in the name of a file."""
    return re.compile(rf"(?<![^\W_]){re.escape(identifier)}(?![^\W_])")


def _id(revision: Revision, named: Sequence[str]) -> str:
    """The id of a revision behind those that are named."""
    if is_number(revision.id) and (following := next_number(named)):
        return following
    return revision.id if revision.id not in named else uuid.uuid4().hex[-12:]


def _path(revision: Revision, new: str) -> Path:
    """The file of the revision under its new id."""
    path = revision.path or Path(f"{revision.name}.py")
    return path.with_name(f"{in_name(revision.id).sub(new, path.stem, count=1)}.py")
