"""SecondConnection is a connection beside the one that migrates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class SecondConnection:
    """A connection in autocommit: an old transaction would hold up index builds.

    It ends without a word to the server, whose network may be dead.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._abort: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncConnection]:
        """The connection, for the block."""
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        self._abort = driver.terminate
        try:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
        finally:
            self._abort()
            await connection.invalidate()
            await connection.close()

    async def end(self, task: asyncio.Task[None]) -> None:
        """Cancel the task that uses it; a cancelled statement would wait for the server."""
        self._abort()
        task.cancel()
        await asyncio.wait([task])
