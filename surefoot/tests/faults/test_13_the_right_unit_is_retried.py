"""Lock timeouts in and outside a transaction, and a deadlock."""

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.states import wait_until

QUICK = {
    "SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.2",
    "SUREFOOT_TEST_PATIENT_LOCK_TIMEOUT_S": "0.5",
    "SUREFOOT_TEST_RETRY_LONGEST_S": "1",
}


async def prepared(chain: Chain, launcher: Launcher, database: Database) -> None:
    """Tables to lock, and one where every statement leaves a row."""
    chain.add(
        """
        op.execute("CREATE TABLE t (id int)")
        op.execute("CREATE TABLE u (id int)")
        op.execute("CREATE TABLE ran (what text)")
        """
    )
    first = await launcher.alembic(chain, "upgrade", "head", url=database.url)
    assert first.code == 0, first.err


async def ran(watcher: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await watcher.fetch("SELECT what FROM ran ORDER BY what")]


@pytest.mark.slow
async def test_a_lock_timeout_in_a_transaction_repeats_the_revision(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """The one before it stays as it is, and what it had written itself is written once."""
    await prepared(chain, launcher, empty_database)
    chain.add("op.execute(\"INSERT INTO ran VALUES ('0002')\")")
    chain.add(
        "op.execute(\"INSERT INTO ran VALUES ('0003')\")\nop.execute('ALTER TABLE t ADD n int')"
    )
    chain.add("op.execute(\"INSERT INTO ran VALUES ('0004')\")")
    await blocker.execute("BEGIN; SELECT FROM t")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url, env=QUICK)
    await run.says("attempt 3 in")
    assert await ran(watcher) == ["0002"]
    await blocker.execute("ROLLBACK")
    result = await run.end()
    assert result.code == 0, result.err
    assert await ran(watcher) == ["0002", "0003", "0004"]
    rows = await watcher.fetch(
        "SELECT revision, attempts FROM alembic_version_ledger "
        "WHERE outcome = 'applied' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [("0001", 1), ("0002", 1), ("0003", 3), ("0004", 1)]
    assert "BLOCKED [lock-blocked]  0003 did not get its lock in time; nothing of it" in result.err


@pytest.mark.slow
async def test_a_lock_timeout_outside_a_transaction_repeats_the_step(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """The index that the first try left invalid is dropped and built by the next."""
    await prepared(chain, launcher, empty_database)
    chain.add("op.execute(\"INSERT INTO ran VALUES ('0002')\")")
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    chain.add("op.execute(\"INSERT INTO ran VALUES ('0004')\")")
    await blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url, env=QUICK)
    await run.says("attempt 2 in")
    await blocker.execute("COMMIT")
    result = await run.end()
    assert result.code == 0, result.err
    assert await ran(watcher) == ["0002", "0004"]
    assert await watcher.fetchval(
        "SELECT array_agg(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass"
    ) == [True]
    rows = await watcher.fetch(
        "SELECT revision, outcome FROM alembic_version_ledger "
        "WHERE outcome <> 'measured' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("0001", "applied"),
        ("0002", "applied"),
        ("0003", "started"),
        ("0003", "applied"),
        ("0004", "applied"),
    ]
    assert "BLOCKED [lock-blocked]  0003 did not get its lock in time; its step is" in result.err


@pytest.mark.slow
async def test_a_step_outside_a_transaction_gives_up_within_its_budget(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """It reports an invalid index; the same command builds it once the blocker is gone."""
    await prepared(chain, launcher, empty_database)
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    await blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
    env = {**QUICK, "SUREFOOT_TEST_LOCK_BUDGET_S": "1"}
    url = empty_database.url
    result = await launcher.alembic(chain, "upgrade", "head", url=url, env=env)
    assert result.code == 75, result.err
    assert "ERROR [lock-blocked]  0002 did not get its lock in " in result.err
    assert f"  by: pid {blocker.get_server_pid()} blocker, idle in transaction" in result.err
    assert "  kept of 0002: what its step has left, which another attempt repairs\n" in result.err
    await blocker.execute("ROLLBACK")
    again = await launcher.alembic(chain, "upgrade", "head", url=url, env=env)
    assert again.code == 0, again.err
    assert await watcher.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"
    )


@pytest.mark.slow
async def test_a_deadlock_repeats_the_revision(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """The server ends the migration's transaction, and the other one goes on unharmed."""
    await prepared(chain, launcher, empty_database)
    chain.add(
        """
        op.execute("SET LOCAL deadlock_timeout = '20ms'")
        op.execute("INSERT INTO ran VALUES ('0002')")
        op.execute("ALTER TABLE t ADD n int")
        op.execute("SELECT pg_sleep(0.7)")
        op.execute("ALTER TABLE u ADD n int")
        """
    )
    # The one whose patience ends first is chosen; the other one's is longer than the test.
    await blocker.execute("SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE u")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await wait_until(
        watcher,
        "SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass "
        "AND mode = 'AccessExclusiveLock' AND granted",
    )
    await blocker.execute("LOCK TABLE t")  # had when the migration is rolled back
    await blocker.execute("COMMIT")
    result = await run.end()
    assert result.code == 0, result.err
    assert (
        result.err.count("BLOCKED [lock-blocked]  0002 met a deadlock; nothing of it is kept") == 1
    )
    assert await ran(watcher) == ["0002"]
    assert (
        await watcher.fetchval(
            "SELECT attempts FROM alembic_version_ledger WHERE revision = '0002'"
        )
        == 2
    )


@pytest.mark.parametrize("at_commit", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_a_conflict_with_another_transaction_repeats_the_revision(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    at_commit: bool,
) -> None:
    """A serialization failure (40001), in a statement or when the revision commits."""
    await prepared(chain, launcher, empty_database)
    await watcher.execute("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
    level, last = "repeatable read", "UPDATE t SET id = 3"
    theirs = "UPDATE t SET id = 2"
    if at_commit:
        # Each reads what the other one writes; whoever commits last has to go.
        level, last = "serializable", "UPDATE u SET id = 3"
        theirs = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM u; UPDATE t SET id = 2; COMMIT"
    chain.add(
        f"""
        op.execute("INSERT INTO ran VALUES ('0002')")
        op.execute("SELECT * FROM t")
        op.execute("{last}")
        op.execute("SELECT pg_sleep(0.3)")
        """
        if at_commit
        else f"""
        op.execute("INSERT INTO ran VALUES ('0002')")
        op.execute("SELECT pg_sleep(0.3)")
        op.execute("{last}")
        """
    )
    await watcher.execute(
        f'ALTER DATABASE "{empty_database.name}" SET default_transaction_isolation = {level!r}'
    )
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await wait_until(
        watcher,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE 'SELECT pg_sleep(0.3)%' AND state = 'active'",
    )
    await watcher.execute(theirs)
    result = await run.end()
    assert result.code == 0, result.err
    told = (
        "BLOCKED [lock-blocked]  0002 could not be serialized beside another transaction; "
        "nothing of it is kept"
    )
    assert result.err.count(told) == 1, result.err
    assert await ran(watcher) == ["0002"]
    assert await watcher.fetchval(
        "SELECT array_agg(attempts) FROM alembic_version_ledger "
        "WHERE revision = '0002' AND outcome = 'applied'"
    ) == [2]
