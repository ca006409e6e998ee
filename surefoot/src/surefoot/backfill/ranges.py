"""Ranges are the parts of a lap; a session leases one by an advisory lock, until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from surefoot.backfill.key import Key, Place
from surefoot.backfill.tables import with_tables
from surefoot.frozen import dataclass
from surefoot.version_table import AT_END, AT_WORK, VersionTable

# The server stops at the first range whose lock it gets.
_CLAIM = """
SELECT id FROM (
    SELECT id FROM {ranges} WHERE backfill = $1 AND NOT done ORDER BY id OFFSET 0) r
WHERE pg_try_advisory_lock($2, id) LIMIT 1
"""
_RANGE = "SELECT id, low, high, position FROM {ranges} WHERE backfill = $1 AND id = $2 AND NOT done"
_OPEN = "SELECT id, low, high, position FROM {ranges} WHERE backfill = $1 AND NOT done ORDER BY id"
_SPLIT = """
WITH shorter AS (
    UPDATE {ranges} SET high = $3 WHERE backfill = $1 AND id = $2 AND NOT done AND high = $4
    AND (position IS NULL OR {before}) RETURNING 1)
INSERT INTO {ranges} (backfill, id, low, high)
SELECT $1, (SELECT max(id) + 1 FROM {ranges} WHERE backfill = $1), $3, $4 FROM shorter RETURNING id
"""
_SESSIONS = """
SELECT DISTINCT l.pid, l.objid::bigint = $2, coalesce(a.application_name, '') FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1::bigint::oid
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1
"""


@dataclass(frozen=True)
class Range:
    """A part of a lap: the rows after `low`, up to and with `high`; done as far as `position`."""

    id: int
    low: Place | None
    high: Place
    position: Place | None

    @property
    def begin(self) -> Place | None:
        """The place after which its walk goes on."""
        return self.low if self.position is None else self.position


class Ranges:
    """The ranges of the lap of one backfill, for a session that may lease some."""

    def __init__(
        self, connection: asyncpg.Connection[Any], version_table: VersionTable, name: str
    ) -> None:
        self._connection, self._name, self._table = connection, name, version_table
        # Of the advisory locks: the first number, the second is the range.
        self._space = version_table.leases(name)

    async def claim(self) -> Range | None:
        """Lease a range that nobody has, until `release` or the end of the session."""
        while True:
            found = await self._connection.fetchval(self._sql(_CLAIM), self._name, self._space)
            if found is None:
                return None
            # Another session may have done it since the server looked.
            row = await self._connection.fetchrow(self._sql(_RANGE), self._name, found)
            if row is not None:
                return Range(*row)
            await self.release(found)

    async def release(self, number: int) -> None:
        """End the lease of a range."""
        await self._connection.fetchval("SELECT pg_advisory_unlock($1, $2)", self._space, number)

    async def claim_end(self) -> bool:
        """Lease the end of the lap, where no other session has it, until `release_end`."""
        query = "SELECT pg_try_advisory_lock($1, $2)"
        return bool(await self._connection.fetchval(query, self._space, AT_END))

    async def release_end(self) -> None:
        """End the lease of the end of the lap."""
        await self.release(AT_END)

    async def open_ranges(self) -> Sequence[Range]:
        """The ranges that are not done, leased or not."""
        return [Range(*row) for row in await self._connection.fetch(self._sql(_OPEN), self._name)]

    async def split(self, range_: Range, middle: Place, key: Key) -> bool:
        """End a range at a place and make the rest another one; False where it is done by now."""
        before = f"{key.values('position')} < {key.values('$3::text[]')}"
        query = self._sql(_SPLIT).replace("{before}", before)
        try:
            made = await self._connection.fetchval(
                query, self._name, range_.id, middle, range_.high
            )
        except asyncpg.UniqueViolationError:  # somebody else has split one at the same moment
            return False
        return made is not None

    async def replace(self, places: Sequence[Place]) -> None:
        """Replace the ranges by those that end at the places."""
        await self._connection.execute(
            self._sql("DELETE FROM {ranges} WHERE backfill = $1"), self._name
        )
        lows: Sequence[Place | None] = [None, *places][: len(places)]
        await self._connection.executemany(
            self._sql("INSERT INTO {ranges} (backfill, id, low, high) VALUES ($1, $2, $3, $4)"),
            [
                (self._name, n, low, high)
                for n, (low, high) in enumerate(zip(lows, places, strict=True))
            ],
        )

    async def attend(self) -> None:
        """Let others see, until the session ends, that a process runs the backfill."""
        query = "SELECT pg_advisory_lock_shared($1, $2)"
        await self._connection.fetchval(query, self._space, AT_WORK)

    async def sessions(self) -> tuple[Sequence[str], int]:
        """The sessions that have leased a range, and the number of processes that attend."""
        rows = await self._connection.fetch(_SESSIONS, self._space, AT_WORK)
        leased = [
            f"{name or 'a session'} (backend {pid})" for pid, attends, name in rows if not attends
        ]
        return leased, len(rows) - len(leased)

    def _sql(self, query: str) -> str:
        return with_tables(query, self._table)
