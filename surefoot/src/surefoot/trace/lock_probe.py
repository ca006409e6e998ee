"""The gates: what a statement outside a transaction meets, so that its locks can be seen.

Such a statement (CREATE INDEX CONCURRENTLY, VACUUM) commits by itself and leaves no lock to look
at. The first gate is a writer: it holds ROW EXCLUSIVE on every table. The statement comes to wait,
for a lock that writers stand in the way of or for the writer's transaction to end; what it holds
and wants then is read, and the gate opens. The second is a reader of every partition, whom a
statement meets that goes on to lock readers out, as detaching a partition does in its second half.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from surefoot.trace.lock_modes import MODES
from surefoot.trace.snapshot import LAST_OF_SERVER, Relation

LOOK_EVERY_S = 0.005
GONE_ON_AFTER_S = 0.1
LOCKS = """
SELECT relation::bigint, mode, granted, locktype, virtualxid, transactionid::text
FROM pg_locks WHERE pid = $1
"""


@dataclass
class ProbedStatement:
    """A statement at the gates."""

    taken: dict[int, set[str]]
    # Set as the statement ends.
    over: asyncio.Event
    began_s: float
    # The task that looks; its result is how long the statement stood at the gates.
    stood_s: asyncio.Task[float]


class LockProbe:
    """Two sessions of its own on the scratch database."""

    def __init__(self, writer: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        self._writer, self._reader = writer, reader

    async def close(self, pid: int, tables: Sequence[Relation]) -> ProbedStatement:
        """Stand in the way of what that session does next."""
        parts = [table for table in tables if table.parents and table.kind == "r"]
        await _lock(self._writer, [table for table in tables if table.is_table], "ROW EXCLUSIVE")
        await _lock(self._reader, parts, "ACCESS SHARE")
        taken: dict[int, set[str]] = {}
        over = asyncio.Event()
        looking = asyncio.ensure_future(self._look(pid, taken, over))
        return ProbedStatement(taken, over, time.monotonic(), looking)

    async def open(self, pause: ProbedStatement) -> tuple[float, dict[int, set[str]]]:
        """How long the statement worked, which is not at the gates, in seconds; and its locks."""
        took_s = time.monotonic() - pause.began_s
        pause.over.set()
        return max(0.0, took_s - await pause.stood_s), pause.taken

    async def _look(self, pid: int, taken: dict[int, set[str]], over: asyncio.Event) -> float:
        opened_s = time.monotonic()
        stood_s = 0.0
        former: object = None
        for gate in (self._writer, self._reader):
            waits: object = None
            since_s = opened_s
            while not over.is_set() and (
                waits is None
                # It goes on from the first gate a moment after that has opened, or finds that the
                # other one stands in the way of the same lock.
                or (waits == former and time.monotonic() < opened_s + GONE_ON_AFTER_S)
            ):
                # On its way to the first one there is nothing to do but to look up names.
                if waits is None and former is not None:
                    since_s = time.monotonic()
                waits = await self._wait(pid, taken)
                await asyncio.sleep(LOOK_EVERY_S)
            if waits is not None:
                opened_s = time.monotonic()
                # It stands at the last one after its work, which is none of the waiting.
                stood_s += opened_s - since_s
            former = waits
            await gate.execute("ROLLBACK")
        return stood_s

    async def _wait(self, pid: int, taken: dict[int, set[str]]) -> object:
        """Note its locks; what it waits for, or None."""
        waits = None
        # By the session that stands at the last gate: it is there as long as anybody looks.
        for row in await self._reader.fetch(LOCKS, pid):
            if row["locktype"] == "relation" and row["relation"] > LAST_OF_SERVER:
                taken.setdefault(row["relation"], set()).add(MODES[row["mode"]])
            if not row["granted"]:
                waits = tuple(row)
        return waits


async def _lock(session: asyncpg.Connection, tables: Sequence[Relation], mode: str) -> None:
    await session.execute("BEGIN")
    for table in tables:
        await session.execute(f"LOCK TABLE {table.quoted} IN {mode} MODE")
