"""Many processes upgrade one database at once, and an index is built concurrently."""

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher, one_applied

PROCESSES = [3, pytest.param(50, marks=pytest.mark.slow)]


@pytest.fixture
async def indexed(chain: Chain) -> Chain:
    """A chain with concurrent indexes between other revisions, one of them slow."""
    chain.add("op.execute('CREATE TABLE ran (revision text NOT NULL)')")
    chain.add(
        "op.execute('CREATE TABLE t AS SELECT g AS a, g AS b FROM generate_series(1, 9999) g')"
    )
    chain.add("op.execute(\"INSERT INTO ran SELECT 'slow' FROM pg_sleep(0.5)\")")
    chain.add('op.create_index_concurrently("t_a", "t", ["a"])')
    chain.add("op.execute(\"INSERT INTO ran SELECT 'between' FROM pg_sleep(0.2)\")")
    chain.add('op.create_index_concurrently("t_b", "t", ["b"], unique=True)')
    return chain


@pytest.mark.parametrize("start", [pytest.param("base", marks=pytest.mark.slow), "0003"])
@pytest.mark.parametrize("processes", PROCESSES)
async def test_processes_that_wait_do_not_stand_in_the_index_builds_way(
    indexed: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    processes: int,
    start: str,
) -> None:
    """No deadlock, no invalid index; one applies and the others find nothing to do."""
    applied = 6
    if start != "base":
        first = await launcher.alembic(indexed, "upgrade", start, url=empty_database.url)
        assert first.code == 0, first.err
        applied = 3
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await watcher.fetchval(deadlocks)
    runs = await launcher.start_many(
        indexed, "upgrade", "head", count=processes, url=empty_database.url
    )
    one_applied([await run.end() for run in runs], applied=applied)
    indexes = await watcher.fetch(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index "
        "WHERE indrelid = 't'::regclass ORDER BY 1"
    )
    assert [tuple(row) for row in indexes] == [("t_a", True), ("t_b", True)]
    assert await watcher.fetchval(deadlocks) == before
    rows = await watcher.fetch("SELECT revision FROM ran ORDER BY 1")
    assert [row[0] for row in rows] == ["between", "slow"]
