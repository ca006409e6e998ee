"""Workers and the queue that they share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.db.session import session_factory
from app.errors import JobImpossible
from app.jobs import queue, repository
from app.jobs import worker as worker_module
from app.jobs.location import Location
from app.jobs.schemas import JobWithResult
from app.jobs.work import Work
from app.jobs.worker import Operations, Worker
from app.settings import Settings
from harness.databases import Database
from tests.support.service import with_volumes
from tests.support.settings import settings_of

LONG_S = 60.0
HALF_GONE = f"now() + interval '{LONG_S / 2} s'"
STEPS = 5


class Office:
    """A queue, and workers on it that do what a test tells them."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.sessions = session_factory(engine)

    async def queue(self, path: str = "", operation: str = "scan", volume: str = "data") -> int:
        async with self.sessions.begin() as session:
            return await repository.create(session, operation, Location(volume, "/", path), {})

    async def job(self, job_id: int) -> JobWithResult:
        async with self.sessions() as session:
            return await repository.get(session, job_id)

    async def cancel(self, job_id: int) -> None:
        async with self.sessions.begin() as session:
            await repository.cancel(session, job_id)

    async def execute(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def later(self, seconds: int) -> None:
        """The jobs as they are after some time."""
        await self.execute("ALTER TABLE jobs DISABLE TRIGGER jobs_updated_at")
        await self.execute(f"UPDATE jobs SET updated_at = updated_at - interval '{seconds} s'")
        await self.execute("ALTER TABLE jobs ENABLE TRIGGER jobs_updated_at")

    async def value(self, statement: str) -> Any:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(statement))

    async def reaches(self, job_id: int, done: int) -> None:
        """Wait until the job shows that progress."""
        with anyio.fail_after(LONG_S):
            while (await self.job(job_id)).progress.done != done:
                await asyncio.sleep(0.01)

    async def holders(self) -> list[tuple[str, Any]]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT status::text, worker FROM jobs ORDER BY id")
            )
            return [tuple(row) for row in rows]

    def worker(self, scan: Any, **changes: Any) -> Worker:
        operations: Operations = {"scan": scan}
        return Worker(self.engine, with_volumes(self.settings, **changes), operations)


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    settings = with_volumes(settings_of(database.url), volumes={"Data": tmp_path})
    engine = create_engine(settings, "app")
    yield Office(engine, settings)
    await engine.dispose()


async def nothing(work: Work) -> dict[str, Any]:
    return {"path": work.lease.path}


def begins(began: asyncio.Event) -> Any:
    """An operation that says when it begins and does not end by itself."""

    async def operation(_: Work) -> dict[str, Any]:
        began.set()
        await asyncio.sleep(LONG_S)
        return {}

    return operation


