"""Splits the parts of one turn where one transaction would hold too many locks, or for too long.

A transaction that holds one table and waits for another can deadlock with the service, and a scan
or a rewrite under ACCESS EXCLUSIVE blocks everybody. So a part that would lock a second table, or
would work on rows under a lock that is held, starts another revision.

An object that is dropped and created again stays in one revision: between two it would be missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from surefoot.autogenerate.change import Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.locks import Lock, Mode, Work, locked
from surefoot.autogenerate.revision_part import Allowance, RevisionPart
from surefoot.autogenerate.transitions import Transition, transitions
from surefoot.catalog import Key

_LEAVES = (Stage.DROP, Stage.AWAY, Stage.CLEAN)
# These are locked under their own names; once dropped and created again they are not in use.
_RELATIONS = ("table", "view", "materialized view", "sequence", "type")


@dataclass
class _Revision:
    """A revision that is being filled: the objects that it creates, the locks that it holds."""

    parts: list[RevisionPart] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    held: dict[str, Mode] = field(default_factory=dict)

    def breaks(self, locks: Sequence[Lock]) -> Iterator[str]:
        """The rules that it breaks if it takes these locks too."""
        blocking = {table for table, mode in self.held.items() if mode >= Mode.SHARE}
        if blocking and any(mode >= Mode.SHARE and t not in self.held for t, mode, _ in locks):
            yield "avoid-locking-two-tables"
        exclusive = Mode.ACCESS_EXCLUSIVE in self.held.values()
        if exclusive and any(work > Work.CATALOGUE for _, _, work in locks):
            yield "avoid-work-under-access-exclusive"


def split_by_locks(
    parts: Iterable[RevisionPart], comparison: Comparison
) -> list[list[RevisionPart]]:
    """The parts of a turn as revisions, in order."""
    parts = list(parts)
    known = [list(transitions([part.change], comparison)) for part in parts]
    coming = Counter(key for found in known for key in {transition.key for transition in found})
    # Dropped and not yet created again.
    away: set[Key] = set()
    revisions = [_Revision()]
    for part, found in zip(parts, known):  # noqa: B905 - one is made of the other
        current = revisions[-1]
        locks = _locks(part, found, comparison, current.made)
        broken = list(current.breaks(locks))
        if broken and not away:
            current = _Revision()
            revisions.append(current)
            locks, broken = _locks(part, found, comparison, current.made), []
        for key in {transition.key for transition in found}:
            coming[key] -= 1
            if _leaves(part) and coming[key] > 0:
                away.add(key)
        allow = tuple(Allowance(rule, _reason(away)) for rule in broken)
        away = {key for key in away if coming[key] > 0}
        current.parts.append(replace(part, allow=(*part.allow, *allow)))
        for table, mode, _ in locks:
            current.held[table] = max(mode, current.held.get(table, mode))
        for transition in found:
            if transition.key.kind in _RELATIONS and _is_gone(part, transition):
                current.held.pop(transition.key.name, None)
    return [each.parts for each in revisions if each.parts]


def _locks(
    part: RevisionPart, found: Iterable[Transition], comparison: Comparison, made: set[str]
) -> list[Lock]:
    found = list(found)
    made |= {
        transition.key.name
        for transition in found
        if transition.key.kind in _RELATIONS
        and transition.action in ("make", "remake")
        and not _leaves(part)
    }
    locks = [
        lock
        for transition in found
        for lock in locked(transition, comparison)
        if lock[0] not in made
    ]
    if _leaves(part):
        # Dropping reads no rows.
        return [(table, mode, Work.CATALOGUE) for table, mode, _ in locks]
    return locks


def _leaves(part: RevisionPart) -> bool:
    return part.change.stage in _LEAVES


def _is_gone(part: RevisionPart, transition: Transition) -> bool:
    return transition.action == "drop" or (transition.action == "remake" and _leaves(part))


def _reason(away: Iterable[Key]) -> str:
    names = ", ".join(f"the {key.kind} {key.name}" for key in sorted(away))
    return f"{names} would be missing between two transactions"
