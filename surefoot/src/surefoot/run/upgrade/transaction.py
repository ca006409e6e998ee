"""RevisionTransaction supervises the transaction of the running revision.

It listens to SQLAlchemy's events. Each statement is counted, the observer hears of it, and
LockTimeout bounds its wait. Refused are a commit before the revision's own rows are written, a
rollback, a second connection, and any statement next to a step that runs outside the transaction. A
statement that shows by its first word that it ends the transaction is not sent. For all others the
server is asked, by the id of the transaction, whether it is still the one that began.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from surefoot.compat.alembic import renew_transaction
from surefoot.connect import sender
from surefoot.connect.sender import own
from surefoot.errors import CommitsByItself, ConnectsByItself, MixedRevision
from surefoot.operations.lock_class import without_comments
from surefoot.run.listeners import listening
from surefoot.run.question import ask, send
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.upgrade.lock_timeout import LockTimeout
from surefoot.run.upgrade.outcome import EVERYTHING, NOTHING, outcome
from surefoot.run.upgrade.past import PastRevision, end_autocommit

_ID = "SELECT pg_current_xact_id()::text"
# The time for a server to answer about a transaction, where the run is to end.
ANSWER_S = 1.0
_ENDS_A_TRANSACTION = re.compile(
    r"\s*(?:COMMIT|END|ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b(?!\s+TO\b)", re.IGNORECASE
)


class RevisionTransaction:
    """Tracks how far the running revision is, and what survives if it stops now."""

    # Whether a statement of the run is under way.
    _own = False

    def __init__(self, run: Run) -> None:
        self._run, self._connection, self._recorder = run, run.connection, run.recorder
        self.lock_timeout = LockTimeout(run, self.unobserved)
        self.begin()

    def begin(self, past: PastRevision | None = None) -> None:
        """A revision begins in a transaction of its own; one of the past may leave it."""
        self._past = past
        self._recorder.statements = 0
        self._run.observer.attempt_begins()
        self.lock_timeout.reset()
        # Whether it has left its transaction for a step that needs that, which has begun, which is
        # done: only the rows about it may follow.
        self.outside = self._stepping = self._stepped = False
        # Whether it may commit: the whole revision, its rows included, is written; and whether it
        # has rolled back by itself.
        self._complete = self._rolled_back = False
        # The server's id of the transaction; whether it was seen that it is another one now, and
        # whether that was at the end of the one statement that ended it.
        self._identity: str | None = None
        self._left = self._left_at_once = False

    def identify(self, guard: Callable[..., str] | None = None) -> None:
        """Ask the server which transaction the revision begins in, or the guard that does."""
        with self.unobserved():
            # In the message that is sent anyway: most revisions need this one.
            timeout = self.lock_timeout.setting("short", is_local=True)
            self._identity = guard(*timeout) if guard else ask(self._connection, *timeout, _ID)
            if self._past is not None:
                self._past.begins()
        self._recorder.statements = 0

    def kept(self, *, lost: bool = False) -> str:
        """The part of the running revision that is kept after it failed, in words for an error."""
        # SQLAlchemy would connect again, to a session without the mutex.
        lost = lost or self._connection.invalidated
        if self._past is not None and self.has_left:
            self.roll_back()
            return self._past.kept(lost=lost)
        if self._stepping:
            return "what its step has left, which the same command repairs"
        if self.outside or self._identity is None or (lost and not self._complete):
            return NOTHING
        # The server knows; a connection that was lost is missed where the commit was under way.
        if not lost:
            self.roll_back()
        # Who wants the run to end has not the time of another connection to a dead network.
        within_s = ANSWER_S if self._run.interruption.requested else None
        with self.unobserved():
            ended = outcome(self._connection, self._identity, lost=lost, within_s=within_s)
        if ended == "committed":
            return EVERYTHING if self._complete else "what it did before it committed by itself"
        if ended == "aborted":
            is_known = self._left_at_once or not self._left
            return NOTHING if is_known else "not known: it ended its transaction by itself"
        return "all or nothing: its commit was under way" if self._complete else "not known"

    @property
    def has_left(self) -> bool:
        """Whether it is a revision of the past that has left its transaction."""
        return self._past is not None and self._past.left

    def _is_left(self) -> bool:
        """Whether the server is in no transaction, by its last answer."""
        driver: Any = self._connection.connection.driver_connection
        if self._identity is None or self.outside or self._rolled_back or driver is None:
            return False
        # A connection that was closed has no last answer.
        self._left = self._left or (not driver.is_closed() and not driver.is_in_transaction())
        return self._left

    def look_again(self) -> None:
        """Alembic is about to read its version table, before a revision begins or begins again."""
        self._recorder.statements, self._stepped = 0, False
        self._run.observer.attempt_begins()

    def complete(self, revision: str, *writes: Callable[[str | None], bool]) -> None:
        """The revision has run; write what commits with it.

        Each of `writes` gets the id of the transaction, None for one outside of which the revision
        has run a step. It writes nothing and returns False where it is in another transaction.

        On failure: CommitsByItself, where it is.
        """
        identity = None if self.outside else self._identity
        self._left = self._is_left() or not (
            self._rolled_back or all(write(identity) for write in writes)
        )
        if self._rolled_back or self._left:
            raise CommitsByItself(revision)
        self._complete = True

    def leave(self) -> PlannedRevision:
        """The running revision leaves its transaction for one step, and does not return to it.

        On failure: MixedRevision, where it has run another statement before.
        """
        running = self._recorder.running
        if running is None or self._recorder.statements or self.outside:
            raise MixedRevision(running.revision if running else "?")
        self.outside = True
        return running

    def step_begins(self) -> None:
        """From now on the step outside the transaction may change something."""
        self._stepping = True

    def step_done(self) -> None:
        """The step outside the transaction is done."""
        self._recorder.statements = 1
        self._stepped = True

    def roll_back(self) -> None:
        """Roll back after an error, also where the connection is lost."""
        self._run.observer.attempt_begins()
        self.lock_timeout.reset()
        with contextlib.suppress(SQLAlchemyError), self.unobserved():
            self._connection.rollback()
            if self._past is not None and not self._connection.invalidated:
                end_autocommit(self._connection)
                self._restore_settings()
                self._past.failed()
                self._connection.commit()

    def function_done(self, ctx: MigrationContext, rows: Sequence[str]) -> bool:
        """The function has run: undo what it has set, and write the rows; False where one fails."""
        if self._past is not None:
            self._past.ends()
            if self._past.left or self._past.resumed:
                with self.unobserved():  # the changes since the last commit are kept with the row
                    self._past.leaves()
                    self._connection.commit()
                    end_autocommit(self._connection)
                    renew_transaction(ctx)
                # The rows that follow are one transaction; nobody compares its id.
                self._identity, self._rolled_back, self._left = None, False, False
        if self._rolled_back or self._is_left():
            return True
        self._run.observer.statement_begins(self.lock_timeout.bound_s)
        is_written = self._restore_settings(*rows)
        self._run.observer.statement_ends()
        return is_written

    def _restore_settings(self, *rows: str) -> bool:
        restored = self._run.settings.restored(but_counts=self._run.limits.production)
        self.lock_timeout.reset()
        timeout = self.lock_timeout.setting("short", is_local=True) if rows else ()
        messages = ((*restored, *timeout, *rows[:1]), *((row,) for row in rows[1:]))
        with self.unobserved():
            return all(send(self._connection, *each) == 1 for each in messages) or not rows

    @contextmanager
    def unobserved(self) -> Iterator[None]:
        """Statements of the library, which are no part of the revision."""
        before, self._own = self._own, True
        try:
            with own():
                yield
        finally:
            self._own = before

    @contextmanager
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
        self, _connection: Any, cursor: Any, statement: str, parameters: Any, _: Any, many: bool
    ) -> tuple[str, Any]:
        if not self._own and (past := self._past) is not None:
            with self.unobserved():
                if instead := past.replaced(statement, parameters):
                    return instead, [()] if many else ()
        self._statement_begins(cursor, statement)
        return statement, parameters

    def _statement_begins(self, cursor: Any, statement: str) -> None:
        if self._own:
            return
        self._run.interruption.check()
        running = self._recorder.running
        ending = _ENDS_A_TRANSACTION.match(without_comments(statement))
        if self._past is not None and (ending is None or "PREPARE" not in ending[0].upper()):
            if ending is not None:
                self._leave_past()
        elif running is not None and (ending is not None or self._is_left()):
            raise CommitsByItself(running.revision)
        if running is not None and self._stepped and sender.revision() is not None:
            raise MixedRevision(running.revision)
        timeout = self.lock_timeout
        wanted = timeout.step_class if self.outside else timeout.class_of(statement, cursor)
        if running is not None and not self.outside:
            timeout.limit(wanted, cursor, is_local=not self.has_left)
        self._run.observer.statement_begins(timeout.bound_s if wanted == "short" else None)

    def _statement_ends(self, _connection: Any, cursor: Any, *_: Any) -> None:
        if self._own:
            return
        self._run.observer.statement_ends()
        self._recorder.statements += 1
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
            connection.close()
            raise ConnectsByItself(running.revision)

    def _commits(self, connection: Connection) -> None:
        running = self._recorder.running
        if self._past is not None and not self._complete:
            if not self._own:
                self._leave_past()
                self._past.was_outside = False
            return
        if running is None or self.outside:
            return
        if not self._complete:
            # SQLAlchemy takes the transaction for ended; whatever came next would commit it.
            connection.connection.rollback()
            raise CommitsByItself(running.revision)
        # Deferred constraints are checked now, and may wait for locks.
        self._run.observer.statement_begins(self.lock_timeout.bound_s)

    def _rolls_back(self, _connection: Connection) -> None:
        # After an error as well; then `complete` is not called.
        self._rolled_back = True
        if self._past is not None and not self._own:
            self._past.undone()
