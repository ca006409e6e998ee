"""Estimate is the duration of a statement on the target, scaled from the scratch database.

The work of a scan, a rewrite or an index build grows with rows and with bytes. Which of the two
dominates depends on the machine, so the estimate is a range that covers both. Where they lead far
apart, the sample rows say nothing of those of the target.
"""

from __future__ import annotations

import math

from surefoot.frozen import dataclass
from surefoot.planning.statistics import Statistics, TableStatistics
from surefoot.trace.schema_objects import Activity
from surefoot.trace.statement import Statement

# The duration of a statement without rows on the scratch database: planning, catalog, answer. A
# higher value would hide the scan of the sample rows, which takes hardly longer.
OVERHEAD_S = 0.0005
SLOW_S = 0.5
# As many are changed in a moment.
FEW_ROWS = 1000
# Cold caches, disks that are slower than memory, and concurrent writers.
LOW, HIGH = 0.6, 1.8
# With fewer, a statement takes as long as without rows.
FEW_SAMPLES = 100
# Where rows and bytes lead further apart, the rows of the target are unlike those of the sample: it
# has few, or the target has dead ones, or its statistics are old.
WIDEST = 10


@dataclass(frozen=True)
class Estimate:
    """A range of durations, in seconds."""

    low_s: float
    high_s: float

    @property
    def middle_s(self) -> float:
        """The geometric mean of the range."""
        return math.sqrt(self.low_s * self.high_s)

    @property
    def is_a_moment(self) -> bool:
        """Whether it is too short to be noticed."""
        return self.high_s <= INSTANT.high_s * 3

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.low_s + other.low_s, self.high_s + other.high_s)


INSTANT = Estimate(0.001, 0.01)


def estimate(statement: Statement, statistics: Statistics) -> Estimate | None:
    """The duration on the target; None where the rows of the scratch database say nothing of it."""
    factors = []
    expected = {each.table: each.rows for each in statement.expected if each.is_change}
    for table, rows in expected.items():
        work = statement.activity.get(table, Activity(0))
        if changed := work.updated + work.deleted:
            factors.append((rows / changed, rows / changed))
        elif rows > FEW_ROWS:
            # No sample row met its condition.
            return None
    worked = worked_on(statement) & statement.rows.keys()
    worked -= expected.keys() - statement.scans - statement.rewrites
    if not worked and not factors:
        # It waits, or makes rows of its own: that takes as long on any database.
        slow = statement.seconds >= SLOW_S or statement.written > FEW_ROWS
        return Estimate(statement.seconds, statement.seconds) if slow else INSTANT
    for table in worked:
        size, rows = statistics.tables.get(table), statement.rows.get(table, 0)
        if size is None:
            return None
        if not rows:
            return INSTANT if not size.rows else None
        if rows < FEW_SAMPLES and size.rows > FEW_ROWS * rows:
            return None
        factors.append(_factors(size, rows, statement.bytes.get(table, 0), _sorts(statement)))
    took_s = max(statement.seconds - OVERHEAD_S, OVERHEAD_S / 4)
    low = min(max(f[0] for f in factors), max(f[1] for f in factors))
    high = max(max(f) for f in factors)
    found = INSTANT + Estimate(took_s * low * LOW, took_s * high * HIGH)
    return None if high > low * WIDEST and found.high_s > SLOW_S else found


def worked_on(statement: Statement) -> frozenset[str]:
    """The tables from before its revision that the statement scans, rewrites or changes."""
    indexed = {e.relation for e in statement.of("index_created") if not e.fresh}
    rebuilt = {statement.tables[i] for i in statement.rebuilds if i in statement.tables}
    return frozenset(
        {*statement.scans, *statement.rewrites, *statement.changes_rows, *indexed, *rebuilt}
    )


def _sorts(statement: Statement) -> bool:
    """Whether it builds an index: sorting grows faster than the number of rows."""
    return any(statement.of("index_created")) or bool(statement.rebuilds)


def _factors(
    size: TableStatistics, rows: int, scratch_bytes: int, sorts: bool
) -> tuple[float, float]:
    by_rows = size.rows / rows
    by_bytes = size.bytes / scratch_bytes if scratch_bytes else by_rows
    deeper = math.log2(max(size.rows, 2)) / math.log2(max(rows, 2)) if sorts else 1.0
    return by_rows * max(deeper, 1.0), by_bytes * max(deeper, 1.0)
