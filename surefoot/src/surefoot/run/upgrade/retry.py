"""Retries repeats work that could not get a lock, within a budget.

An attempt queues for a moment only, and learns who blocks. The next one begins once these
transactions have ended; meanwhile nobody waits behind the run.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.connect.failures import (
    CANCELLED,
    DEADLOCK,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
    sqlstate,
)
from surefoot.errors import LockBlocked
from surefoot.errors.temporary import Cause
from surefoot.operations.lock_class import LockClass
from surefoot.run.events import Blocked
from surefoot.run.locks.pause import announced
from surefoot.run.question import is_gone
from surefoot.run.run import Run
from surefoot.run.sessions import Blocker
from surefoot.run.upgrade.closing import Closing
from surefoot.run.upgrade.stretch import Stretch
from surefoot.run.upgrade.transaction import RevisionTransaction

CAUSES: Mapping[str | None, Cause] = {
    LOCK_NOT_AVAILABLE: "lock timeout",
    DEADLOCK: "deadlock",
    SERIALIZATION_FAILURE: "conflict",
}
ASK_EVERY_S = 0.05
_T = TypeVar("_T")


def delays(first_s: float, longest_s: float, rng: random.Random | None = None) -> Iterator[float]:
    """The least seconds to wait before each further attempt.

    Each is twice the one before, times a random factor between a half and one, so that runs that
    met at one lock do not meet again.
    """
    rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
    step_s = first_s
    while True:
        yield step_s * rng.uniform(0.5, 1.0)
        step_s = min(step_s * 2, longest_s)


class Retries:
    """Repeats work that met another session, until its budget is used up.

    On failure: LockBlocked then; Interrupted, where somebody asked; the other errors of the work.
    """

    def __init__(
        self, run: Run, transaction: RevisionTransaction, stretch: Stretch, closing: Closing
    ) -> None:
        self._run, self._transaction, self._recorder = run, transaction, run.recorder
        self._stretch, self._closing = stretch, closing
        self._table = run.project.version_table.name
        # The revision or table that is being retried.
        self._unit = ""

    def begin(self, revision: str) -> None:
        """A revision begins; attempts are counted for each revision."""
        if revision != self._unit:
            self._recorder.attempts = 1

    def revisions(self, attempt: Callable[[], None]) -> None:
        """Run revisions; one that is committed does not run again."""
        self._repeat(lambda: self._attempt(attempt), self._running, self._transaction.roll_back)

    def _attempt(self, attempt: Callable[[], None]) -> None:
        """Run them; where several share a transaction, as often as their stretch has to split.

        And once again where the statement that writes a row was dropped.
        """
        while True:
            # Alembic is about to read its version table.
            self._transaction.begin()
            try:
                return attempt()
            except Exception as error:
                refusal = self._closing.refusal(error)
                is_left, running = self._transaction.is_left, self._recorder.running
                with self._transaction.unobserved():
                    splits = not is_left and (
                        self._closing.keeps_no_more(error)
                        or self._stretch.splits_at(refusal or error, running)
                    )
                if splits:
                    self._transaction.roll_back()
                    self._run.interruption.check()
                if not splits or is_gone(self._run.connection):
                    if refusal is None:
                        raise
                    raise refusal from None

    def step(
        self, revision: str, lock_class: LockClass, part: Callable[[Connection], None]
    ) -> None:
        """Run a part of a step outside a transaction, with the lock timeout of a class.

        Nothing is rolled back between two tries: there is no transaction, and the step starts from
        what the try before it left.
        """

        def work() -> None:
            with self._transaction.lock_timeout.step(lock_class):
                part(self._run.connection)

        self._repeat(work, lambda: revision, self._run.observer.attempt_begins)

    def look(self, look: Callable[[], _T]) -> _T:
        """Read the version table and the ledger, which another session may have locked."""

        def work() -> _T:
            self._run.observer.statement_begins(self._run.limits.lock_timeout_s)
            found = look()
            self._run.observer.statement_ends()
            return found

        return self._repeat(work, lambda: self._table, self._transaction.roll_back)

    def _repeat(
        self, work: Callable[[], _T], unit: Callable[[], str], clean_up: Callable[[], None]
    ) -> _T:
        """Try until the work has its locks, or the budget of its unit is used up."""
        limits, waiting_for = self._run.limits, ""
        while True:
            try:
                return work()
            except DBAPIError as error:
                cause, blockers = self._cause(error), self._run.observer.blockers
                clean_up()
                self._run.interruption.check()
                if cause is None or self._run.connection.invalidated:
                    raise
                self._unit = unit()
                if self._unit != waiting_for:
                    waiting_for, left_s = self._unit, limits.lock_budget_s
                    schedule = delays(limits.retry_first_s, limits.retry_longest_s)
                least_s = min(next(schedule), left_s)
                most_s = min(limits.retry_longest_s, left_s) if blockers else least_s
                self._blocked(cause, blockers, most_s if left_s > 0 else None)
                if left_s <= 0:
                    raise self._gave_up(cause, blockers) from error
                statement = error.statement or "COMMIT"
            with announced(self._run.connection, statement, blockers):
                left_s -= self._pause(least_s, most_s)
            self._recorder.attempts += 1

    def _cause(self, error: DBAPIError) -> Cause | None:
        """Why another attempt may succeed; None where it would not."""
        state = sqlstate(error)
        if state == CANCELLED and self._run.observer.has_ended_wait:
            return "lock timeout"
        return CAUSES.get(state)

    def _pause(self, least_s: float, most_s: float) -> float:
        """Wait until the blockers' transactions have ended; the seconds that took."""
        began_s, observer = time.monotonic(), self._run.observer
        observer.pauses = True
        self._run.interruption.sleep(least_s)
        while observer.blockers and (left_s := began_s + most_s - time.monotonic()) > 0:
            self._run.interruption.sleep(min(left_s, ASK_EVERY_S))
        observer.pauses = False
        return time.monotonic() - began_s

    def _running(self) -> str:
        # Before the first revision Alembic reads its version table, or creates it.
        running = self._recorder.running
        return running.revision if running is not None else self._table

    def _blocked(
        self, cause: Cause, blockers: tuple[Blocker, ...], retry_in_s: float | None
    ) -> None:
        attempts = self._recorder.attempts
        outside = self._transaction.outside or self._transaction.has_left
        self._run.telemetry.lock_blocked(self._unit, attempts)
        self._recorder.listen(Blocked(self._unit, blockers, attempts, retry_in_s, cause, outside))

    def _gave_up(self, cause: Cause, blockers: tuple[Blocker, ...]) -> LockBlocked:
        by = [str(blocker) for blocker in blockers]
        done = [step.revision for step in self._recorder.steps]
        kept, attempts = self._transaction.kept(), self._recorder.attempts
        same = self._run.same_command
        return LockBlocked(self._unit, by, attempts, done, kept, cause, same)
