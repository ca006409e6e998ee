"""Sessions that change the rows of a table while a backfill does, and know what they wrote."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from harness.databases import connect

# `wide` and `times` are the backfill's, `note` is the writers'.
TABLE = """
op.execute('''
    CREATE TABLE files (
        id bigint PRIMARY KEY, size int NOT NULL, note int, wide bigint,
        times int NOT NULL DEFAULT 0)
''')
"""
WRITERS = 8
# Between two statements of one writer.
_PAUSE_S = 0.005
_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)


@dataclass
class Writers:
    """Eight of them, each with ids of its own, so that each knows what its rows hold."""

    url: str
    rows: int
    seed: int
    # id -> its note; None: it is deleted. Rows that nobody wrote are not in it.
    notes: dict[int, int | None] = field(default_factory=dict)
    # How often the rows were changed that are deleted.
    times_of_deleted: int = 0
    inserted: int = 0
    # Rows of statements whose answer was lost: whether they committed is not known.
    unknown: set[int] = field(default_factory=set)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Writers]:
        """They write for the length of the block."""
        self._over.clear()
        tasks = [asyncio.ensure_future(self._write(number)) for number in range(WRITERS)]
        try:
            yield self
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    async def _write(self, number: int) -> None:
        chance, connection = random.Random(self.seed * WRITERS + number), None
        new = number
        while not self._over.is_set():
            try:
                if connection is None:
                    connection = await connect(self.url, "writer")
                # Rows behind the walk, within and before it.
                of = chance.randrange(self.rows // WRITERS) * WRITERS + number
                what = chance.random()
                if what < 0.15:
                    new += WRITERS
                    of = -new if chance.random() < 0.5 else self.rows + new
                await self._one(connection, of, what, chance.randrange(1 << 30))
            except (*_LOST, asyncpg.CannotConnectNowError, asyncpg.CrashShutdownError):
                # The server is gone for a moment.
                connection = None
                await asyncio.sleep(0.02)
            await asyncio.sleep(_PAUSE_S)
        if connection is not None:
            await connection.close()

    async def _one(
        self, connection: asyncpg.Connection[Any], of: int, what: float, note: int
    ) -> None:
        if what < 0.15:
            # The release that runs writes the new column; otherwise rows would come for ever.
            query = "INSERT INTO files VALUES ($1, 7, $2, 7, 1)"
            before = None
        else:
            query = "UPDATE files SET note = $2 WHERE id = $1"
            before = self.notes.get(of)
            if what > 0.95:
                query, note = "DELETE FROM files WHERE id = $1 RETURNING times", -1
        try:
            if note == -1:
                times = await connection.fetchval(query, of)
                self.times_of_deleted += times or 0
                self.notes[of] = None
            elif (await connection.execute(query, of, note)).endswith(" 1"):
                self.notes[of] = note
                self.inserted += what < 0.15
            else:
                assert of in self.notes, f"row {of} is gone"
                assert before is None, f"row {of} is gone"
        except _LOST:
            self.unknown.add(of)
            raise

    async def check(self, connection: asyncpg.Connection[Any]) -> None:
        """On failure: AssertionError, where something that they wrote is lost."""
        query = "SELECT id, note FROM files WHERE note IS NOT NULL"
        found = dict(await connection.fetch(query))
        known = {of: note for of, note in self.notes.items() if of not in self.unknown}
        lost = {of: note for of, note in known.items() if found.get(of) != note}
        assert not lost, lost
        more = found.keys() - self.notes.keys() - self.unknown
        assert not more, more
