"""The gate: what a statement outside a transaction meets, so that its locks can be seen.

Such a statement (CREATE INDEX CONCURRENTLY, VACUUM) commits by itself and leaves no lock to look
at. The gate holds ROW EXCLUSIVE, a writer's lock, on every table. The statement comes to wait,
for a lock that writers stand in the way of or for the writer's transaction to end; what it holds
and wants then is read, and the gate opens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from app.migrate.review.trace.locks import MODES
from app.migrate.review.trace.state import Relation

LOOK_EVERY_S = 0.005
LOCKS = """
SELECT relation::bigint, mode, granted, locktype FROM pg_locks WHERE pid = $1
"""
FIRST_OF_USERS = 16384


@dataclass
class Pause:
    """A statement at the gate."""

    taken: dict[int, set[str]]
    # Set as the statement ends.
    over: asyncio.Event
    # The task that looks; its result is when the gate opened.
    opened_s: asyncio.Task[float]


class Gate:
    """A session of its own on the scratch database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def close(self, pid: int, tables: Sequence[Relation]) -> Pause:
        """Stand in the way of what that session does next."""
        await self._connection.execute("BEGIN")
        for table in tables:
            if table.is_table:
                name = f'"{table.schema}"."{table.name}"'
                await self._connection.execute(f"LOCK TABLE {name} IN ROW EXCLUSIVE MODE")
        taken: dict[int, set[str]] = {}
        over = asyncio.Event()
        return Pause(taken, over, asyncio.ensure_future(self._look(pid, taken, over)))

    async def open(self, pause: Pause) -> tuple[float, dict[int, set[str]]]:
        """How long the statement went on without the gate, in seconds, and its locks."""
        ended_s = time.monotonic()
        pause.over.set()
        return max(0.0, ended_s - await pause.opened_s), pause.taken

    async def _look(self, pid: int, taken: dict[int, set[str]], over: asyncio.Event) -> float:
        since_s = time.monotonic()
        waits = False
        while not waits and not over.is_set():
            for row in await self._connection.fetch(LOCKS, pid):
                if row["locktype"] == "relation" and row["relation"] >= FIRST_OF_USERS:
                    taken.setdefault(row["relation"], set()).add(MODES[row["mode"]])
                waits = waits or not row["granted"]
            await asyncio.sleep(LOOK_EVERY_S)
        opened_s = time.monotonic() if waits else since_s
        await self._connection.execute("ROLLBACK")
        return opened_s
