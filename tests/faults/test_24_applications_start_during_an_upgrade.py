"""Applications start while an upgrade runs."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import asyncpg
import httpx
import pytest

from harness.clock import within
from harness.databases import WAITING, Database, connect, engine
from harness.forks import Run
from surefoot.run.commands import downgrade
from surefoot.target import Target
from tests.support.project import forks

WAITS = re.compile(r"WAIT .* (\S+)/readyz has details\n")
SERVES = re.compile(r"OK  serving on (\S+),")
# The revision after it changes the table that the test reads.
BEFORE_FILES_CHANGE = "0006"
PATIENCE_S = 120.0
AT_ONCE = 5
# Two are asked for, a quarter of one is what it takes; the rest is for a machine under load.
READY_WITHIN_S = 5.0
ASKED_EVERY_S = 0.5
QUEUED = f"SELECT count(*) FROM {WAITING}"


@pytest.fixture
async def blocker(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, which stands in the upgrade's way."""
    connection = await connect(database.url)
    yield connection
    await connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, pytest.param(50, marks=pytest.mark.slow)])
async def test_none_serves_before_the_commit_and_all_do_after_it(
    database: Database, blocker: asyncpg.Connection, count: int
) -> None:
    """Each is alive and not ready until then; no request to the API is let through."""
    async with engine(database.access, "migrate") as made:
        await downgrade(Target.of(made), BEFORE_FILES_CHANGE)
    held = blocker.transaction()
    await held.start()
    await blocker.execute("SELECT FROM files")
    # It has begun its revision and waits in it, for as long as this likes.
    patient = {"DATABASE_URL": database.url, "VEGAFS_MIGRATE_LOCK_TIMEOUT_S": "60"}
    upgrade = forks().start("alembic", "upgrade", "head", env=patient)
    with anyio.fail_after(PATIENCE_S):
        while not await blocker.fetchval(QUEUED):
            await anyio.sleep(0.02)
    async with applications(count, database) as runs, httpx.AsyncClient(timeout=30) as client:
        urls = [await said(run, WAITS) for run in runs]
        assert await answers(client, urls, "/livez") == {(200, None): count}
        assert await answers(client, urls, "/readyz") == {(503, "database-behind"): count}
        assert await answers(client, urls, "/api/v1/files") == {(503, "not-ready"): count}
        assert not any(SERVES.search(run.said) for run in runs)
        released_s = time.monotonic()
        await held.rollback()
        while await answers(client, urls, "/readyz") != {(200, "at-head"): count}:
            assert time.monotonic() - released_s < within(READY_WITHIN_S)
            # Without a pause the questions take the time that the answers need.
            await anyio.sleep(ASKED_EVERY_S)
        assert await answers(client, urls, "/api/v1/files") == {(401, "key-missing"): count}
        result = await asyncio.to_thread(upgrade.wait)
        assert result.code == 0, result.err
        assert [await said(run, SERVES) for run in runs] == urls


@asynccontextmanager
async def applications(count: int, database: Database) -> AsyncIterator[Sequence[Run]]:
    """So many services, each a process; as many at a time as a small machine can start in time."""
    environment = {"DATABASE_URL": database.url, "VEGAFS_PORT": "0", "VEGAFS_WORKER": "false"}
    runs: list[Run] = []
    try:
        while len(runs) < count:
            some = forks().start_many("vegafs", "serve", count=AT_ONCE, env=environment)
            runs += some
            for run in some:
                await said(run, WAITS)
        yield runs
    finally:
        for run in runs:
            if not run.has_ended:
                run.signal(signal.SIGKILL)
        for run in runs:
            await asyncio.to_thread(run.wait)


async def said(run: Run, pattern: re.Pattern[str]) -> str:
    """The text of the application at that place of its line."""
    with anyio.move_on_after(PATIENCE_S):
        while (found := pattern.search(run.said)) is None:
            assert not run.has_ended, run.said
            await anyio.sleep(0.02)
        return found[1]
    raise AssertionError(f"it did not say {pattern.pattern!r}: {run.said}")


async def answers(
    client: httpx.AsyncClient, urls: Sequence[str], path: str
) -> Counter[tuple[int, str | None]]:
    """How many of them answer what: the status, and the code where there is one."""
    asked = await asyncio.gather(*(client.get(f"{url}{path}") for url in urls))
    return Counter((answer.status_code, answer.json().get("code")) for answer in asked)
