"""A worker that is killed in the middle of a scan."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.db.engine import create_engine
from app.db.session import session_factory
from app.jobs import repository
from app.jobs.location import Location
from app.jobs.worker import Worker
from harness.databases import Database, connect
from tests.support.project import ROOT
from tests.support.service import plant, with_volumes
from tests.support.settings import settings_of

FILES = 300
# A worker in a process of its own that says so after every batch, and takes its time.
SLOW_WORKER = """
import asyncio
import dataclasses
import time
from app.db.engine import create_engine
from app.jobs.scan import scan
from app.jobs.work import Progress
from app.jobs.worker import Worker
from app.settings import load_settings

class SlowProgress(Progress):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "done" and value:
            print("batch", flush=True)
            time.sleep(0.2)

async def slow_scan(work):
    return await scan(dataclasses.replace(work, progress=SlowProgress()))

settings = load_settings()
asyncio.run(Worker(create_engine(settings, "app"), settings, {"scan": slow_scan}).run())
"""


@pytest.mark.slow
async def test_another_worker_finishes_what_a_killed_one_began(
    database: Database, tmp_path: Path
) -> None:
    """After kill -9 the job waits for its lease to run out, and is then done once more."""
    plant(tmp_path, *(f"folder{n % 7}/{n}" for n in range(FILES)))
    settings = with_volumes(settings_of(database.url), volumes={"data": tmp_path})
    engine = create_engine(settings, "app")
    async with session_factory(engine).begin() as session:
        job_id = await repository.create(session, "scan", Location("data", str(tmp_path), ""), {})

    worker = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORKER],
        cwd=ROOT,
        env={
            "DATABASE_URL": database.url,
            "VEGAFS_VOLUMES": f"data={tmp_path}",
            "VEGAFS_SCAN_BATCH_ROWS": "10",
            "VEGAFS_ENV_FILE": "/dev/null",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    for _ in range(3):
        assert worker.stdout.readline() == "batch\n"
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=10)

    watcher = await connect(database.url)
    written = await watcher.fetchval("SELECT count(*) FROM files")
    assert 0 < written < FILES
    assert written % 10 == 0
    assert await watcher.fetchval("SELECT status::text FROM jobs") == "RUNNING"

    successor = Worker(engine, settings)
    assert not await successor.work_once()
    await watcher.execute("UPDATE jobs SET lease_expires_at = now() - interval '1 second'")
    assert await successor.work_once()
    async with session_factory(engine)() as session:
        job = await repository.get(session, job_id)
    assert (job.status.value, job.attempts, job.error) == ("COMPLETED", 2, None)
    assert job.result is not None
    assert (job.result["files"], job.result["missing"]) == (FILES, 0)
    assert await watcher.fetchval("SELECT count(*) FROM files") == FILES
    await watcher.close()
    await engine.dispose()
