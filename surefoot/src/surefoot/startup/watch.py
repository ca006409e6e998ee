"""A running service watches the schema that it was started on.

    start -> look -> announce, LISTEN -> look at each notification and every POLL_S -> Verdict

A downgrade, or a contract revision that does not tolerate this build, is known within two seconds,
and so is the upgrade after it. The watch has a session of its own: it does not wait for the
service's pool, and it is how a migration sees which builds live. Notifications do not pass a
pooler; the poll does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.connect.failures import DATABASE_ERRORS, describe
from surefoot.ledger import agreement
from surefoot.ledger.services import announce
from surefoot.startup.check import TIMEOUT_S, Build, State, Verdict, autocommitting, check, look
from surefoot.telemetry import verdict_changed

logger = logging.getLogger(__name__)

POLL_S = 1.0
# To compare the whole schema is some ten milliseconds of work, and a fact without haste.
COMPARE_EVERY_S = 60.0
# It takes the locks of a reader on every table. A migration that holds one and wants another must
# not find it waiting for as long as a deadlock takes to be one.
_SHORT_LOCKS = text("SET LOCAL lock_timeout = '100ms'")


class Watch:
    """What the database is now, for a service of one build."""

    def __init__(self, engine: AsyncEngine, build: Build) -> None:
        """`engine` has a session for nobody else: it is kept."""
        self.build = build
        # Whether migrations can see this service; not behind a pooler.
        self.announced = False
        # Whether the schema is what revisions.lock expects at its revision, where that is known.
        # A fact to show, and no reason to be unready.
        self.agrees: bool | None = None
        self.checked_at = datetime.now(timezone.utc)
        # How often the verdict became another one, by what it became.
        self.changes: Counter[State] = Counter()
        self._engine = autocommitting(engine)
        # In a transaction: it reads more than once.
        self._comparing = engine
        self._verdict: Verdict | None = None
        self._usable = True
        self._changed = asyncio.Event()
        self._notified = asyncio.Event()

    @property
    def verdict(self) -> Verdict:
        """The last one. On failure: RuntimeError before the first look."""
        if self._verdict is None:
            raise RuntimeError("the watch has not looked yet")
        return self._verdict

    @property
    def usable(self) -> bool:
        """Whether the build's code works with the schema: nothing is known that says no.

        A database that does not answer has the schema that it had; whoever asks it will see.
        """
        return self._usable

    async def look(self) -> Verdict:
        """Look now, on a connection for this once."""
        self._note(await check(self._engine, self.build))
        return self.verdict

    async def until(self, *, usable: bool) -> None:
        """Wait until the schema is usable, or is not any more."""
        while self.usable != usable:
            await self._changed.wait()

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Watch while the block lasts."""
        tasks = [
            asyncio.create_task(self._watch(), name="schema watch"),
            asyncio.create_task(self._compare(), name="schema comparison"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _watch(self) -> None:
        while True:
            try:
                await self._session()
            except Exception:
                logger.exception("the watch of the schema met an error of its own, and goes on")
            await anyio.sleep(POLL_S)

    async def _session(self) -> None:
        """Watch on one session, until it is lost."""
        connection = self._engine.connect()
        try:
            with anyio.fail_after(TIMEOUT_S):
                await connection.start()
            await self._attend(connection)
        except DATABASE_ERRORS:
            # A session that ended is not a database that is away: another one tells.
            await self.look()
        finally:
            self.announced = False
            with contextlib.suppress(*DATABASE_ERRORS):
                await connection.close()

    async def _attend(self, connection: AsyncConnection) -> None:
        """Announce the build, then look at every notification and every POLL_S."""
        with anyio.fail_after(TIMEOUT_S):
            self.announced = await connection.run_sync(announce, self.build.newest)
            if self.announced:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                channel = self.build.version_table.channel
                await driver.add_listener(channel, lambda *_: self._notified.set())
        if not self.announced:
            logger.warning(
                "a pooler is in between: migrations cannot see this service, "
                "and a change of the schema is seen at the next poll"
            )
        while True:
            self._notified.clear()
            with anyio.fail_after(TIMEOUT_S):
                self._note(await look(connection, self.build))
            with anyio.move_on_after(POLL_S):
                await self._notified.wait()

    async def _compare(self) -> None:
        """Compare the schema with the lock at each change of the verdict, and now and then."""
        while True:
            changed = self._changed
            try:
                with anyio.fail_after(TIMEOUT_S):
                    async with self._comparing.connect() as connection:
                        await connection.execute(_SHORT_LOCKS)
                        found = await connection.run_sync(
                            agreement.compare, self.build.revisions, self.build.version_table
                        )
                self.agrees = found.agrees
            except DATABASE_ERRORS as error:
                self.agrees = None
                logger.debug("the schema could not be compared: %s", describe(error))
            except Exception:
                logger.exception("the comparison of the schema met an error of its own")
            with anyio.move_on_after(COMPARE_EVERY_S):
                await changed.wait()

    def _note(self, verdict: Verdict) -> None:
        """Keep the verdict; say how it changed. The first is for its caller to say."""
        before, self._verdict = self._verdict, verdict
        self.checked_at = datetime.now(timezone.utc)
        if verdict.state != "unreachable":
            self._usable = verdict.error is None
        if before is None or _said(before) == _said(verdict):
            return
        self.changes[verdict.state] += 1
        verdict_changed(verdict.database, verdict.state)
        if verdict.error is not None:
            logger.warning("not ready [%s]: %s", verdict.error.code, verdict)
        else:
            logger.info("ready: %s", verdict)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _said(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.state, verdict.current, verdict.error and verdict.error.message)
