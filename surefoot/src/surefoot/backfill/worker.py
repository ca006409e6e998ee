"""Worker leases ranges of a lap, one after the other, and walks each in batches."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import asyncpg

from surefoot.backfill.batch import Batches, Outcome, Part
from surefoot.backfill.failures import meaning, words
from surefoot.backfill.job import Job
from surefoot.backfill.key import REPLACED, Place
from surefoot.backfill.laps import end_lap, split_one
from surefoot.backfill.pace import Pace
from surefoot.backfill.ranges import Range
from surefoot.backfill.state import State
from surefoot.connect.failures import CANCELLED, named, sqlstate
from surefoot.errors import (
    BackfillBlocked,
    BackfillRowsFailed,
    BackfillStopped,
    BackfillTableGone,
    BackfillWithoutProgress,
    SurefootError,
)

# A worker without work looks again after so long; a batch that met a lock waits a little first.
IDLE_S, LOCKED_S = 0.1, 0.05
# A batch takes so many times its time at most, with the calls of `fill`.
_FILL_TIMES = 10
# So many batches one after the other, whose rows match the filter as before, make no progress.
_STUCK = 3
# A batch of one row that ends by a timeout so often has a row that cannot be changed.
_TIMEOUTS = 5
# An error that stays although the row that it came from is left out has another cause.
_TRIES = 3


class Worker:
    """One session at work."""

    def __init__(self, job: Job, connection: asyncpg.Connection[Any]) -> None:
        self._job, self._connection = job, connection
        self._state = State(connection, job.statements.version_table, job.backfill.name)
        self._batches = Batches(connection, job.statements, job.calls)
        least, most = job.backfill.batch_rows
        self._pace = Pace(job.batch_s, least, most)
        self._stuck, self._looks, self._is_first = 0, True, True

    async def work(self) -> None:
        """Walk ranges until the backfill has ended or the job is to stop.

        On failure: BackfillRowsFailed, BackfillBlocked, BackfillStopped, BackfillWithoutProgress;
        errors of the connection.
        """
        met_s: float | None = None
        while await self._job.may_go_on():
            try:
                if await self._step():
                    return
                met_s = None
            except asyncpg.PostgresError as error:  # noqa: PERF203 - rare beside a batch
                # A look at the table met a lock; batches have their own answer.
                if meaning(error) != "again":
                    raise self._final(error) from error
                met_s = met_s or time.monotonic()
                await self._yield(met_s, error)

    async def _step(self) -> bool:
        """Walk one range, or look for another way to help; whether the backfill has ended."""
        job = self._job
        await self._refuse_another_table()
        range_ = await self._state.ranges.claim()
        if range_ is not None:
            try:
                await self._look()
                await self._walk(range_)
            except asyncpg.PostgresError:
                # The session may go on. After anything else it is closed, and may not answer.
                if not self._connection.is_closed():
                    await self._state.ranges.release(range_.id)
                raise
            await self._state.ranges.release(range_.id)
            return False
        if await split_one(self._connection, self._state, job.statements):
            return False
        if await end_lap(self._connection, self._state, job):
            return True
        # Rows that are locked are not looked at again and again without a pause.
        await job.sleep(IDLE_S)
        return False

    async def _refuse_another_table(self) -> None:
        """On failure: BackfillTableGone, where the name is that of another table by now."""
        key, backfill = self._job.statements.key, self._job.backfill
        found = await self._batches.value("SELECT to_regclass($1)::oid::bigint", key.quoted)
        if found != key.oid:
            reason = "does not exist any more" if found is None else REPLACED
            raise BackfillTableGone(backfill.name, backfill.table, reason)

    async def _look(self) -> None:
        progress = await self._state.read()
        if progress is not None:
            self._batches.but_failed = progress.failed > 0
            self._is_first = progress.lap <= 1

    async def _walk(self, range_: Range) -> None:
        low, high, done = range_.begin, range_.high, False
        while not done and await self._job.may_go_on():
            part = await self._look_ahead(low, high, range_.id)
            started_s = time.monotonic()
            outcome = await self._attempt(part)
            if outcome is None or outcome.high is None:
                return  # cancelled meanwhile
            self._pace.target_s = self._job.batch_s
            if part.lacking:
                took_s = self._took_s(part, outcome, time.monotonic() - started_s)
                self._pace.took(took_s, part.walked, part.lacking)
            await self._refuse_no_progress(part, outcome)
            low, high, done = part.high, outcome.high, outcome.is_done
            await self._job.spent(outcome.changed)

    async def _look_ahead(self, low: Place | None, high: Place, number: int) -> Part:
        """The next batch: so many rows that no more of them lack the change than it may change."""
        began_s = time.monotonic()
        part = await self._batches.look(low, high, self._pace.span, number)
        if self._pace.looked(time.monotonic() - began_s, part.lacking):
            return part
        return await self._batches.look(low, high, self._pace.rows, number)

    def _took_s(self, part: Part, outcome: Outcome, whole_s: float) -> float:
        """The seconds by which the next batch is sized: those for which writers of its rows wait.

        The calls of `fill` lock nothing. More than one round of them takes ten times as long.
        """
        backfill = self._job.backfill
        if part.lacking <= backfill.rows_per_call * backfill.concurrency:
            return outcome.locked_s
        return max(outcome.locked_s, whole_s / _FILL_TIMES)

    async def _attempt(self, part: Part) -> Outcome | None:
        """Run a batch; in halves where it fails, down to the row that cannot be changed.

        It is None where the job is to stop.
        """
        began_s, timeouts, tries = time.monotonic(), 0, 0
        low, high = part.low, part.high
        while True:
            try:
                return await self._batches.run(part)
            except Exception as error:  # noqa: PERF203 - the same
                what = meaning(error)
                if what in ("lost", "stop"):
                    raise self._final(error) from error
                if what == "again":
                    timeouts += sqlstate(error) == CANCELLED
                    self._pace.halve()
                    await self._yield(began_s, error)
                    if self._job.is_stopping:
                        return None
                elif (tries := tries + 1) > _TRIES:
                    raise self._final(error) from error
                rows = await self._batches.value(self._job.statements.count(), low, high)
                if rows > 1:
                    half = await self._batches.value(
                        self._job.statements.middle, low, high, rows // 2
                    )
                    if half is not None:
                        halves = (
                            replace(part, high=half, walked=0, lacking=rows // 2),
                            replace(part, low=half, lacking=rows - rows // 2),
                        )
                        first = await self._attempt(halves[0])
                        second = first and await self._attempt(halves[1])
                        return second and first and second.behind(first)
                elif rows == 1 and (what == "row" or timeouts >= _TIMEOUTS):
                    await self._fail(low, high, part.number, error)
                    part = replace(part, lacking=0)
                else:
                    part = replace(part, lacking=rows)

    async def _yield(self, since_s: float, error: BaseException) -> None:
        """Wait a moment for other sessions. On failure: BackfillBlocked, after too long."""
        self._batches.forget()
        if time.monotonic() - since_s > self._job.database.limits.lock_budget_s:
            raise BackfillBlocked(self._job.backfill.name, named(error)) from error
        await self._job.sleep(LOCKED_S)

    def _final(self, error: Exception) -> Exception:
        """The error of ours for one that ends the work; those of the connection stay."""
        is_ours = isinstance(error, (SurefootError, asyncpg.InsufficientPrivilegeError))
        if is_ours or meaning(error) == "lost":
            return error
        if isinstance(error, asyncpg.UndefinedTableError):
            backfill = self._job.backfill
            return BackfillTableGone(
                backfill.name, backfill.table, f"cannot be used: {named(error)}"
            )
        return BackfillStopped(self._job.backfill.name, named(error))

    async def _fail(
        self, low: Place | None, high: Place, number: int, error: BaseException
    ) -> None:
        place = await self._batches.value(self._job.statements.middle, low, high, 1)
        if place is not None:
            await self._batches.fail(place, number, *words(error))
            self._job.telemetry.failed()
            await self._refuse_many()

    async def _refuse_many(self) -> None:
        backfill = self._job.backfill
        failures = await self._state.failures(backfill.max_failed_rows + 1)
        if len(failures) > backfill.max_failed_rows:
            shown = sorted({reason for _, _, reason in failures})[:5]
            raise BackfillRowsFailed(backfill.name, len(failures), shown, "stopped")

    async def _refuse_no_progress(self, part: Part, outcome: Outcome) -> None:
        """Look whether the rows still match, in the first batch and wherever few are left."""
        if outcome.locked == 0 or (self._is_first and not self._looks):
            return
        query = self._job.statements.count(but_failed=self._batches.but_failed)
        left = await self._batches.value(query, part.low, part.high)
        self._stuck = self._stuck + 1 if left >= part.lacking else 0
        self._looks = self._stuck > 0
        if self._stuck >= _STUCK:
            backfill = self._job.backfill
            raise BackfillWithoutProgress(backfill.name, left, backfill.todo)
