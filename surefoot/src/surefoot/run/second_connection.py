"""SecondConnection is a connection beside the one that migrates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from surefoot.compat.sqlalchemy import greenlet_spawn
from surefoot.run.until_done import until_done


class SecondConnection:
    """A connection of the role that logs in, in autocommit: an old transaction would hold up index
    builds. It ends without a word to the server, whose network may be dead.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._abort: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Connection]:
        """The connection, for the block, which uses it in greenlets."""
        connection = await greenlet_spawn(self._engine.connect)
        driver: Any = connection.connection.driver_connection
        self._abort = driver.terminate
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            # After a SET ROLE, which the role or the URL may have, a session sees of the others of
            # its login neither that they wait nor what they do, and may not cancel them: the role
            # that it is in is no member of the one that has logged in.
            await greenlet_spawn(connection.exec_driver_sql, "SET ROLE NONE")
            yield connection
        finally:
            self._abort()
            await greenlet_spawn(connection.invalidate)
            await greenlet_spawn(connection.close)

    async def end(self, task: asyncio.Task[None]) -> None:
        """Cancel the task that uses it; a cancelled statement would wait for the server."""
        self._abort()
        task.cancel()
        await until_done(task)
