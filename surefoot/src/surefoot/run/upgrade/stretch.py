"""Stretch is the revisions that commit together, in a run that began on an empty database.

Nobody waits for a table that was not there. So the revisions share a transaction, and the version
table and the ledger are written once, at its end: a crash leaves the database at its begin or at
its end. It ends before a revision that needs a transaction of its own, and before it holds too many
of the locks that the server has room for. From the second one on others may know the tables: it
then also ends after the time that they may wait for a lock, and in production there is none.

A revision that fails behind others may fail for their sake: a value of an enum cannot be used in
the transaction that adds it. All is rolled back, and runs again with a transaction that begins
there. Only then does its failure count. DDL of the first transaction is sent in batches; where one
of these fails, all runs again without.
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from surefoot.connect import sender
from surefoot.connect.failures import CANCELLED, is_lost, sqlstate
from surefoot.errors import Interrupted
from surefoot.ledger.appending import Timed
from surefoot.ledger.table import Entry
from surefoot.run.guards.admission import Session
from surefoot.run.question import ask, may_be_shared
from surefoot.run.recorder import Recorder
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.session_settings import READ, SessionSettings
from surefoot.run.upgrade.batching import Batching
from surefoot.run.upgrade.timed_out import timed_out

# Until the rows of the revisions are written, a commit fails: these two are not unique.
_TABLE = "surefoot_unfinished"
_UNFINISHED = (
    f"CREATE TEMPORARY TABLE {_TABLE} (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP",
    f"INSERT INTO pg_temp.{_TABLE} VALUES (1), (1)",  # noqa: S608 - a constant
)
_FINISHED = f"DELETE FROM pg_temp.{_TABLE}"  # noqa: S608 - a constant
_BEGIN = """
SELECT pg_current_xact_id()::text || ' ' || extract(epoch FROM clock_timestamp())::text
"""
_LOCKS = "SELECT count(*)::text FROM pg_catalog.pg_locks WHERE pid = pg_backend_pid()"
# The part of the server's locks that one transaction may hold: others need some, too.
_SHARE = 0.25
# Counting them reads all of them, so it comes seldom: after so many statements, and while it holds
# less than half of that, when as many again have run, but after so many at the latest.
_COUNT_EVERY, _COUNT_FEW_EVERY = 10, 200
_EVENT_TRIGGER = re.compile(r"event\s+trigger")


class SettingsLeft(Exception):
    """One of the revisions has left a setting to those behind it."""


class PlaceAsked(Exception):
    """A revision asks where the database is, which is written at the end of the transaction."""


class Stretch:
    """The revisions of the transaction that is open, and when it is to end."""

    def __init__(self, run: Run, *, is_wanted: bool) -> None:
        self._run, self._connection = run, run.connection
        self._is_on = is_wanted and run.together and run.command == "upgrade"
        self._is_first = True
        self._most_locks = 0.0
        self._place = run.project.version_table.name.lower()
        # Whether a function or a view may tell it: from then on any statement may ask.
        self._is_told = False
        # Those that need a transaction of their own, or to begin one.
        self._apart: set[str] = set()
        self.batching = Batching(run, self.may_have)
        self.clear()

    def clear(self) -> None:
        """No revision has begun in the transaction, or it was rolled back."""
        # The rows of its revisions, and where the database was before it.
        self.rows: list[Timed] = []
        self.before: tuple[str, ...] = ()
        self.identity = ""
        # Whether it stays open behind the revision that has run.
        self.lasts = False
        self._locks, self._statements, self._count_at = 0, 0, _COUNT_EVERY

    def allow(self, session: Session, apart: Iterable[str]) -> None:
        """Allow it where the session does; the revisions `apart` have their own transactions."""
        self._is_on &= session.may_share and may_be_shared(self._connection)
        self._most_locks = session.lock_slots * _SHARE
        self._apart.update(apart)
        # A listener of the project hears of an error with the statement that it was of.
        if session.has_event_triggers or self._connection.dialect.dispatch.handle_error:
            self.batching.send_each()

    @contextmanager
    def batches(self) -> Iterator[None]:
        """For the block, send DDL of the first transaction in batches."""
        if self.is_of_nobody:
            with self.batching.on():
                yield
        else:
            yield

    def may_have(self, about: PlannedRevision) -> bool:
        """Whether the revision may be in a transaction with others."""
        is_limited = self._run.limits.production and not self._is_first
        return self._is_on and not is_limited and about.revision not in self._apart

    @property
    def is_of_nobody(self) -> bool:
        """Whether all rows that there are were made by this transaction."""
        return self._is_first and self._is_on

    def begin(self, about: PlannedRevision, *settings: str) -> str:
        """Begin with a revision, and such settings; the id of the transaction."""
        answer = ask(self._connection, *settings, *_UNFINISHED, _BEGIN)
        self.identity, now_s = str(answer).split()
        # The server's clock, by that of the machine.
        self._began_s, self._ahead_s = time.monotonic(), float(now_s) - time.monotonic()
        self.before, self._started_s = about.before, self._began_s
        return self.identity

    def go_on(self) -> str:
        """Begin the next revision, whose settings seem to be those before the last; the id."""
        count = self._statements
        if count >= self._count_at:
            self._locks = int(str(self._ask(_LOCKS)))
            are_few = self._locks * 2 < self._most_locks
            self._count_at = count + (min(count, _COUNT_FEW_EVERY) if are_few else _COUNT_EVERY)
        self._started_s = time.monotonic()
        return self.identity

    def check(self, statement: str) -> None:
        """On failure: PlaceAsked, where a revision asks for rows that are not written yet."""
        text = statement.lower()
        if _EVENT_TRIGGER.search(text):
            self.batching.send_each()
        if self._place not in text or sender.revision() is None:
            return
        self._is_told |= "create" in text
        if self.rows:
            raise PlaceAsked

    def add(self, entries: Iterable[Entry]) -> None:
        """The running revision has run, with these rows."""
        rows = [Timed(entry, self._at(self._started_s)) for entry in entries]
        self.rows += rows
        self._statements += sum(row.entry.statements for row in rows)

        def finish(at_s: float) -> None:
            for row in rows:
                row.finished_s = self._at(at_s)

        self.batching.when_answered(finish)

    def _at(self, at_s: float) -> str:
        return f"{at_s + self._ahead_s:.6f}"

    def goes_on_with(self, following: PlannedRevision | None) -> bool:
        """Whether the next revision is to be in it, too."""
        lasted_s = time.monotonic() - self._began_s
        self.lasts = (
            following is not None
            and self.may_have(following)
            and (self._is_first or lasted_s < self._run.limits.lock_timeout_s)
            and self._locks <= self._most_locks
            and not self._is_told
        )
        return self.lasts

    def end(self) -> Sequence[str]:
        """Wait until its statements are done; the statements that end it, beside its rows.

        On failure: SettingsLeft.
        """
        if len(self.rows) > 1 or self.batching.is_waiting:
            found = SessionSettings.of(self._ask(READ))
            differs = found.but("lock_timeout") != self._run.settings.but("lock_timeout")
            if len(self.rows) > 1 and differs:
                raise SettingsLeft
        return (_FINISHED,)

    def _ask(self, query: str) -> str | None:
        """Ask; the answer comes behind those of statements that were put off."""
        self._run.observer.statement_begins(None)
        found = ask(self._connection, query)
        self._run.observer.statement_ends()
        return found

    def committed(self, recorder: Recorder) -> None:
        """It has ended, and the recorder tells of its revisions."""
        self._is_first = False
        self.batching.stop()
        self.clear()
        recorder.committed()

    def splits_at(self, error: Exception, running: PlannedRevision | None) -> bool:
        """Whether to roll it back and run it again, with a transaction that begins at `running`."""
        asks = isinstance(error, PlaceAsked) or self._is_in_the_way(error)
        if asks and running is not None:
            self._apart.add(running.revision)
            return True
        if isinstance(error, Interrupted):
            return False
        if self._is_in_batch(error):
            self.batching.stop()
            return True
        if not self.rows or is_lost(error) or self._is_stopped(error):
            return False
        done = [row.entry.revision for row in self.rows]
        if running is None or running.revision in done:
            self._apart.update(done)  # it failed at its commit, and nobody knows for which
        else:
            # The one before it may have left its transaction in an error.
            self._apart.update((done[-1], running.revision))
        return True

    def _is_in_batch(self, error: Exception) -> bool:
        """Whether a statement of a batch may have failed, and would fail by itself.

        One that has no answer may have failed before an error of the program.
        """
        if is_lost(error):
            return False
        if self.batching.failed:
            return not self._is_stopped(error) or timed_out(self._connection, error)
        return self.batching.is_waiting and not self.rows

    def _is_stopped(self, error: Exception) -> bool:
        """Whether somebody wants the statement to end."""
        return sqlstate(error) == CANCELLED and not self._run.observer.has_ended_wait

    def _is_in_the_way(self, error: Exception) -> bool:
        """Whether the rows of `_UNFINISHED` have failed, and not a commit that they are to stop.

        `SET CONSTRAINTS ALL IMMEDIATE` checks them, too, and leaves the transaction open.
        """
        if self.rows or _TABLE not in str(error) or self._connection.invalidated:
            return False
        driver: Any = self._connection.connection.driver_connection
        return not driver.is_closed() and bool(driver.is_in_transaction())
