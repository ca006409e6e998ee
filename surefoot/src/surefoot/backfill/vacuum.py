"""Vacuum keeps a table from growing while a backfill changes its rows.

PostgreSQL writes a changed row to free space of the table, and only a vacuum makes the space of
dead rows free. Autovacuum comes later, is slow on purpose, and the batches pause for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.catalogs import DEAD
from surefoot.backfill.events import NotVacuumed, Vacuumed
from surefoot.backfill.job import Job, closed
from surefoot.connect.failures import DRIVER, LOCK_NOT_AVAILABLE, SILENCE, named
from surefoot.errors import SurefootError

# After one that did not get its lock the next one is due after so long.
_LOCKED_S = 0.2
# Autovacuum makes way for a session that waits for its table; a VACUUM does not.
_IN_THE_WAY = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation'
    AND $1 = ANY (pg_blocking_pids(pid)))
"""


class Vacuum:
    """Vacuums the table of a job beside its batches, in a session of its own."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._task: asyncio.Task[None] | None = None
        self._pid: int | None = None
        # The rows that had died in each table when the vacuum that is at work began, and the last
        # one, also where it was broken off: the next one is due where as many have died since then.
        self._at_work: dict[str, int] = {}
        self._former: dict[str, int] = {}
        # Those that were locked, and when the next vacuum may begin.
        self._locked: set[str] = set()
        self._next_s = 0.0

    async def look(self, connection: asyncpg.Connection[Any], *, may_begin: bool) -> None:
        """Begin where so many rows are dead that it is due; end one that somebody waits for.

        On failure: errors of the connection. That a vacuum fails is told, and the batches go on.
        """
        if self._task is not None:
            if not self._task.done():
                if await connection.fetchval(_IN_THE_WAY, self._pid):
                    await self.end()
                return
            ended, self._task = self._task, None
            ended.result()
        throttle, found = self._job.database.limits.throttle, dict[str, int]()
        part, least = throttle.dead_part, throttle.dead_rows
        if part is None or not may_begin or time.monotonic() < self._next_s:
            return
        tables = await connection.fetch(DEAD, self._job.statements.key.quoted)
        for table, dead, died, live, autovacuum in tables:
            if table in self._at_work and table not in self._locked:
                self._former[table] = self._at_work[table]
            # Dead rows that an old transaction may see stay until it ends.
            new = min(dead, died - self._former.get(table, 0))
            if is_due(new, live, part, least, autovacuum):
                found[table] = died
        self._at_work, self._locked = found, set()
        if found:
            self._task = asyncio.ensure_future(self._run([*found]))

    async def _run(self, tables: Sequence[str]) -> None:
        """Wait for no lock, and keep empty pages: to cut them off takes ACCESS EXCLUSIVE."""
        name, connection = self._job.backfill.name, None
        table, skipped = tables[0], set[str]()

        def told(_: object, message: asyncpg.PostgresLogMessage) -> None:
            # A table that is locked, as by ANALYZE, or that the role may not vacuum, is a warning.
            skipped.add(table)
            if message.sqlstate == LOCK_NOT_AVAILABLE:
                self._locked.add(table)
                self._next_s = time.monotonic() + _LOCKED_S
            else:
                self._job.listen(NotVacuumed(name, table, message.message or ""))

        try:
            connection = await self._job.connect()
            self._pid = connection.get_server_pid()
            await connection.execute("SET statement_timeout = 0")
            connection.add_log_listener(told)
            for table in tables:
                try:
                    await connection.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE false) {table}")
                except asyncpg.PostgresError as error:  # noqa: PERF203 - a VACUUM
                    if connection.is_closed():
                        raise
                    self._job.listen(NotVacuumed(name, table, named(error)))
                else:
                    if table not in skipped:
                        self._job.listen(Vacuumed(name, table))
        except (*DRIVER, *SILENCE, SurefootError) as error:
            self._job.listen(NotVacuumed(name, table, named(error)))
        finally:
            await closed(connection)

    async def end(self) -> None:
        """Break off a vacuum that is at work."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def is_due(dead: int, live: float, part: float, least: int, autovacuum: float) -> bool:
    """Whether so many dead rows are more than a part of all, and more than the least.

    Half of those at which autovacuum comes are enough, so that it does not.
    """
    return dead > max(least, min(part * max(live, 0), autovacuum / 2))
