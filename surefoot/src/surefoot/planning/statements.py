"""PlannedStatement is one statement of a trace, with its locks and duration on the target."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from surefoot.frozen import dataclass
from surefoot.planning.estimate import Estimate, estimate, worked_on
from surefoot.planning.statistics import Statistics
from surefoot.trace.lock_modes import STRENGTH
from surefoot.trace.statement import Statement


@dataclass(frozen=True)
class PlannedLock:
    """A lock on one table, or on an index of it, until the transaction ends."""

    table: str
    mode: str
    held: Estimate | None
    index: str | None = None


@dataclass(frozen=True)
class PlannedStatement:
    """One statement of a trace, with its locks and duration on the target."""

    statement: Statement
    locks: tuple[PlannedLock, ...]
    takes: Estimate | None

    @property
    def takes_a_moment(self) -> bool:
        """Whether its duration does not depend on the size of a table."""
        return self.takes is not None and self.takes.is_a_moment

    @property
    def holds_a_moment(self) -> bool:
        """Whether its locks are released at once."""
        return all(lock.held is not None and lock.held.is_a_moment for lock in self.locks)

    def as_json(self, statistics: Statistics) -> Mapping[str, Any]:
        """The statement as one JSON object."""
        statement = self.statement
        tables = {lock.table for lock in self.locks} | (
            worked_on(statement) & statement.rows.keys()
        )
        return {
            "line": statement.line,
            "sql": statement.sql,
            "times": statement.times,
            "transactional": statement.transactional,
            "locks": [
                {
                    "table": k.table,
                    "index": k.index,
                    "mode": k.mode,
                    "held": asdict(k.held) if k.held else None,
                }
                for k in self.locks
            ],
            "scans": sorted(statement.scans),
            "rewrites": sorted(statement.rewrites),
            "expected": [asdict(each) for each in statement.expected],
            "not_seen": statement.not_seen or None,
            "takes": asdict(self.takes) if self.takes else None,
            "tables": {
                t: asdict(statistics.tables[t]) for t in sorted(tables) if t in statistics.tables
            },
        }


def planned(
    statements: Sequence[Statement], statistics: Statistics, *, only: Collection[str] | None = None
) -> tuple[PlannedStatement, ...]:
    """The statements of one revision, with their locks on all tables or `only` on some."""
    made: list[PlannedStatement] = []
    # The time from a statement to the end of the transaction; None where a part is unknown.
    rest: Estimate | None = Estimate(0.0, 0.0)
    for statement in reversed(statements):
        takes = estimate(statement, statistics)
        # While the revision does something else, its locks are held.
        idle = Estimate(statement.idle_s, statement.idle_s)
        rest = None if rest is None or takes is None else takes + idle + rest
        held = rest if statement.transactional else takes
        locks = [
            PlannedLock(table, mode, held, relation if relation != table else None)
            for relation, mode in statement.shown_locks.items()
            for table in (statement.tables.get(relation, relation),)
            if only is None or table in only
        ]
        locks.sort(key=lambda lock: -STRENGTH[lock.mode])
        made.append(PlannedStatement(statement, tuple(locks), takes))
    return tuple(reversed(made))
