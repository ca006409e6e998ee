"""The client is killed while a statement of it runs for a minute."""

import signal
from functools import partial

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.states import gone, wait_until
from surefoot.run.locks import mutex

FREE_WITHIN_S = 2.0
SLOW = partial(pytest.param, marks=pytest.mark.slow)
STATEMENTS = {
    "sleeps": "SELECT pg_sleep(60)",
    "computes": SLOW("SELECT count(*) FROM generate_series(1, 1000000000)"),
    "waits for a lock": SLOW("ALTER TABLE t ADD COLUMN n int"),
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
async def test_the_mutex_is_free_within_two_seconds(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    statement: str,
) -> None:
    """The orphaned statement ends with its client, and the mutex with it."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add(f'op.execute("CREATE TABLE half (id int)")\nop.execute("{statement}")')
    await blocker.execute("BEGIN; LOCK TABLE t IN SHARE MODE")

    env = {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "60"}
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url, env=env)
    await wait_until(
        watcher,
        "SELECT count(*) = 1 FROM pg_stat_activity "
        f"WHERE query LIKE '{statement[:22]}%' AND state = 'active' "
        "AND datname = current_database()",
    )
    run.signal(signal.SIGKILL)
    assert (await run.end()).code == -signal.SIGKILL
    free = f"SELECT pg_try_advisory_lock({mutex.key()})"
    await wait_until(watcher, free, timeout_s=FREE_WITHIN_S)
    await gone(empty_database, timeout_s=FREE_WITHIN_S)
    assert await watcher.fetchval("SELECT to_regclass('half') IS NULL")
