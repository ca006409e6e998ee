"""DDL queues behind a long reader, and other readers behind the DDL."""

import asyncio
from functools import partial

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.runs import Chain, Launcher

PROBES = 8
LOCK_TIMEOUT_S = 0.4
TOLERANCE_S = 0.05
SLOW = partial(pytest.param, marks=pytest.mark.slow)
# Timed by the server itself: what this machine's other processes cost the client is not a stall.
PROBE = """
CREATE FUNCTION probe() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    asked timestamptz := clock_timestamp();
BEGIN
    PERFORM 1 FROM t WHERE id = 1;
    RETURN extract(epoch FROM clock_timestamp() - asked);
END $$
"""
# A session that waits as long for a clock as a reader for the lock: how late the server wakes up.
LATE = f"""
SELECT extract(epoch FROM clock_timestamp() - asked)::float8 - {LOCK_TIMEOUT_S}
FROM (SELECT clock_timestamp() AS asked, pg_sleep({LOCK_TIMEOUT_S})) slept
"""
STATEMENTS = {
    "alone": SLOW('op.execute("ALTER TABLE t ADD COLUMN n int")'),
    # The retry is of the whole revision, and the lock that it has had before is given back.
    "behind another table's": """
        op.execute("ALTER TABLE u ADD COLUMN n int")
        op.execute("ALTER TABLE t ADD COLUMN n int")
    """,
}


async def probing(url: str, seconds: list[float], over: asyncio.Event, query: str) -> None:
    """A session that asks again and again how long it has to wait."""
    connection = await connect(url)
    while not over.is_set():
        seconds.append(await connection.fetchval(query))
        await asyncio.sleep(0.002)
    await connection.close()


@pytest.mark.parametrize("body", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("reader_s", [0.5, pytest.param(30, marks=pytest.mark.slow)])
async def test_no_reader_waits_longer_than_the_lock_timeout(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    body: str,
    reader_s: float,
) -> None:
    """However long the first reader takes, and the upgrade succeeds once it is gone."""
    url = empty_database.url
    await watcher.execute(PROBE)
    chain.add(
        """
        op.execute("CREATE TABLE t AS SELECT 1 AS id")
        op.execute("CREATE TABLE u (id int)")
        """
    )
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add(body)
    stalls_s: list[float] = []
    late_s: list[float] = []
    over = asyncio.Event()
    probes = [
        asyncio.create_task(probing(url, stalls_s, over, "SELECT probe()")) for _ in range(PROBES)
    ]
    probes += [asyncio.create_task(probing(url, late_s, over, LATE)) for _ in range(PROBES)]
    await blocker.execute("BEGIN; SELECT FROM t")
    env = {
        "SUREFOOT_TEST_LOCK_TIMEOUT_S": str(LOCK_TIMEOUT_S),
    }
    run = await launcher.start(chain, "upgrade", "head", url=url, env=env)
    # The reader stays until an attempt has failed, however slowly the run starts.
    await run.says("BLOCKED [lock-blocked]")
    await asyncio.sleep(reader_s)
    assert not run.has_ended
    await blocker.execute("COMMIT")
    result = await run.end()
    over.set()
    await asyncio.gather(*probes)
    assert result.code == 0, result.err
    assert "BLOCKED [lock-blocked]  0002 did not get its lock in time" in result.err
    assert len(stalls_s) > PROBES
    print(f"longest stall {max(stalls_s):.3f} s, {result.err.count('BLOCKED')} attempts failed")
    assert LOCK_TIMEOUT_S / 2 < max(stalls_s) <= LOCK_TIMEOUT_S + TOLERANCE_S + max(late_s)
