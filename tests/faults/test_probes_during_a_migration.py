"""The image's own check of a container: it must not stop a service that migrates, nor a migration.

The check that the Dockerfile names runs here as a process; test_image.py has the rest.
"""

import asyncio
import os
import re
import subprocess
import time

import httpx
import pytest

from app.db.engine import PROJECT
from app.db.migration import in_a_thread
from harness.clock import within
from harness.databases import Database, connect, value
from surefoot.chain.lockfile import read_lock
from tests.support.image import in_exec_form
from tests.support.project import ROOT
from tests.support.service import served
from tests.support.sites import revert

HEAD = read_lock(PROJECT.lock)[-1].id


def image_check(**environment: str) -> int:
    """The exit code of the image's HEALTHCHECK, in a container with that environment."""
    given = {**os.environ, **environment}
    return subprocess.run(in_exec_form("HEALTHCHECK"), cwd=ROOT, env=given, check=False).returncode


@pytest.mark.slow
async def test_a_service_that_migrates_is_alive_and_not_ready(database: Database) -> None:
    """Here for a lock; so would it be for an index that takes a minute. Then it serves."""
    await revert(database, "0007")
    blocker = await connect(database.url)
    with served("serve", "--migrate", DATABASE_URL=database.url) as service:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE api_keys IN ACCESS SHARE MODE")
            url = service.wait_until_it_waits()
            host, port = re.fullmatch(r"http://(.*):(\d+)", url).groups()  # type: ignore[union-attr]
            for _ in range(3):
                assert httpx.get(f"{url}/livez").status_code == 200
                waiting = httpx.get(f"{url}/readyz")
                assert (waiting.status_code, waiting.json()["code"]) == (503, "database-behind")
                assert httpx.get(f"{url}/api/v1/files").json()["code"] == "not-ready"
                assert image_check(VEGAFS_HOST="0.0.0.0", VEGAFS_PORT=port) == 0
            assert host == "127.0.0.1"
            assert await value(database.url, "SELECT version_num FROM alembic_version") == "0007"
        service.wait_until_it_serves()
        assert httpx.get(f"{url}/readyz").json()["code"] == "at-head"
        assert service.stop() == 0
    await blocker.close()


@pytest.mark.slow
def test_where_nobody_listens_the_check_fails() -> None:
    """With the port of the setting, and not with that of the image."""
    assert image_check(VEGAFS_PORT="1") == 1


async def test_python_that_sleeps_in_a_revision_does_not_stop_the_answers() -> None:
    """The migration has an event loop of its own; cancelled, it ends there before the caller."""
    ended: list[str] = []

    async def sleeps() -> None:
        time.sleep(0.3)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("its session")

    migration = asyncio.create_task(in_a_thread(sleeps))
    began_s = last_s = time.monotonic()
    longest_s = 0.0
    while last_s - began_s < 0.4:
        await asyncio.sleep(0.005)
        last_s, before_s = time.monotonic(), last_s
        longest_s = max(longest_s, last_s - before_s)
    assert longest_s < within(0.25)
    migration.cancel()
    await asyncio.wait([migration])
    assert migration.cancelled()
    assert ended == ["its session"]
