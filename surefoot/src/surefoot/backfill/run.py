"""run() runs a backfill with several sessions, until it has ended or is asked to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.backfill.checks import admitted
from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Listen
from surefoot.backfill.failures import meaning
from surefoot.backfill.job import AGAIN_S, LOST_S, Job, closed
from surefoot.backfill.record import record_end
from surefoot.backfill.state import COMPLETE, FAILED, Progress, State
from surefoot.backfill.watching import watch
from surefoot.backfill.worker import Worker
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.errors import BackfillRowsFailed
from surefoot.frozen import dataclass
from surefoot.project import Project
from surefoot.telemetry import BackfillTelemetry

_SHOWN_ERRORS = 5


@dataclass(frozen=True)
class Result:
    """The end of a run: how far the backfill is, and the rows that this process changed."""

    progress: Progress | None
    changed: int

    @property
    def is_complete(self) -> bool:
        """Whether no row is left to change."""
        return self.progress is not None and self.progress.state == COMPLETE


async def run(
    backfill: Backfill,
    database: Database,
    project: Project,
    *,
    workers: int = 1,
    parameters: Mapping[str, float] | None = None,
    retry_failed: bool = False,
    listen: Listen = lambda _: None,
    stop: asyncio.Event | None = None,
) -> Result:
    """Change the rows of the table that lack the change, beside everybody else who does.

    Where the backfill has begun it goes on, with `retry_failed` also with the rows that failed.
    `stop` ends it after the batches at hand.

    On failure: as `admitted`; BackfillRowsFailed, BackfillBlocked, BackfillStopped,
    BackfillWithoutProgress, BackfillTableGone; errors of the connection.
    """
    shown = database.shown("backfill")
    telemetry = BackfillTelemetry(shown.database or "", backfill.name)
    with telemetry.run(), explained(shown):
        statements = await admitted(
            backfill, database, project, parameters or {}, retry_failed=retry_failed, listen=listen
        )
        job = Job(backfill, database, statements, telemetry, listen)
        watching = asyncio.ensure_future(watch(job, project))
        tasks = [asyncio.ensure_future(_work(job)) for _ in range(workers)]
        asking = asyncio.ensure_future(_stopped(job, stop)) if stop is not None else None
        try:
            await _ended(job, tasks, watching)
        finally:
            job.stop()
            await asyncio.wait(tasks)
            others = [watching] if asking is None else [watching, asking]
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        progress, failures = await _read(job, project)
        if progress is not None and progress.state in (COMPLETE, FAILED):
            await record_end(backfill, database, project, listen)
        if progress is not None and progress.state == FAILED:
            raise BackfillRowsFailed(backfill.name, progress.failed, failures, "has ended")
    return Result(progress, job.changed)


async def _ended(
    job: Job, tasks: Sequence[asyncio.Future[None]], watching: asyncio.Future[None]
) -> None:
    """Wait until the sessions have ended. On failure: the error of one, or of the watch.

    Without a watch the sessions would not learn that they may go on.
    """
    working: asyncio.Future[Any] = asyncio.gather(*tasks)
    # Where the watch has failed nobody asks for the error of a session.
    working.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        job.break_off()
        working.cancel()
        raise
    if not working.done():
        await watching
    await working


async def _work(job: Job) -> None:
    """Work in sessions, one after the other, as long as one that is lost can be replaced."""
    lost_s: float | None = None
    while not job.is_stopping:
        connection = None
        try:
            connection = await job.connect()
            lost_s = None
            return await Worker(job, connection).work()
        except Exception as error:
            if meaning(error) != "lost":
                raise
            lost_s = lost_s or time.monotonic()
            if time.monotonic() - lost_s > LOST_S:
                raise
            await job.sleep(AGAIN_S)
        finally:
            await closed(connection)
    return None


async def _stopped(job: Job, stop: asyncio.Event) -> None:
    await stop.wait()
    job.stop()


async def _read(job: Job, project: Project) -> tuple[Progress | None, Sequence[str]]:
    """How far it is, and the kinds of error of the rows that failed."""
    connection = await job.connect()
    try:
        state = State(connection, project.version_table, job.backfill.name)
        found = await state.failures(job.backfill.max_failed_rows + 1)
        kinds = sorted({error for _, _, error in found})
        return await state.read(), kinds[:_SHOWN_ERRORS]
    finally:
        await closed(connection)
