"""Undo is the cost of downgrading one revision, known before the revision is applied.

A downgrade loses data in two ways: it does not restore what the revision dropped or overwrote, and
it drops the data that was written since into what the revision added.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from surefoot.chain.revisions import Revision
from surefoot.errors import FunctionMissing
from surefoot.frozen import dataclass
from surefoot.planning.statements import PlannedStatement, planned
from surefoot.planning.statistics import Statistics
from surefoot.trace.trace import Statement, Trace

Cost = Literal["free", "work", "data", "impossible", "unknown"]


@dataclass(frozen=True)
class Undo:
    """The effect of `alembic downgrade` over one revision on the target."""

    statements: tuple[PlannedStatement, ...] = ()
    # Tables, columns, rows that the downgrade does not restore.
    not_restored: tuple[str, ...] = ()
    # Tables, columns, rows that the downgrade drops.
    dropped: tuple[str, ...] = ()
    # Why it cannot be undone.
    obstacle: str | None = None
    tried: bool = True

    @property
    def cost(self) -> Cost:
        """The highest cost that applies."""
        if self.obstacle is not None:
            return "impossible"
        if self.not_restored or self.dropped:
            return "data"
        if not self.tried:
            return "unknown"
        return "free" if all(each.takes_a_moment for each in self.statements) else "work"

    @property
    def work(self) -> tuple[PlannedStatement, ...]:
        """The statements that take time, and those that hold a lock meanwhile."""
        if all(each.takes_a_moment for each in self.statements):
            return ()
        return tuple(s for s in self.statements if not (s.takes_a_moment and s.holds_a_moment))

    def as_json(self, statistics: Statistics) -> Mapping[str, Any]:
        """The undo as one JSON object."""
        return {
            "cost": self.cost,
            "not_restored": list(self.not_restored),
            "dropped": list(self.dropped),
            "obstacle": self.obstacle,
            "statements": [each.as_json(statistics) for each in self.statements],
        }


def undos(pending: Sequence[Revision], traced: Trace, statistics: Statistics) -> Mapping[str, Undo]:
    """The undo of each pending revision, by its id."""
    back = traced.back
    ids = [revision.id for revision in pending]
    applied = traced.applied(ids)
    blocker = None if back is None else _place(back, ids, default=applied[-1] if applied else None)
    found = {}
    for revision in pending:
        there = [s for s in traced.statements if s.revision == revision.id]
        tried = back is not None and revision.id in _reverted(back, applied)
        returned = [s for s in back.statements if s.revision == revision.id] if back else []
        found[revision.id] = Undo(
            planned(returned, statistics, only=statistics.tables.keys()),
            tuple(dict.fromkeys(_taken(there, changed=True))),
            tuple(dict.fromkeys(_taken(returned, changed=False))),
            _obstacle(revision.id, applied, blocker, back.failure) if tried and back else None,
            tried,
        )
    return found


def _obstacle(
    identifier: str, applied: Sequence[str], blocker: str | None, failure: Any
) -> str | None:
    if failure is None or blocker not in applied:
        return None
    if identifier == blocker:
        return str(getattr(failure, "reason", failure.message))
    if applied.index(identifier) < applied.index(blocker):
        return f"{blocker} has to be undone first, and cannot be"
    return None


def _reverted(back: Trace, applied: Sequence[str]) -> Sequence[str]:
    """Those of the applied revisions of which is known whether they can be reverted.

    Where a file has no downgrade(), no step back is made, of the later ones neither.
    """
    failure = back.failure
    if isinstance(failure, FunctionMissing) and failure.revision in applied:
        return applied[: applied.index(failure.revision) + 1]
    return applied


def _place(traced: Trace, ids: Sequence[str], *, default: str | None) -> str | None:
    """The revision that stopped a run, or the default where the error names none."""
    if traced.failure is None:
        return None
    named = getattr(traced.failure, "revision", None)
    return named if named in ids else default


def _taken(statements: Sequence[Statement], *, changed: bool) -> Iterator[str]:
    """The data that the statements remove; with `changed`, also the values that they overwrite."""
    for statement in statements:
        for effect in statement.of("column_dropped", "dropped"):
            # The values of a generated column are computed again.
            if effect.kind == "column_dropped" and not effect.facts["generated"]:
                yield f"{effect.relation}.{effect.name}"
            elif effect.kind == "dropped" and effect.facts["kind"] in "rp":
                yield effect.relation
        yield from (f"rows of {table}" for table in sorted(statement.emptied))
        for table, work in sorted(statement.activity.items()):
            if work.deleted:
                yield f"rows of {table}"
            elif changed and work.updated:
                yield f"values of {table}"
        for each in statement.expected if changed else ():
            if each.is_change and each.rows:
                yield f"{'rows' if each.action == 'delete' else 'values'} of {each.table}"
