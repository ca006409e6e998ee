"""LockProbe finds the locks of a statement that runs outside a transaction.

Such a statement (CREATE INDEX CONCURRENTLY, VACUUM) commits by itself and leaves no lock to look
at. Two other sessions hold conflicting locks until the statement waits for them: a writer, with
ROW EXCLUSIVE on every table, then a reader, with ACCESS SHARE on every partition, for statements
that lock readers out in their second half, as DETACH PARTITION CONCURRENTLY does. While the
statement waits, its locks are read from pg_locks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from surefoot.trace.lock_modes import MODES
from surefoot.trace.provision_query import LAST_OF_SERVER
from surefoot.trace.schema_objects import Relation

POLL_S = 0.005
PROGRESS_S = 0.1
LOCKS = """
SELECT relation::bigint, mode, granted, locktype, virtualxid, transactionid::text
FROM pg_locks WHERE pid = $1
"""


# Ends the observation: the seconds that the statement worked, without its waits for the probe; and
# its locks, by relation.
Finish = Callable[[], Awaitable[tuple[float, dict[int, set[str]]]]]


class LockProbe:
    """The two sessions, on the scratch database."""

    def __init__(self, writer: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        self._writer, self._reader = writer, reader

    async def start(self, pid: int, tables: Sequence[Relation]) -> Finish:
        """Take the conflicting locks before the session of that pid runs its statement."""
        parts = [table for table in tables if table.parents and table.kind == "r"]
        await _lock(self._writer, [table for table in tables if table.is_table], "ROW EXCLUSIVE")
        await _lock(self._reader, parts, "ACCESS SHARE")
        taken: dict[int, set[str]] = {}
        ended = asyncio.Event()
        watch = asyncio.ensure_future(self._watch(pid, taken, ended))
        began_s = time.monotonic()

        async def finish() -> tuple[float, dict[int, set[str]]]:
            took_s = time.monotonic() - began_s
            ended.set()
            return max(0.0, took_s - await watch), taken

        return finish

    async def _watch(self, pid: int, taken: dict[int, set[str]], ended: asyncio.Event) -> float:
        """Read the locks until it ends; the result is how long it waited for the probe."""
        released_s = time.monotonic()
        waited_s = 0.0
        former: object = None
        for holder in (self._writer, self._reader):
            waits: object = None
            since_s = released_s
            while not ended.is_set() and (
                waits is None
                # A moment after the writer has released its locks the statement continues, or the
                # reader is seen to hold a lock that it waits for as well.
                or (waits == former and time.monotonic() < released_s + PROGRESS_S)
            ):
                # Before its first wait the statement does nothing but look names up.
                if waits is None and former is not None:
                    since_s = time.monotonic()
                waits = await self._wait(pid, taken)
                await asyncio.sleep(POLL_S)
            if waits is not None:
                released_s = time.monotonic()
                # Its work, which it does before it waits for the reader, does not count.
                waited_s += released_s - since_s
            former = waits
            await holder.execute("ROLLBACK")
        return waited_s

    async def _wait(self, pid: int, taken: dict[int, set[str]]) -> object:
        """Record its locks; return the lock that it waits for, or None."""
        waits = None
        # In the reader's session, which is the last to be rolled back.
        for row in await self._reader.fetch(LOCKS, pid):
            if row["locktype"] == "relation" and row["relation"] > LAST_OF_SERVER:
                taken.setdefault(row["relation"], set()).add(MODES[row["mode"]])
            if not row["granted"]:
                waits = tuple(row)
        return waits


async def _lock(session: asyncpg.Connection, tables: Sequence[Relation], mode: str) -> None:
    await session.execute("BEGIN")
    if tables:
        names = ", ".join(table.quoted for table in tables)
        await session.execute(f"LOCK TABLE {names} IN {mode} MODE")
