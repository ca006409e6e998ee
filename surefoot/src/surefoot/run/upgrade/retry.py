"""When an attempt that met a lock is worth another, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from surefoot.connect.failures import sqlstate
from surefoot.connect.limits import Limits
from surefoot.errors import LockBlocked
from surefoot.run.locks.observer import Watch
from surefoot.run.report import Recorder, duration
from surefoot.run.upgrade.bookkeeping import Counts
from surefoot.run.upgrade.interruption import Interruption
from surefoot.run.upgrade.transaction import RevisionTransaction
from surefoot.telemetry import Telemetry

# SQLSTATEs: lock_not_available (the lock timeout) and deadlock_detected.
LOCK_TIMEOUT = "55P03"
DEADLOCK = "40P01"
RETRYABLE = frozenset({LOCK_TIMEOUT, DEADLOCK})
_T = TypeVar("_T")


def delays(
    first_s: float, longest_s: float, budget_s: float, rng: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each further attempt; they end when their sum would pass the budget.

    Each is twice the one before, between half and all of that by chance, so that runs which met
    the same lock do not meet again.
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
    """Work that is done again where a lock cannot be had in time, or where it met a deadlock.

    Each of the three kinds of work is repeated as a whole, until its budget is used up. On
    failure: LockBlocked then, Interrupted where somebody asked, and whatever else the work meets.
    """

    def __init__(
        self,
        transaction: RevisionTransaction,
        recorder: Recorder,
        counts: Counts,
        *,
        limits: Limits,
        interruption: Interruption,
        watch: Watch,
        telemetry: Telemetry,
        say: Callable[[str], None],
    ) -> None:
        self._transaction = transaction
        self._recorder = recorder
        self._counts = counts
        self._limits = limits
        self._interruption = interruption
        self._watch = watch
        self._telemetry = telemetry
        self._say = say
        # What did not get a lock and is tried again.
        self._unit = ""

    def begin(self, revision: str) -> None:
        """A revision begins; attempts, and the budget for them, are of one revision."""
        if revision != self._unit:
            self._counts.attempts = 1

    def revisions(self, attempt: Callable[[], None]) -> None:
        """Run revisions, each in its transaction; what was committed is not run again."""

        def work() -> None:
            self._transaction.look_again()
            attempt()

        self._repeat(work, self._running, self._transaction.roll_back)

    def step(self, revision: str, run: Callable[[], None]) -> None:
        """Run a step outside a transaction.

        Nothing is rolled back between two tries: there is no transaction, and the step itself
        begins with what the one before it left.
        """
        self._repeat(run, lambda: revision, self._watch.statement_ends)

    def look(self, look: Callable[[], _T]) -> _T:
        """Look at the version table and the ledger, which somebody may have locked."""

        def work() -> _T:
            self._watch.statement_begins()
            try:
                return look()
            finally:
                self._watch.statement_ends()

        table = self._transaction.version_table.name
        return self._repeat(work, lambda: table, self._transaction.roll_back)

    def _repeat(
        self, work: Callable[[], _T], unit: Callable[[], str], clean_up: Callable[[], None]
    ) -> _T:
        """Try it until it has its locks or the budget of the unit, known by then, is used up."""
        waiting_for, waits = "", self._delays()
        while True:
            try:
                return work()
            except DBAPIError as error:
                clean_up()
                self._interruption.check()
                if sqlstate(error) not in RETRYABLE:
                    raise
                self._unit = unit()
                if self._unit != waiting_for:
                    waiting_for, waits = self._unit, self._delays()
                wait_s = next(waits, None)
                self._blocked(sqlstate(error), wait_s)
                if wait_s is None:
                    raise self._gave_up() from error
            self._interruption.sleep(wait_s)
            self._counts.attempts += 1

    def _running(self) -> str:
        # Before the first revision Alembic reads its table, and makes it where there is none.
        running = self._recorder.running
        return running.revision if running is not None else self._transaction.version_table.name

    def _delays(self) -> Iterator[float]:
        limits = self._limits
        return delays(limits.retry_first_s, limits.retry_longest_s, limits.lock_budget_s)

    def _blocked(self, state: str | None, wait_s: float | None) -> None:
        self._telemetry.lock_blocked(self._unit, self._counts.attempts)
        what = "met a deadlock" if state == DEADLOCK else "did not get its lock in time"
        left = "its step is repeated" if self._transaction.outside else "nothing of it is kept"
        self._say(f"BLOCKED [lock-blocked]  {self._unit} {what}; {left}")
        for blocker in self._watch.blockers:
            self._say(f"  by: {blocker}")
        if wait_s is not None:
            self._say(f"  attempt {self._counts.attempts + 1} in {duration(wait_s)}")

    def _gave_up(self) -> LockBlocked:
        blockers = [str(blocker) for blocker in self._watch.blockers]
        done = [step.revision for step in self._recorder.steps]
        kept = self._transaction.kept()
        return LockBlocked(self._unit, blockers, self._counts.attempts, done, kept)
