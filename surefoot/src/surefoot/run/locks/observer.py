"""Observer looks, from a second connection, at a statement that takes long.

It tells why, and learns who blocks it. It ends the statement where readers or writers would wait
behind it for too long: a lock timeout is for one lock, and a statement may need many. Between two
attempts it finds out when the transactions that blocked have ended.

It connects once the first statement has run for a moment, so a quick run has no second connection.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from surefoot.compat.sqlalchemy import await_only, greenlet_spawn
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.limits import Limits
from surefoot.run.events import Listen, StatementRunning, StatementSeen, StatementWaiting
from surefoot.run.locks import waits
from surefoot.run.second_connection import SecondConnection
from surefoot.run.sessions import Blocker, blockers, progress, shape

# While others may wait behind the statement, and while nobody does.
LOOK_EVERY_S, PATIENT_LOOK_EVERY_S = 0.025, 0.2
SLOW_AFTER_S = 0.05
# A client is late where its machine is busy: the server waits for the last moment.
LAST_S = 0.1
ASK_EVERY_S = 0.1
SEE_EVERY_S = 1.0
# The second line about a statement, and each further one after twice the time, up to the longest.
TELL_AGAIN_S, LONGEST_SILENCE_S = 30.0, 300.0


@dataclass
class Statement:
    """A statement that was sent to the server and has no answer yet."""

    # How long it may wait for locks while others wait behind it; None where nobody does.
    bound_s: float | None
    sql: str = ""
    since_s: float = field(default_factory=time.monotonic)
    looked_s: float = field(default_factory=time.monotonic)
    named_s: float = 0.0
    seen_s: float = field(default_factory=time.monotonic)
    # How long nothing is told after the last time.
    silence_s: float = TELL_AGAIN_S
    # Whether others waited behind it when it was looked at; not known before the first look.
    others_wait: bool | None = None

    def wait(self, seen: waits.LockWait | None, now_s: float) -> float:
        """The seconds that others have waited since the last look, rather too many than too few."""
        between_s, waited_before = now_s - self.looked_s, self.others_wait
        self.looked_s, self.others_wait = now_s, seen is not None and seen.blocks_others
        if seen is None or not self.others_wait:
            return 0.0
        return between_s if waited_before else min(between_s, seen.seconds)

    def last_wait(self, now_s: float) -> float:
        """The same from the last look to its end; of one that was quick nobody needs to know."""
        between_s = now_s - self.looked_s
        is_unknown = self.others_wait is None and between_s >= SLOW_AFTER_S
        return between_s if self.bound_s is not None and (self.others_wait or is_unknown) else 0.0


class Observer:
    """The observer of one backend: its waits, and the sessions that block it."""

    def __init__(self, engine: Engine, *, limits: Limits, listen: Listen) -> None:
        self._second = SecondConnection(engine)
        self._warn_after_s = limits.warn_after_s
        self._listen = listen
        self.pid = 0
        self._statement: Statement | None = None
        self._told_s = self._asked_s = 0.0
        # How long the server had heard nothing when the last statement was sent.
        self.silent_s = 0.0
        self._answered_s = time.monotonic()
        self._told_about: tuple[int, ...] = ()
        # Those who blocked last, until the transactions of all of them have ended.
        self.blockers: tuple[Blocker, ...] = ()
        # How long others have waited in this attempt, and when that ends the statement.
        self.waited_s = 0.0
        self._ends_s: float | None = None
        # Whether the run holds no lock and waits for the blockers to end.
        self.pauses = False
        self._passed: tuple[Blocker, ...] = ()

    def attempt_begins(self) -> None:
        """No statement runs, and no lock of an earlier attempt is held."""
        self._statement, self.waited_s = None, 0.0
        self._ends_s, self.pauses = None, False

    @property
    def has_ended_wait(self) -> bool:
        """Whether a statement that is cancelled now was cancelled from here."""
        return self._ends_s is not None and self._ends_s <= time.monotonic()

    def statement_begins(self, bound_s: float | None, sql: str = "") -> None:
        """A statement was sent to the server; `bound_s` is that of `Statement`."""
        self._statement = Statement(bound_s, sql)
        self.silent_s = self._statement.since_s - self._answered_s

    def statement_ends(self) -> None:
        """It has succeeded; those who blocked it do so no more."""
        self._answered_s = time.monotonic()
        if (statement := self._statement) is not None:
            self.waited_s += statement.last_wait(self._answered_s)
            if statement.named_s:
                self.blockers = ()
        self._statement = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Observe while the block lasts, which runs in a greenlet."""
        task = asyncio.ensure_future(self._observe())
        try:
            yield
        finally:
            await_only(self._second.end(task))

    async def _observe(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._is_slow():
                continue
            with contextlib.suppress(*DATABASE_ERRORS):
                async with self._second.opened() as connection:
                    while True:
                        await greenlet_spawn(self._look, connection)
                        await asyncio.sleep(LOOK_EVERY_S)
            # Nobody finds out when they have ended.
            self.blockers = ()
            await asyncio.sleep(PATIENT_LOOK_EVERY_S)

    def _is_slow(self) -> bool:
        statement = self._statement
        return statement is not None and time.monotonic() - statement.since_s >= SLOW_AFTER_S

    def _look(self, connection: Connection) -> None:
        statement, now_s = self._statement, time.monotonic()
        if statement is None:
            if self.pauses and self.blockers and now_s - self._asked_s >= ASK_EVERY_S:
                self._asked_s = now_s
                self._ask(connection, self.blockers)
        elif statement.bound_s is not None or now_s - statement.looked_s >= PATIENT_LOOK_EVERY_S:
            self._look_at(connection, statement)

    def _look_at(self, connection: Connection, statement: Statement) -> None:
        wait = waits.lock_wait(connection, self.pid)
        now_s = time.monotonic()
        if statement is not self._statement:
            return
        self.waited_s += statement.wait(wait, now_s)
        found: tuple[Blocker, ...] = ()
        if wait is not None and statement.named_s < max(
            now_s - wait.seconds, now_s - PATIENT_LOOK_EVERY_S
        ):
            statement.named_s = now_s
            found = blockers(connection, self.pid)
            self.blockers = found or self.blockers
        if statement is not self._statement:
            return
        running_s = now_s - statement.since_s
        if now_s - statement.seen_s >= SEE_EVERY_S:
            statement.seen_s = now_s
            done = progress(connection, self.pid) if wait is None else None
            waits_for = self.blockers if wait is not None else ()
            self._listen(StatementSeen(shape(statement.sql), running_s, done, waits_for))
        if running_s >= self._warn_after_s and (found or wait is None):
            self._tell(connection, running_s, statement, found)
        if statement.bound_s is not None and statement.others_wait:
            self._end_in_time(connection, statement, statement.bound_s)

    def _end_in_time(self, connection: Connection, statement: Statement, bound_s: float) -> None:
        """End the statement when others have waited for long enough; the server keeps the time."""
        began_s = time.monotonic()
        left_s = bound_s - self.waited_s - (began_s - statement.looked_s)
        if left_s > LAST_S:
            return
        self._ends_s = began_s + left_s
        waits.end_wait(connection, self.pid, max(left_s, 0.0))
        if statement is self._statement:
            self.waited_s += time.monotonic() - statement.looked_s
            statement.looked_s, statement.others_wait = time.monotonic(), False

    def _tell(
        self,
        connection: Connection,
        running_s: float,
        statement: Statement,
        found: tuple[Blocker, ...],
    ) -> None:
        about = tuple(blocker.pid for blocker in found)
        if time.monotonic() - self._told_s < statement.silence_s and about == self._told_about:
            return
        if found:
            self._listen(StatementWaiting(running_s, found))
        else:
            done = progress(connection, self.pid)
            if done is None and running_s < TELL_AGAIN_S:
                return
            self._listen(StatementRunning(running_s, done))
        if about == self._told_about and self._told_s >= statement.since_s:
            statement.silence_s = min(statement.silence_s * 2, LONGEST_SILENCE_S)
        self._told_s, self._told_about = time.monotonic(), about

    def _ask(self, connection: Connection, asked: tuple[Blocker, ...]) -> None:
        """Forget the blockers where their transactions have ended."""
        if self._passed is not asked:
            self._passed = asked
            with contextlib.suppress(DBAPIError):
                waits.yield_of_autovacuum(connection, [blocker.pid for blocker in asked])
        numbers = [blocker.transaction for blocker in asked if blocker.transaction is not None]
        if (not numbers or waits.have_ended(connection, numbers)) and self.blockers is asked:
            self.blockers = ()
