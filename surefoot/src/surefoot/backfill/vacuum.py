"""Vacuum keeps a table from growing while a backfill changes its rows.

PostgreSQL writes a changed row to free space of the table, and only a vacuum makes the space of
dead rows free. Autovacuum may come when the whole table is written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.catalogs import DEAD
from surefoot.backfill.events import NotVacuumed, Vacuumed
from surefoot.backfill.job import Job, closed
from surefoot.connect.failures import DRIVER, SILENCE, named
from surefoot.errors import SurefootError

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
        self._at_work: Sequence[str] = ()
        # The dead rows that the last vacuum of a table left, also where it was broken off: the next
        # one is due where so many more are dead, and not each second.
        self._left: dict[str, int] = {}

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
        throttle, found = self._job.database.limits.throttle, list[str]()
        part, least = throttle.dead_part, throttle.dead_rows
        if part is None or not may_begin:
            return
        for table, dead, live in await connection.fetch(DEAD, self._job.statements.key.quoted):
            if table in self._at_work:
                self._left[table] = dead
            # Dead rows that an old transaction may see stay until it ends.
            if is_due(dead - self._left.get(table, 0), live, part, least):
                found.append(table)
        self._at_work = found
        if found:
            self._task = asyncio.ensure_future(self._run(found))

    async def _run(self, tables: Sequence[str]) -> None:
        """Wait for no lock, and keep empty pages: to cut them off takes ACCESS EXCLUSIVE."""
        name, connection = self._job.backfill.name, None
        table = tables[0]

        def told(_: object, message: asyncpg.PostgresLogMessage) -> None:
            # A table that is locked, or that the role may not vacuum, is a warning.
            self._job.listen(NotVacuumed(name, table, message.message or ""))

        try:
            connection = await self._job.connect()
            self._pid = connection.get_server_pid()
            await connection.execute("SET statement_timeout = 0")
            connection.add_log_listener(told)
            for table in tables:
                self._job.listen(Vacuumed(name, table))
                try:
                    await connection.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE false) {table}")
                except asyncpg.PostgresError as error:
                    if connection.is_closed():
                        raise
                    self._job.listen(NotVacuumed(name, table, named(error)))
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


def is_due(dead: int, live: float, part: float, least: int) -> bool:
    """Whether so many dead rows are more than a part of all, and more than the least."""
    return dead > max(least, part * max(live, 0))
