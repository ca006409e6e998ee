"""RevisionTransaction supervises the transaction of the running revision.

It listens to SQLAlchemy's events. Each statement is counted, the observer hears of it, and
LockTimeout bounds its wait. Refused are a commit before the revision's own rows are written, a
rollback, a second connection, and any statement next to a step that runs outside the transaction. A
statement that shows by its first word that it ends the transaction is not sent. For all others the
server is asked, by the id of the transaction, whether it is still the one that began.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Connection

from surefoot.compat.alembic import renew_transaction
from surefoot.connect import sender
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.sender import own
from surefoot.errors import CommitsByItself, ConnectsByItself, MixedRevision
from surefoot.ledger.table import NOTHING
from surefoot.operations.lock_class import ends_transaction, sets_nothing
from surefoot.run.listeners import listening
from surefoot.run.question import ask
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.sent import Sent
from surefoot.run.upgrade.lock_timeout import LockTimeout
from surefoot.run.upgrade.messages import Messages
from surefoot.run.upgrade.outcome import in_words, outcome
from surefoot.run.upgrade.past import PastRevision, end_autocommit
from surefoot.run.upgrade.stretch import Stretch

_ID = "SELECT pg_current_xact_id()::text"


class RevisionTransaction:
    """Tracks how far the running revision is, and what survives if it stops now."""

    # Whether a statement of the run is under way.
    _own = False
    # Whether all statements of the revision begin as those that set nothing.
    is_plain = False

    def __init__(self, run: Run, stretch: Stretch) -> None:
        self._run, self._connection, self._recorder = run, run.connection, run.recorder
        self._stretch = stretch
        self.lock_timeout = LockTimeout(run, self.unobserved)
        self.messages = Messages(run, self.lock_timeout, self.unobserved)
        self.begin()

    def begin(self, past: PastRevision | None = None) -> None:
        """A revision, or another attempt, begins; one of the past may leave its transaction."""
        self._past = past
        self._recorder.sent = Sent()
        self._run.observer.attempt_begins()
        if not self._stretch.rows:
            self.lock_timeout.reset()
        # Whether it has left its transaction for a step, which has begun, which is done.
        self.outside = self._stepping = self._stepped = False
        # Whether it may commit: all of it is written; whether it has rolled back by itself.
        self.is_complete = self._rolled_back = False
        # The server's id of the transaction; whether it was seen that it has ended, and at once.
        self._identity: str | None = None
        self.is_left = self._left_at_once = False

    def identify(self, guard: Callable[..., str] | None = None) -> None:
        """Ask the server which transaction the revision begins in, or the guard that does."""
        stretch, running = self._stretch, self._recorder.running
        with self.unobserved():
            if stretch.rows:
                # Most revisions set nothing, and seldom a trigger does; the end of a stretch looks.
                if not self.is_plain:
                    self.messages.restore()
                self._identity = stretch.go_on()
            else:
                # In the message that is sent anyway: most revisions need this one.
                timeout = self.lock_timeout.setting("short", is_local=True)
                if running is not None and stretch.may_have(running):
                    guard = partial(stretch.begin, running)
                self._identity = guard(*timeout) if guard else ask(self._connection, *timeout, _ID)
            if self._past is not None:
                self._past.begins()
        self._recorder.sent, self.is_plain = Sent(), True

    def kept(self, *, lost: bool = False) -> str:
        """The part of the running revision that is kept after it failed, in words for an error."""
        lost = lost or self._connection.invalidated  # SQLAlchemy would connect again
        if self._past is not None and self.has_left:
            self.roll_back()
            return self._past.kept(lost=lost)
        if self._stepping:
            return "what its step has left, which another attempt repairs"
        if self.outside or self._identity is None or (lost and not self.is_complete):
            return NOTHING
        # The server knows; a connection that was lost is missed where the commit was under way.
        if not lost:
            self.roll_back()
        in_time = self._run.interruption.requested
        with self.unobserved():
            ended = outcome(self._connection, self._identity, lost=lost, in_time=in_time)
        if ended == "committed" and self.is_complete:
            self._recorder.committed()
        return in_words(ended, self.is_complete, self.is_left and not self._left_at_once)

    @property
    def has_left(self) -> bool:
        """Whether it is a revision of the past that has left its transaction."""
        return self._past is not None and self._past.left

    def _is_left(self) -> bool:
        """Whether the server is in no transaction, by its last answer; once closed, it has none."""
        driver: Any = self._connection.connection.driver_connection
        is_over = self.outside or self._rolled_back or self._stretch.batching.is_waiting
        if self._identity is None or is_over or driver is None:
            return False
        self.is_left |= not (driver.is_in_transaction() or driver.is_closed())
        return self.is_left

    def complete(
        self,
        revision: str,
        guard: Callable[[str | None], bool],
        rows: Callable[[str | None], Sequence[str]],
    ) -> None:
        """The revision has run: write the `rows` about it with its commit, if it is to commit.

        Both get the id of its transaction, None where it has run a step outside of that; `guard`
        returns False in another one. On failure: CommitsByItself, where it has left its own.
        """
        identity = None if self.outside else self._identity
        self.is_left = self._is_left() or not (self._rolled_back or guard(identity))
        if self._rolled_back or self.is_left:
            raise CommitsByItself(revision)
        if statements := rows(identity):
            self.messages.write(statements)
        self.is_complete = True

    def leave(self) -> PlannedRevision:
        """The running revision leaves its transaction for one step, and does not return to it.

        On failure: MixedRevision, where it has run another statement before.
        """
        running = self._recorder.running
        if running is None or self._recorder.sent.count or self.outside:
            raise MixedRevision(running.revision if running else "?")
        self.outside = True
        return running

    def step_begins(self) -> None:
        """From now on the step outside the transaction may change something."""
        self._stepping = True

    def step_done(self) -> None:
        """The step outside the transaction is done."""
        self._recorder.sent.only_step()
        self._stepped = True

    def roll_back(self) -> None:
        """Roll back after an error, also where the connection is lost."""
        self._run.observer.attempt_begins()
        self.lock_timeout.reset()
        self._stretch.clear()
        with contextlib.suppress(*DATABASE_ERRORS), self.unobserved():
            self._connection.rollback()
            if self._past is not None and not self._connection.invalidated:
                end_autocommit(self._connection)
                self.messages.restore()
                self._past.failed()
                self._connection.commit()

    def function_done(self, ctx: MigrationContext) -> None:
        """The function has run; one of the past may have left its transaction."""
        if self._past is None:
            return
        with self.unobserved():
            if self._past.is_outside_at_its_end():
                renew_transaction(ctx)
                # The rows that follow are one transaction; nobody compares its id.
                self._identity, self._rolled_back, self.is_left = None, False, False

    def restore(self, *rows: str) -> bool:
        """Undo what the revision has set, and write rows; False where one does not write one row.

        Nothing happens where the revision has left its transaction.
        """
        return self._rolled_back or self._is_left() or self.messages.restore(*rows)

    @contextlib.contextmanager
    def unobserved(self) -> Iterator[None]:
        """Statements of the library, which are no part of the revision."""
        before, self._own = self._own, True
        try:
            with own():
                yield
        finally:
            self._own = before

    @contextlib.contextmanager
    def observed(self) -> Iterator[None]:
        """Follow each statement, and give each the lock timeout of its class."""
        self._task = asyncio.current_task()
        connection = self._connection
        with listening(
            (connection, "before_cursor_execute", self._statement_is_sent),
            (connection, "after_cursor_execute", self._statement_ends),
            (connection, "commit", self._commits),
            (connection, "rollback", self._rolls_back),
            (connection.engine, "engine_connect", self._connects),
        ):
            yield

    def _statement_is_sent(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _: Any, many: bool
    ) -> tuple[str, Any]:
        if not self._own and (past := self._past) is not None:
            with self.unobserved():
                if instead := past.replaced(statement, parameters):
                    return instead, [()] if many else ()
        self._statement_begins(statement)
        return statement, parameters

    def _statement_begins(self, statement: str) -> None:
        if self._own:
            return
        self._run.interruption.check()
        self._stretch.check(statement)
        running = self._recorder.running
        ending = ends_transaction(statement)
        self.is_plain = self.is_plain and sets_nothing(statement)
        if self._past is not None and (ending is None or "PREPARE" not in ending):
            if ending is not None:
                self._leave_past()
        elif running is not None and (ending is not None or self._is_left()):
            raise CommitsByItself(running.revision)
        if running is not None and self._stepped and sender.revision() is not None:
            raise MixedRevision(running.revision)
        limit = self.lock_timeout
        wanted = limit.class_in_step(statement) if self.outside else limit.class_of(statement)
        if running is not None and (not self.outside or sender.revision() is not None):
            limit.limit(wanted, is_local=not (self.has_left or self.outside))
        bound_s = limit.bound_s if wanted == "short" else None
        self._run.observer.statement_begins(bound_s, statement)
        self._recorder.sent.begins(statement)

    def _statement_ends(self, _connection: Any, cursor: Any, *_: Any) -> None:
        if self._own:
            return
        self._run.observer.statement_ends()
        self._recorder.sent.ends(self._stretch.batching.when_answered)
        running = self._recorder.running
        if self._past is not None:
            if self._past.ended(cursor.rowcount):
                self._leave_past()
        elif running is not None and self._is_left():
            self._left_at_once = True
            raise CommitsByItself(running.revision)

    def _leave_past(self) -> None:
        """A revision of the past commits, or has: its changes are kept, its locks are gone."""
        if self._past is not None:
            with self.unobserved():
                self._past.leaves()
            self._run.observer.attempt_begins()
            self.lock_timeout.forget()

    def _connects(self, connection: Connection) -> None:
        """Another connection of the engine; the observer's are in a task of their own."""
        running = self._recorder.running
        if running is not None and not self._own and asyncio.current_task() is self._task:
            with self.unobserved():
                if self._past is None or not self._past.connects():
                    connection.close()
                    raise ConnectsByItself(running.revision)
            self._run.interruption.watch(connection)

    def _commits(self, connection: Connection) -> None:
        running = self._recorder.running
        if self._past is not None and not self.is_complete:
            if not self._own:
                self._leave_past()
                self._past.was_outside = False
            return
        if running is None or self.outside:
            return
        if not self.is_complete:
            # SQLAlchemy takes the transaction for ended; whatever came next would commit it.
            connection.connection.rollback()
            raise CommitsByItself(running.revision)
        # The rows are written, deferred constraints checked: both may wait for locks.
        self._run.observer.statement_begins(self.lock_timeout.bound_s, "COMMIT")

    def _rolls_back(self, _connection: Connection) -> None:
        # After an error as well; then `complete` is not called.
        self._rolled_back = True
        if self._past is not None and not self._own:
            self._past.undone()
