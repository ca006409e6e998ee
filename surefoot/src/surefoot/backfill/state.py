"""The state of a backfill in its database: its row, the ranges of its walk, rows that failed.

A lap is one walk over the whole table. Its ranges end where the table ended when the lap began;
rows that came later, or that were locked, are those of the next lap. A backfill is complete after
a lap behind which a look at all rows finds none to change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from surefoot.backfill.key import Place
from surefoot.backfill.ranges import Ranges
from surefoot.backfill.tables import creation, with_tables
from surefoot.frozen import dataclass
from surefoot.version_table import VersionTable

RUNNING, PAUSED, COMPLETE, FAILED = "running", "paused", "complete", "failed"
_READ = """
SELECT b.sha256, b.table_oid, b.state, b.lap, b.parameters::text, b.actor::text, b.reason, b.held,
       b.changed + r.changed, b.started_at, b.finished_at, r.walked, r.left,
       (SELECT count(*) FROM {failures} f WHERE f.backfill = b.name),
       r.changed, r.skipped
FROM {backfills} b CROSS JOIN LATERAL (
    SELECT coalesce(sum(changed), 0)::bigint AS changed, coalesce(sum(walked), 0)::bigint AS walked,
           coalesce(sum(skipped), 0)::bigint AS skipped, count(*) FILTER (WHERE NOT done) AS left
    FROM {ranges} WHERE backfill = b.name) r
WHERE b.name = $1
"""
_BEGIN = """
INSERT INTO {backfills} (name, sha256, table_oid, state, actor, parameters)
VALUES ($1, $2, $3, 'running', $4, $5) ON CONFLICT (name) DO NOTHING
"""


@dataclass(frozen=True)
class Progress:
    """How far a backfill is."""

    sha256: str
    table_oid: int
    state: str
    lap: int
    parameters: Mapping[str, float]
    actor: Mapping[str, str]
    # Who paused it, and why.
    reason: str | None
    # Why no batch begins just now, as the last process that looked has found; also after it ended.
    held: str | None
    # Rows that its batches have changed, a row twice where it was changed again.
    changed: int
    started_at: datetime
    finished_at: datetime | None
    # Of the lap at hand: rows walked, ranges that are not done, rows changed, and rows that lacked
    # the change and were locked, or changed meanwhile.
    walked: int
    ranges_left: int
    failed: int
    changed_in_lap: int
    skipped_in_lap: int


class State:
    """The state of one backfill, by a session that may lease a range of it."""

    def __init__(
        self, connection: asyncpg.Connection[Any], version_table: VersionTable, name: str
    ) -> None:
        self.connection, self._name, self._table = connection, name, version_table
        self.ranges = Ranges(connection, version_table, name)

    async def exists(self) -> bool:
        """Whether the database has the tables."""
        known = "SELECT to_regclass($1) IS NOT NULL"
        return bool(await self.connection.fetchval(known, self._table.backfills[2]))

    async def create(self) -> None:
        """Create the tables where they are missing; two runs may do so at the same time."""
        if await self.exists():
            return
        async with self.connection.transaction():
            number = "SELECT pg_advisory_xact_lock(hashtext($1))"
            await self.connection.fetchval(number, self._table.backfills[0])
            await self.connection.execute(creation(self._table))

    async def read(self, *, lock: bool = False) -> Progress | None:
        """How far it is; None where it never began. With `lock` nobody else changes its row."""
        if lock:
            await self.connection.execute(
                self._sql("SELECT FROM {backfills} WHERE name = $1 FOR UPDATE"), self._name
            )
        row = await self.connection.fetchrow(self._sql(_READ), self._name)
        if row is None:
            return None
        values = list(row)
        values[4:6] = json.loads(values[4]), json.loads(values[5])
        return Progress(*values)

    async def begin(
        self, sha256: str, table_oid: int, actor: Mapping[str, str], parameters: Mapping[str, float]
    ) -> bool:
        """Begin the backfill; False where it has begun."""
        done = await self.connection.execute(
            self._sql(_BEGIN),
            self._name,
            sha256,
            table_oid,
            json.dumps(actor),
            json.dumps(parameters),
        )
        return done.endswith(" 1")

    async def begin_lap(self, progress: Progress, places: Sequence[Place]) -> None:
        """Begin the next lap in a transaction that holds the row: ranges that end at places."""
        await self.connection.execute(
            self._sql("UPDATE {backfills} SET lap = lap + 1, changed = $2 WHERE name = $1"),
            self._name,
            progress.changed,
        )
        await self.ranges.replace(places)

    async def restart(self, sha256: str, table_oid: int) -> None:
        """Walk the table again: rows have come, or are to be tried again."""
        async with self.connection.transaction():
            await self.connection.execute(
                self._sql(
                    "UPDATE {backfills} SET state = 'running', lap = 0, finished_at = NULL, "
                    "is_recorded = false, "
                    "changed = changed + coalesce((SELECT sum(changed) FROM {ranges} "
                    "WHERE backfill = name), 0), sha256 = $2, table_oid = $3 WHERE name = $1"
                ),
                self._name,
                sha256,
                table_oid,
            )
            await self.ranges.replace([])

    async def end(self, state: str) -> None:
        """The backfill is complete, or has ended with rows that failed."""
        await self.connection.execute(
            self._sql("UPDATE {backfills} SET state = $2, finished_at = now() WHERE name = $1"),
            self._name,
            state,
        )

    async def change(self, state: str, reason: str | None) -> bool:
        """Pause a backfill that runs, or let it run; False where it is neither."""
        done = await self.connection.execute(
            self._sql(
                "UPDATE {backfills} SET state = $2, reason = $3 "
                "WHERE name = $1 AND finished_at IS NULL"
            ),
            self._name,
            state,
            reason,
        )
        return bool(done.endswith(" 1"))

    async def note(self, held: str | None, rows_per_s: float | None, left_s: float | None) -> None:
        """Keep for others why no batch begins, the rows changed a second, and the time left."""
        await self.connection.execute(
            self._sql(
                "UPDATE {backfills} SET held = $2, rows_per_s = $3, left_s = $4 WHERE name = $1 "
                "AND (held, rows_per_s, left_s) IS DISTINCT FROM ($2, $3, $4)"
            ),
            self._name,
            held,
            rows_per_s,
            left_s,
        )

    async def set_parameters(self, parameters: Mapping[str, float | None]) -> None:
        """Give parameters other values while it runs; None takes one away."""
        await self.connection.execute(
            self._sql(
                "UPDATE {backfills} SET parameters = jsonb_strip_nulls(parameters || $2::jsonb) "
                "WHERE name = $1"
            ),
            self._name,
            json.dumps(parameters),
        )

    async def failures(self, limit: int) -> Sequence[tuple[Place, str | None, str]]:
        """Rows that failed, the newest last: key, SQLSTATE, the words of the error."""
        query = "SELECT key, sqlstate, error FROM {failures} WHERE backfill = $1 ORDER BY failed_at"
        rows = await self.connection.fetch(self._sql(f"{query} LIMIT $2"), self._name, limit)
        return [tuple(row) for row in rows]

    async def forget_failures(self) -> None:
        """Let the rows that failed be tried again."""
        await self.connection.execute(
            self._sql("DELETE FROM {failures} WHERE backfill = $1"), self._name
        )

    async def delete(self) -> None:
        """Forget how far it came. Rows that were changed stay so."""
        await self.connection.execute(
            self._sql("DELETE FROM {backfills} WHERE name = $1"), self._name
        )

    def _sql(self, query: str) -> str:
        return with_tables(query, self._table)