async def stop(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.slow
async def test_two_workers_never_share_a_job(office: Office) -> None:
    """Forty jobs and four workers that take them as fast as they can: each is done once."""
    done: Counter[int] = Counter()

    async def count(work: Work) -> dict[str, Any]:
        done[work.lease.job_id] += 1
        await asyncio.sleep(0.001)
        return {}

    ids = [await office.queue(f"{n}") for n in range(40)]

    async def until_empty(worker: Worker) -> None:
        while await worker.work_once():
            pass

    await asyncio.gather(*(until_empty(office.worker(count)) for _ in range(4)))
    assert done == Counter(ids)
    assert {status for status, _ in await office.holders()} == {"COMPLETED"}


async def test_jobs_are_taken_in_the_order_of_their_queueing(office: Office) -> None:
    """The oldest first."""
    ids = [await office.queue(path) for path in "ba"]
    worker = office.worker(nothing)
    await worker.work_once()
    assert [(await office.job(job_id)).status.value for job_id in ids] == ["COMPLETED", "PENDING"]
    await worker.work_once()
    assert not await worker.work_once()
    assert (await office.job(ids[1])).result == {"path": "a"}


async def test_a_worker_leaves_what_is_not_for_it(office: Office) -> None:
    """Volumes of other machines, and operations of a release that it is not."""
    await office.queue(volume="elsewhere")
    await office.queue(operation="transmogrify")
    assert not await office.worker(nothing).work_once()


@pytest.mark.slow
async def test_a_running_job_is_held_and_shows_progress(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is renewed for as long as the work takes, longer than the lease is."""
    monkeypatch.setattr(worker_module, "RENEW_EVERY_S", 0.02)
    files: asyncio.Queue[int] = asyncio.Queue()

    async def slow(work: Work) -> dict[str, Any]:
        work.progress.total = STEPS
        while work.progress.done < STEPS:
            work.progress.done += await files.get()
        return {}

    job_id = await office.queue()
    task = asyncio.create_task(office.worker(slow, worker_lease_s=LONG_S).work_once())
    other = office.worker(nothing, worker_lease_s=LONG_S)
    for done in range(1, STEPS):
        files.put_nowait(1)
        await office.reaches(job_id, done)
        assert not await other.work_once()
        # As if half of the lease had gone by; it is renewed to all of it.
        await office.execute(f"UPDATE jobs SET lease_expires_at = {HALF_GONE}")
        with anyio.fail_after(LONG_S / 2):
            while not await office.value(f"SELECT lease_expires_at > {HALF_GONE} FROM jobs"):
                await asyncio.sleep(0.01)
    files.put_nowait(1)
    assert await task
    job = await office.job(job_id)
    assert (job.status.value, job.attempts) == ("COMPLETED", 1)
    assert (job.progress.done, job.progress.total) == (STEPS, STEPS)


async def test_a_cancelled_job_ends_its_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the time between two renewals, and it stays cancelled."""
    monkeypatch.setattr(worker_module, "RENEW_EVERY_S", 0.05)
    began = asyncio.Event()
    job_id = await office.queue()
    task = asyncio.create_task(office.worker(begins(began)).work_once())
    await began.wait()
    assert (await office.job(job_id)).status.value == "RUNNING"
    await office.cancel(job_id)
    assert await asyncio.wait_for(task, 5)
    job = await office.job(job_id)
    assert (job.status.value, job.result) == ("CANCELLED", None)
    assert await office.holders() == [("CANCELLED", None)]


async def test_a_job_cancelled_at_its_last_moment_stays_cancelled(office: Office) -> None:
    """The worker's result comes too late."""

    async def cancelled_meanwhile(work: Work) -> dict[str, Any]:
        await office.cancel(work.lease.job_id)
        return {"files": 1}

    job_id = await office.queue()
    assert await office.worker(cancelled_meanwhile).work_once()
    job = await office.job(job_id)
    assert (job.status.value, job.result) == ("CANCELLED", None)


async def test_a_stopped_worker_puts_its_job_back(office: Office) -> None:
    """At once, and the attempt does not count; the next worker does the job."""
    began = asyncio.Event()
    job_id = await office.queue()
    task = asyncio.create_task(office.worker(begins(began)).run())
    await began.wait()
    await asyncio.wait_for(stop(task), 2)
    assert task.cancelled()
    assert await office.holders() == [("PENDING", None)]
    assert (await office.job(job_id)).attempts == 0
    assert await office.worker(nothing).work_once()
    assert (await office.job(job_id)).status.value == "COMPLETED"


async def test_a_silent_workers_job_is_taken_over(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its lease ran out; what the first one finds when it wakes up does not count."""
    monkeypatch.setattr(queue, "renew", lambda *_, **__: asyncio.sleep(LONG_S))
    began, woken = asyncio.Event(), asyncio.Event()

    async def sleeps(_: Work) -> dict[str, Any]:
        began.set()
        await woken.wait()
        return {"by": "the first"}

    async def second(_: Work) -> dict[str, Any]:
        return {"by": "the second"}

    job_id = await office.queue()
    first = asyncio.create_task(office.worker(sleeps).work_once())
    await began.wait()
    other = office.worker(second)
    assert not await other.work_once()
    await office.execute("UPDATE jobs SET lease_expires_at = now() - interval '1 second'")
    assert await other.work_once()
    woken.set()
    assert await first
    job = await office.job(job_id)
    assert (job.status.value, job.attempts, job.result) == ("COMPLETED", 2, {"by": "the second"})


async def test_a_worker_that_lost_its_job_ends_the_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its next renewal."""
    monkeypatch.setattr(worker_module, "RENEW_EVERY_S", 0.05)
    began = asyncio.Event()
    await office.queue()
    task = asyncio.create_task(office.worker(begins(began)).work_once())
    await began.wait()
    await office.execute("UPDATE jobs SET worker = 'another'")
    assert await asyncio.wait_for(task, 5)
    assert await office.holders() == [("RUNNING", "another")]


async def test_a_failing_job_is_tried_again_and_then_fails(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """As often as the settings say, with the reason of the last attempt."""
    attempts = 0

    async def fails(_: Work) -> dict[str, Any]:
        nonlocal attempts
        attempts += 1
        raise RuntimeError(f"number {attempts}")

    job_id = await office.queue()
    worker = office.worker(fails, worker_max_attempts=2)
    assert await worker.work_once()
    job = await office.job(job_id)
    assert (job.status.value, job.attempts, job.finished_at) == ("PENDING", 1, None)
    assert job.error == "RuntimeError: number 1"
    # Not at once: the reason may pass.
    assert not await worker.work_once()
    await office.later(6)
    assert await worker.work_once()
    job = await office.job(job_id)
    assert (job.status.value, job.attempts) == ("FAILED", 2)
    assert job.error == "RuntimeError: number 2"
    assert job.finished_at is not None
    assert not await worker.work_once()


async def test_a_job_that_is_impossible_fails_at_once(office: Office) -> None:
    """It would fail each time."""

    async def impossible(_: Work) -> dict[str, Any]:
        raise JobImpossible("the folder is gone")

    job_id = await office.queue()
    await office.worker(impossible).work_once()
    job = await office.job(job_id)
    assert (job.status.value, job.attempts, job.error) == ("FAILED", 1, "the folder is gone")


async def test_a_job_whose_workers_all_died_fails(office: Office) -> None:
    """It may be the job that kills them."""
    job_id = await office.queue()
    await office.execute(
        "UPDATE jobs SET status = 'RUNNING', worker = 'dead', attempts = 3, "
        "started_at = now(), lease_expires_at = now() - interval '1 second'"
    )
    assert not await office.worker(nothing, worker_max_attempts=3).work_once()
    job = await office.job(job_id)
    assert (job.status.value, job.error) == (
        "FAILED",
        "gave up after 3 attempts: each time the worker stopped answering",
    )
    assert await office.holders() == [("FAILED", None)]


@pytest.mark.slow
async def test_a_worker_waits_for_a_database_that_is_away(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once, and goes on when the database is back; no error of its own ends it."""
    real = queue.take
    errors: list[Exception] = [
        *(OSError(111, "Connection refused") for _ in range(5)),
        RuntimeError("a mistake"),
    ]

    async def away(*arguments: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return await real(*arguments, **named)

    monkeypatch.setattr(queue, "take", away)
    job_id = await office.queue()
    task = asyncio.create_task(office.worker(nothing).run())
    with anyio.fail_after(5):
        while (await office.job(job_id)).status.value != "COMPLETED":
            await asyncio.sleep(0.02)
    await stop(task)
    assert caplog.messages[:3] == [
        "the worker cannot use its queue: Connection refused",
        "unexpected error in the worker; it continues: RuntimeError('a mistake')",
        "the worker works again",
    ]


async def test_a_worker_stops_although_the_database_is_away(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """It cannot put anything back, and does not wait for it."""
    settings = Settings(
        database_url=SecretStr("postgresql://u@127.0.0.1:1/gone"), volumes={"data": tmp_path}
    )
    engine = create_engine(settings, "app")
    task = asyncio.create_task(Worker(engine, settings).run())
    await asyncio.sleep(0.1)
    await asyncio.wait_for(stop(task), 2)
    await engine.dispose()
    assert caplog.messages == [
        "the worker cannot use its queue: Connection refused",
        "the worker cannot return its job to the queue: Connection refused",
    ]
