"""Retries repeats work that could not get a lock, on a growing schedule within a budget."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from surefoot.connect.failures import sqlstate
from surefoot.errors import LockBlocked
from surefoot.run.events import Blocked
from surefoot.run.run import Run
from surefoot.run.upgrade.transaction import RevisionTransaction

# SQLSTATEs: lock_not_available (the lock timeout) and deadlock_detected.
LOCK_TIMEOUT = "55P03"
DEADLOCK = "40P01"
RETRYABLE = frozenset({LOCK_TIMEOUT, DEADLOCK})
_T = TypeVar("_T")


def delays(
    first_s: float, longest_s: float, budget_s: float, rng: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each further attempt; they end when their sum would pass the budget.

    Each is twice the one before, times a random factor between a half and one, so that runs that
    met at one lock do not meet again.
    """
    rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
    spent_s, step_s = 0.0, first_s
    while True:
        delay_s = step_s * rng.uniform(0.5, 1.0)
        spent_s += delay_s
        if spent_s > budget_s:
            return
        yield delay_s
        step_s = min(step_s * 2, longest_s)


class Retries:
    """Repeats work that met a lock timeout or a deadlock, until its budget is used up.

    On failure: LockBlocked then; Interrupted, where somebody asked; the other errors of the work.
    """

    def __init__(self, run: Run, transaction: RevisionTransaction) -> None:
        self._run, self._transaction, self._recorder = run, transaction, run.recorder
        self._table = run.project.version_table.name
        # The revision or table that is being retried.
        self._unit = ""

    def begin(self, revision: str) -> None:
        """A revision begins; attempts are counted for each revision."""
        if revision != self._unit:
            self._recorder.attempts = 1

    def revisions(self, attempt: Callable[[], None]) -> None:
        """Run revisions, each in its transaction; a committed one does not run again."""

        def work() -> None:
            self._transaction.look_again()
            attempt()

        self._repeat(work, self._running, self._transaction.roll_back)

    def step(self, revision: str, run: Callable[[], None]) -> None:
        """Run a step outside a transaction.

        Nothing is rolled back between two tries: there is no transaction, and the step starts from
        what the try before it left.
        """
        self._repeat(run, lambda: revision, self._run.observer.statement_ends)

    def look(self, look: Callable[[], _T]) -> _T:
        """Read the version table and the ledger, which another session may have locked."""

        def work() -> _T:
            self._run.observer.statement_begins()
            try:
                return look()
            finally:
                self._run.observer.statement_ends()

        return self._repeat(work, lambda: self._table, self._transaction.roll_back)

    def _repeat(
        self, work: Callable[[], _T], unit: Callable[[], str], clean_up: Callable[[], None]
    ) -> _T:
        """Try until the work has its locks, or the budget of its unit is used up."""
        waiting_for, waits = "", self._delays()
        while True:
            try:
                return work()
            except DBAPIError as error:
                clean_up()
                self._run.interruption.check()
                if sqlstate(error) not in RETRYABLE:
                    raise
                self._unit = unit()
                if self._unit != waiting_for:
                    waiting_for, waits = self._unit, self._delays()
                wait_s = next(waits, None)
                self._blocked(wait_s, is_deadlock=sqlstate(error) == DEADLOCK)
                if wait_s is None:
                    raise self._gave_up() from error
            self._run.interruption.sleep(wait_s)
            self._recorder.attempts += 1

    def _running(self) -> str:
        # Before the first revision Alembic reads its version table, or creates it.
        running = self._recorder.running
        return running.revision if running is not None else self._table

    def _delays(self) -> Iterator[float]:
        limits = self._run.limits
        return delays(limits.retry_first_s, limits.retry_longest_s, limits.lock_budget_s)

    def _blocked(self, wait_s: float | None, *, is_deadlock: bool) -> None:
        attempts, outside = self._recorder.attempts, self._transaction.outside
        self._run.telemetry.lock_blocked(self._unit, attempts)
        blockers = self._run.observer.blockers
        event = Blocked(self._unit, blockers, attempts, wait_s, is_deadlock, outside)
        self._recorder.listen(event)

    def _gave_up(self) -> LockBlocked:
        blockers = [str(blocker) for blocker in self._run.observer.blockers]
        done = [step.revision for step in self._recorder.steps]
        kept = self._transaction.kept()
        return LockBlocked(self._unit, blockers, self._recorder.attempts, done, kept)
