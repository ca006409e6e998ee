"""Splits the parts of one turn where one transaction would hold too many locks, or for too long.

A transaction that holds one table and waits for another can deadlock with the service, and a scan
or a rewrite under ACCESS EXCLUSIVE blocks everybody. So a part that would lock a second table, or
would work on rows under a lock that is held, starts another revision.

An object that is dropped and created again stays in one revision: between two it would be missing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from surefoot.autogenerate.change import Allowance, RevisionPart, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.locks import Lock, Mode, Work, locked
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
    known = [(part, list(transitions([part.change], comparison))) for part in parts]
    coming = Counter(key for _, found in known for key in {each.key for each in found})
    # Dropped and not yet created again.
    away: set[Key] = set()
    revisions = [_Revision()]
    for part, found in known:
        locks = _locks(part, found, comparison, revisions[-1].made)
        broken = list(revisions[-1].breaks(locks))
        if broken and not away:
            revisions.append(_Revision())
            locks, broken = _locks(part, found, comparison, revisions[-1].made), []
        current, leaves = revisions[-1], part.change.stage in _LEAVES
        for key in {each.key for each in found}:
            coming[key] -= 1
            if leaves and coming[key] > 0:
                away.add(key)
        names = ", ".join(f"the {key.kind} {key.name}" for key in sorted(away))
        reason = f"{names} would be missing between two transactions"
        allow = (Allowance(rule, reason) for rule in broken)
        away = {key for key in away if coming[key] > 0}
        current.parts.append(replace(part, allow=(*part.allow, *allow)))
        for table, mode, _ in locks:
            current.held[table] = max(mode, current.held.get(table, mode))
        for each in found:
            gone = each.action == "drop" or (each.action == "remake" and leaves)
            if each.key.kind in _RELATIONS and gone:
                current.held.pop(each.key.name, None)
    return [each.parts for each in revisions if each.parts]


def _locks(
    part: RevisionPart, found: Iterable[Transition], comparison: Comparison, made: set[str]
) -> list[Lock]:
    leaves = part.change.stage in _LEAVES
    made |= {
        each.key.name
        for each in found
        if each.key.kind in _RELATIONS and each.action in ("make", "remake") and not leaves
    }
    # Dropping reads no rows.
    return [
        (table, mode, Work.CATALOGUE if leaves else work)
        for each in found
        for table, mode, work in locked(each, comparison)
        if table not in made
    ]
