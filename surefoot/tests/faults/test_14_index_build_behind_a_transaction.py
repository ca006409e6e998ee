"""An index is built concurrently beside a session that is idle in a transaction."""

import re
import time

import asyncpg
import pytest

from harness.clock import within
from harness.databases import Database
from harness.runs import Chain, Launcher

WARNED_WITHIN_S = 5.0


@pytest.mark.slow
async def test_the_session_is_named_and_the_index_is_built_once_it_is_gone(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """Within five seconds it says whom it waits for; nothing invalid is left in the end."""
    chain.add("op.execute('CREATE TABLE t AS SELECT generate_series(1, 100) AS id')")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    await blocker.execute("BEGIN; UPDATE t SET id = 101 WHERE id = 1")
    begun_s = time.monotonic()
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await run.says(f"pid {blocker.get_server_pid()}", timeout_s=WARNED_WITHIN_S)
    assert time.monotonic() - begun_s < within(WARNED_WITHIN_S)
    await blocker.execute("COMMIT")
    result = await run.end(timeout_s=10)
    assert result.code == 0, result.err
    assert re.search(
        r"\n  0002  waiting for [\d.]+ s, for:\n"
        r"    pid \d+ blocker, idle in transaction, in a transaction for [\d.]+ s: "
        r"BEGIN; UPDATE t SET id = \? WHERE id = \?\n",
        result.err,
    ), result.err
    assert await watcher.fetchval(
        "SELECT array_agg(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass"
    ) == [True]


@pytest.mark.slow
async def test_a_transaction_that_only_reads_another_table_is_named_too(
    chain: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """An old snapshot anywhere in the database keeps the build waiting."""
    chain.add("op.execute('CREATE TABLE t AS SELECT 1 AS id')")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    await blocker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await run.says(f"pid {blocker.get_server_pid()} blocker", timeout_s=WARNED_WITHIN_S)
    await blocker.execute("COMMIT")
    result = await run.end(timeout_s=10)
    assert result.code == 0, result.err
