"""Reads how far the backfills of a database are, for a service that shows it.

The classes of the backfills are not needed: the tables of their state say all of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from surefoot.frozen import dataclass
from surefoot.version_table import AT_WORK, VersionTable

# interrupted: no process is at work. failed: it has ended, and rows could not be changed.
STATES = ("running", "interrupted", "paused", "complete", "failed")
_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
_READ = """
SELECT b.name, b.table_oid::oid::regclass::text, b.state, b.lap, (b.changed + r.changed)::bigint,
       (SELECT count(*) FROM {failures} f WHERE f.backfill = b.name), r.walked,
       greatest(r.walked, (SELECT reltuples FROM pg_catalog.pg_class
           WHERE oid = b.table_oid::oid))::bigint,
       b.rows_per_s, b.left_s, b.reason, b.held, b.started_at, b.finished_at
FROM {backfills} b CROSS JOIN LATERAL (
    SELECT coalesce(sum(changed), 0)::bigint AS changed, coalesce(sum(walked), 0)::bigint AS walked
    FROM {ranges} WHERE backfill = b.name) r
ORDER BY b.started_at, b.name
"""
# The first number of each lock, the sessions that have leased a range, and the processes at work.
_LEASES = f"""
SELECT classid::bigint, count(DISTINCT pid) FILTER (WHERE objid <> {AT_WORK}),
       count(*) FILTER (WHERE objid = {AT_WORK}) FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
GROUP BY classid
"""  # noqa: S608 - a number of ours


@dataclass(frozen=True)
class SeenBackfill:
    """How far a backfill is. Rows are those of all processes, times of the server's clock."""

    name: str
    table: str
    # One of STATES.
    state: str
    # The number of the walk over the table: it is complete after one that found nothing to do.
    lap: int
    changed: int
    failed: int
    # Rows walked in this lap, and of how many, by the statistics.
    walked: int
    total: int
    # Rows changed a second, and the rest of the lap; None where that is not known.
    rows_per_s: float | None
    left_s: float | None
    # Why no batch begins just now; None where they do, or where nobody is at work.
    waits: str | None
    # The sessions at work; a process that waits may have none.
    sessions: int
    started_at: datetime
    finished_at: datetime | None
    # The part of the lap that is walked, from 0 to 1.
    share: float


def read_backfills(
    connection: Connection, version_table: VersionTable = VersionTable()
) -> Sequence[SeenBackfill]:
    """Every backfill that has begun, the oldest first; none where there are no tables.

    On failure: the errors of the database.
    """
    if not connection.scalar(_EXISTS, {"name": version_table.backfills[2]}):
        return ()
    backfills, ranges, failures = version_table.backfills
    query = _READ.format(backfills=backfills, ranges=ranges, failures=failures)
    rows = connection.exec_driver_sql(query).all()
    leases = {space: at_work for space, *at_work in connection.exec_driver_sql(_LEASES)}
    return [_seen(row, *leases.get(version_table.leases(row[0]), (0, 0))) for row in rows]


def _seen(row: Any, sessions: int, processes: int) -> SeenBackfill:
    name, table, state, *numbers, rows_per_s, left_s, reason, held, started_at, finished_at = row
    if state == "running" and not (sessions or processes):
        state = "interrupted"
    if state != "running":
        rows_per_s = left_s = held = None
    if state == "paused":
        held = f"paused by {reason}"
    lap, changed, failed, walked, total = numbers
    share = walked / total if total else 0.0
    return SeenBackfill(
        name,
        table,
        state,
        lap,
        changed,
        failed,
        walked,
        total,
        rows_per_s,
        left_s,
        held,
        sessions,
        started_at,
        finished_at,
        1.0 if state == "complete" else share,
    )
