"""A running service watches the schema that it was started on.

    start -> check -> announce, LISTEN -> check at each notification and every POLL_S -> Verdict

It learns of a downgrade, or of a contract revision that does not tolerate this build, within two
seconds, and of the upgrade that follows. A database that refuses, fails or falls silent is told
within two seconds, too: a verdict is never older than that. The watch has a session of its own, so
it does not wait for the service's pool; by that session a migration sees which builds are running.
Notifications do not pass a pooler; the poll does.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.compat.heard import HEARD
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import describe
from surefoot.errors import SurefootError
from surefoot.ledger import agreement
from surefoot.ledger.services import announce
from surefoot.startup.check import (
    TIMEOUT_S,
    Build,
    State,
    Verdict,
    autocommitting,
    check,
    check_on,
    unreachable,
)
from surefoot.startup.looks import Look, look
from surefoot.telemetry import verdict_changed

logger = logging.getLogger(__name__)

POLL_S = 0.5
# A session that does not answer for so long may be lost: another one is asked.
PATIENCE_S = 0.6
# Without an answer for so long, the last verdict is not told any more.
SILENT_AFTER_S = 1.1
# Comparing the whole schema takes about ten milliseconds, and is not urgent unless somebody asks.
COMPARE_EVERY_S = 60.0
FRESH_S = 1.0
# How often it looks at backfills and runs; so long after a look that was not answered.
LOOK_EVERY_S, LOOK_LATER_S = 2.0, 60.0
# Of a busy server it takes no more than this share of the time.
COMPARE_SHARE = 0.1
# The comparison locks every table as a reader. It must give up before deadlock_timeout where a
# migration holds one table and waits for another.
_SHORT_LOCKS = text("SET LOCAL lock_timeout = '100ms'")


class Watch:
    """Keeps the current verdict on the database, for a service of one build.

    Example:
        watch = Watch(database.engine("watch"), project.build())
        await watch.refresh()
        async with watch.on():
            print(watch.usable, watch.verdict.state)
    """

    def __init__(self, engine: AsyncEngine, build: Build) -> None:
        """`engine` has one connection, which the watch keeps."""
        self.build = build
        # Whether migrations see this service; never behind a pooler.
        self.announced = False
        # Whether the schema has the fingerprint of revisions.lock; None where that is unknown.
        # It is shown, and does not make the service unready.
        self.agrees: bool | None = None
        # Backfills and runs; nothing is known of them before the watch is on.
        self.look = Look()
        self.checked_at = datetime.now(timezone.utc)
        # The changes of the verdict, by the new state.
        self.changes: Counter[State] = Counter()
        # The pending revisions, each with the moment at which it was first seen to be pending.
        self.pending_since: Mapping[str, datetime] = {}
        self._engine = autocommitting(engine)
        # Not in autocommit mode, as the comparison takes several statements.
        self._comparing = engine
        self._verdict: Verdict | None = None
        self._usable = True
        self._changed = asyncio.Event()
        self._notified = asyncio.Event()
        # When a check began that has not ended.
        self._asked_s: float | None = None
        # When backfills and runs are looked at again.
        self._look_s = 0.0
        # The comparison is wanted, and is done; None while nothing is watched.
        self._wanted = asyncio.Event()
        self._compared = asyncio.Event()
        self._compared_s: float | None = None
        self._fresh_s = FRESH_S
        # The revisions of the database that was compared.
        self._compared_at: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of now. On failure: RuntimeError before the first check."""
        if self._verdict is None:
            raise RuntimeError("the watch has not checked the database yet")
        silent_s = time.monotonic() - self._asked_s if self._asked_s is not None else 0.0
        if silent_s < SILENT_AFTER_S or self._verdict.state == "unreachable":
            return self._verdict
        silence = TimeoutError()
        return unreachable(self._engine.url, self.build, silence, timeout_s=SILENT_AFTER_S)

    @property
    def usable(self) -> bool:
        """Whether the code of the build works with the schema, as far as is known.

        A database that does not answer is taken to have the schema that it had.
        """
        return self._usable

    async def refresh(self) -> Verdict:
        """Check the database now, on a connection of its own."""
        self._asked_s = self._asked_s or time.monotonic()
        verdict = await check(self._engine, self.build)
        self._note(verdict)
        return verdict

    async def compared(self, wait_s: float) -> None:
        """Wait, at most for `wait_s`, until `agrees` is no older than a second.

        Where a comparison takes long, it may be older: ten times as old as a comparison is long.
        """
        if self._compared_s is None or time.monotonic() - self._compared_s < self._fresh_s:
            return
        self._compared.clear()
        self._wanted.set()
        with anyio.move_on_after(wait_s):
            await self._compared.wait()

    async def until(self, *, usable: bool) -> None:
        """Wait until the schema becomes usable, or unusable."""
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
            self._compared_s = None

    async def _watch(self) -> None:
        while True:
            try:
                await self._session()
            except Exception as error:
                self._note(unreachable(self._engine.url, self.build, error))
            await anyio.sleep(POLL_S)

    async def _session(self) -> None:
        """Watch on one session, until it is lost."""
        connection = self._engine.connect()
        try:
            with anyio.fail_after(TIMEOUT_S):
                await connection.start()
            await self._attend(connection)
        except DATABASE_ERRORS:
            # The session ended; another one shows whether the database is down.
            await self.refresh()
        finally:
            self.announced = False
            with contextlib.suppress(*DATABASE_ERRORS):
                await connection.close()

    async def _attend(self, connection: AsyncConnection) -> None:
        """Announce the build, then check at each notification and every POLL_S."""
        with anyio.fail_after(TIMEOUT_S):
            self.announced = await connection.run_sync(announce, self.build.newest)
            if self.announced:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                channel = self.build.version_table.channel
                await driver.add_listener(channel, lambda *_: self._notified.set())
        if not self.announced:
            logger.warning(
                "the connection goes through a pooler: migrations cannot see this service, "
                "and it notices a change of the schema at the next poll"
            )
        while await self._check_on(connection):
            with anyio.move_on_after(POLL_S):
                await self._notified.wait()

    async def _check_on(self, connection: AsyncConnection) -> bool:
        """Check on the session; where it is silent, on another one. Whether it answered."""
        self._notified.clear()
        self._asked_s = time.monotonic()
        asked = asyncio.create_task(self._ask(connection))
        try:
            await asyncio.wait({asked}, timeout=PATIENCE_S)
            if asked.done():
                self._note(asked.result())
                return True
            await self.refresh()
            return False
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _ask(self, connection: AsyncConnection) -> Verdict:
        """Check, and look at backfills and runs now and then."""
        verdict = await check_on(connection, self.build)
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + LOOK_LATER_S
            self.look = await look(connection, self.build.version_table)
            self._look_s = time.monotonic() + LOOK_EVERY_S
        return verdict

    async def _compare(self) -> None:
        """Compare the schema with the lock at each change of the revision and every minute."""
        while True:
            self._wanted.clear()
            self._compared_at = self._verdict.current if self._verdict else None
            began_s = time.monotonic()
            self.agrees = await self._agrees()
            self._compared_s = time.monotonic()
            self._fresh_s = max(FRESH_S, (self._compared_s - began_s) / COMPARE_SHARE)
            self._compared.set()
            with anyio.move_on_after(COMPARE_EVERY_S):
                await self._wanted.wait()

    async def _agrees(self) -> bool | None:
        """Whether the schema has the fingerprint of the lock; None where that is not known."""
        try:
            with anyio.fail_after(TIMEOUT_S):
                async with self._comparing.connect() as connection:
                    await connection.execute(_SHORT_LOCKS)
                    found = await connection.run_sync(
                        agreement.compare,
                        self.build.revisions,
                        self.build.version_table,
                        self.build.schemas,
                        self.build.exclude,
                    )
        except (SurefootError, *DATABASE_ERRORS) as error:
            logger.debug("the schema could not be compared: %s", describe(error))
        except Exception:
            logger.exception("the comparison of the schema failed")
        else:
            return found.agrees
        return None

    def _note(self, verdict: Verdict) -> None:
        """Keep the verdict and log a change. The first verdict is the caller's to report."""
        before, self._verdict, self._asked_s = self._verdict, verdict, None
        self.checked_at = datetime.now(timezone.utc)
        if verdict.state == "unreachable":
            self.look = Look()
        else:
            self._usable = verdict.error is None
        if verdict.state not in ("unreachable", "unreadable"):
            before_it, now = self.pending_since, self.checked_at
            self.pending_since = {each: before_it.get(each, now) for each in verdict.pending}
        if before is None or _said(before) == _said(verdict):
            return
        self.changes[verdict.state] += 1
        verdict_changed(verdict.database, verdict.state)
        if verdict.error is not None:
            # A migration of many revisions changes the text with each of them.
            if before.error is None or before.error.code != verdict.error.code:
                logger.warning("not ready [%s]: %s", verdict.error.code, verdict)
        else:
            logger.info("ready: %s", verdict)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if verdict.state != "unreachable":
            HEARD.change()
        # A server with too much to do answers late. It would never catch up if each answer that
        # comes again led to a comparison.
        if verdict.state != "unreachable" and verdict.current != self._compared_at:
            self._wanted.set()


def _said(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.state, verdict.current, verdict.error and verdict.error.message)
