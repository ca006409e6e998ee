"""The watch looks, from a second connection, at a statement that takes long, and says why.

It opens its connection when the first statement has run for a while, so a quick run has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import await_only

from surefoot.connect.limits import Limits
from surefoot.run.locks.blockers import Blocker, find
from surefoot.run.locks.progress import Progress, progress_of

LOOK_EVERY_S = 0.2
SAY_AGAIN_S = 30.0


class Watch:
    """What one backend waits for, as it was last seen."""

    def __init__(self, engine: AsyncEngine, *, limits: Limits, say: Callable[[str], None]) -> None:
        self._engine = engine
        # Early enough to see who blocks a statement before its lock timeout ends the wait.
        self._first_look_s = min(limits.lock_timeout_s / 4, LOOK_EVERY_S)
        self._warn_after_s = limits.warn_after_s
        self._say = say
        self.pid = 0
        self._statement_since_s: float | None = None
        self._said_s = 0.0
        self._said_about: tuple[int, ...] = ()
        self.blockers: tuple[Blocker, ...] = ()

    def statement_begins(self) -> None:
        """A statement was sent to the server."""
        self._statement_since_s = time.monotonic()

    def statement_ends(self) -> None:
        """Its answer is here."""
        self._statement_since_s = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch while the block, which runs in a greenlet, lasts."""
        task = asyncio.ensure_future(self._look_on())
        try:
            yield
        finally:
            task.cancel()
            await_only(_ended(task))

    async def _look_on(self) -> None:
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
        found = find(connection, self.pid)
        if found:
            self.blockers = found
        running_s = time.monotonic() - since_s
        if running_s < self._warn_after_s:
            return
        about = tuple(blocker.pid for blocker in found)
        quiet_s = time.monotonic() - self._said_s
        if quiet_s < SAY_AGAIN_S and about == self._said_about:
            return
        if found:
            self._say(f"  waiting for {running_s:.0f} s, for:")
            for blocker in found:
                self._say(f"    {blocker}")
        elif (progress := progress_of(connection, self.pid)) is not None:
            self._say(f"  {running_s:.0f} s so far: {_told(progress)}")
        elif running_s < SAY_AGAIN_S:
            return
        else:
            self._say(f"  {running_s:.0f} s so far")
        self._said_s, self._said_about = time.monotonic(), about


def _told(progress: Progress) -> str:
    share = f", {progress.share:.0%}" if progress.share is not None else ""
    return f"{progress.phase}{share}"


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
