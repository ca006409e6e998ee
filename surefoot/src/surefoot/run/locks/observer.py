"""Observer looks, from a second connection, at a statement that takes long, and tells why.

It connects once the first statement has run for a while, so a quick run has no second connection.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.limits import Limits
from surefoot.run.events import Listen, StatementRunning, StatementWaiting
from surefoot.run.sessions import Blocker, blockers, progress

LOOK_EVERY_S = 0.2
TELL_AGAIN_S = 30.0


class Observer:
    """The sessions that one backend waits for, as they were last seen."""

    def __init__(self, engine: AsyncEngine, *, limits: Limits, listen: Listen) -> None:
        self._engine = engine
        # Early enough to see who blocks a statement before its lock timeout ends the wait.
        self._first_look_s = min(limits.lock_timeout_s / 4, LOOK_EVERY_S)
        self._warn_after_s = limits.warn_after_s
        self._listen = listen
        self.pid = 0
        self._statement_since_s: float | None = None
        self._told_s = 0.0
        self._told_about: tuple[int, ...] = ()
        self.blockers: tuple[Blocker, ...] = ()

    def statement_begins(self) -> None:
        """A statement was sent to the server."""
        self._statement_since_s = time.monotonic()

    def statement_ends(self) -> None:
        """The server has answered it."""
        self._statement_since_s = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Observe while the block lasts, which runs in a greenlet."""
        task = asyncio.ensure_future(self._observe())
        try:
            yield
        finally:
            task.cancel()
            await_only(_ended(task))

    async def _observe(self) -> None:
        while True:
            await self._until_slow()
            with contextlib.suppress(SQLAlchemyError, OSError):
                async with self._engine.connect() as connection:
                    # Each look is a transaction of its own: an old one would hold up index builds.
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    while True:
                        since_s = self._statement_since_s
                        if since_s is not None:
                            await connection.run_sync(self._look, since_s)
                        await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _until_slow(self) -> None:
        while True:
            since_s = self._statement_since_s
            if since_s is not None and time.monotonic() - since_s >= self._first_look_s:
                return
            await asyncio.sleep(min(LOOK_EVERY_S, self._first_look_s))

    def _look(self, connection: Connection, since_s: float) -> None:
        found = blockers(connection, self.pid)
        if found:
            self.blockers = found
        running_s = time.monotonic() - since_s
        if running_s < self._warn_after_s:
            return
        about = tuple(blocker.pid for blocker in found)
        if time.monotonic() - self._told_s < TELL_AGAIN_S and about == self._told_about:
            return
        if found:
            self._listen(StatementWaiting(running_s, found))
        else:
            done = progress(connection, self.pid)
            if done is None and running_s < TELL_AGAIN_S:
                return
            self._listen(StatementRunning(running_s, done))
        self._told_s, self._told_about = time.monotonic(), about


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
