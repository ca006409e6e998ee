"""The role has time limits of its own, which are meant for requests."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.runs import Chain, Launcher
from surefoot.run.locks import mutex

LIMITS = {
    "statement_timeout": "1s",
    "idle_in_transaction_session_timeout": "1s",
    "idle_session_timeout": "1s",
    "transaction_timeout": "1s",
}


@pytest.fixture
async def url(empty_database: Database, watcher: asyncpg.Connection) -> AsyncIterator[str]:
    """The database's URL for a role that is cut short after a second of anything."""
    role = f"{empty_database.name}_limited"
    await watcher.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")
    known = await watcher.fetch("SELECT name FROM pg_settings WHERE name = ANY ($1)", list(LIMITS))
    assert len(known) >= 3
    for (name,) in known:
        await watcher.execute(f"ALTER ROLE {role} SET {name} = '{LIMITS[name]}'")
    yield empty_database.url.replace("://tester@", f"://{role}@")
    await watcher.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_the_run_is_unaffected(
    chain: Chain,
    launcher: Launcher,
    url: str,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """A long statement, long work in Python, a long transaction, a long step and a long wait."""
    chain.add("op.execute('CREATE TABLE big AS SELECT generate_series(1, 100) AS id')")
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("op.execute('CREATE TABLE t (id int)')\nop.execute('SELECT pg_sleep(1.3)')")
    chain.add("op.execute('INSERT INTO t VALUES (1)')\nimport time; time.sleep(1.3)")
    chain.add("op.execute('SELECT 1')\n" * 2 + "op.execute('SELECT pg_sleep(0.7)')\n" * 2)
    chain.add("op.create_index_concurrently('big_id', 'big', ['id'])")
    await blocker.execute("BEGIN; UPDATE big SET id = id WHERE id = 1")
    env = {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "3"}
    run = await launcher.start(chain, "upgrade", "head", url=url, env=env)
    await run.says("for:", timeout_s=20)  # the index build has waited for two seconds
    await blocker.execute("COMMIT")
    result = await run.end(timeout_s=30)
    assert result.code == 0, result.err
    assert "OK  4 applied" in result.err
    assert await watcher.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'big_id'::regclass"
    )


@pytest.mark.slow
async def test_waiting_for_the_mutex_is_not_idling(
    chain: Chain, launcher: Launcher, url: str, watcher: asyncpg.Connection
) -> None:
    """A session that polls for longer than the role's limits is not ended."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    await watcher.execute(f"SELECT pg_advisory_lock({mutex.key()})")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await run.says("  holder: backend ")  # after two seconds
    assert f"  holder: backend {watcher.get_server_pid()} (" in run.said
    await watcher.execute("SELECT pg_advisory_unlock_all()")
    result = await run.end(timeout_s=10)
    assert result.code == 0, result.err


@pytest.mark.slow
async def test_the_roles_limits_are_in_force_without_us(url: str) -> None:
    """A plain session of the role is cut short."""
    connection = await connect(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("SELECT pg_sleep(1.5)")
    await connection.close()
