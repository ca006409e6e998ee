"""A blocker never goes."""

import asyncio
import re
import signal
import time

import asyncpg
import pytest
from sqlalchemy import Connection

from harness.clock import within
from harness.databases import WAITING, Database, access_to, connect, engine
from harness.private import PrivateServer
from harness.runs import Chain, Launcher
from harness.states import gone, wait_until
from surefoot.run import sessions
from surefoot.run.locks import mutex

SHARED = (
    "SELECT count(*) = {} FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
ENV = {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.3", "SUREFOOT_TEST_LOCK_BUDGET_S": "2"}


async def blocked(chain: Chain, launcher: Launcher, database: Database) -> str:
    """A table t, and a revision that alters it after its other work; the URL of the database."""
    chain.add("op.execute('CREATE TABLE t (id int, name text)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=database.url)
    assert first.code == 0, first.err
    chain.add("op.execute('CREATE TABLE half (id int)')\nop.execute('ALTER TABLE t ADD n int')")
    return database.url


@pytest.mark.slow
async def test_it_gives_up_within_its_budget_and_names_the_blocker(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """Pid, application, state, age and query of the blocker, without what the query compared."""
    url = await blocked(chain, launcher, empty_database)
    await blocker.execute("BEGIN; SELECT count(*) FROM t WHERE name = 'secret' AND id > 4711")
    pid = blocker.get_server_pid()

    begun_s = time.monotonic()
    result = await launcher.alembic(chain, "upgrade", "head", url=url, env=ENV)
    assert time.monotonic() - begun_s < within(10)
    assert result.code == 75, result.err
    last = result.err[result.err.index("ERROR ") :]
    named = (
        rf"pid {pid} blocker, idle in transaction, in a transaction for [\d.]+ s: "
        r"BEGIN; SELECT count\(\*\) FROM t WHERE name = \? AND id > \?"
    )
    assert re.fullmatch(
        r"ERROR \[lock-blocked\]  0002 did not get its lock in \d attempts?\n"
        rf"  by: {named}\n"
        r"  done: nothing\n"
        r"  kept of 0002: nothing\n"
        r"  help: end the session that blocks, then run the same command again\n",
        last,
    ), last
    assert re.search(rf"  by: {named}\n  attempt 2 in ", result.err)
    assert "secret" not in result.err
    assert "4711" not in result.err
    await gone(empty_database)
    assert await watcher.fetchval("SELECT to_regclass('half') IS NULL")
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    rows = await watcher.fetch("SELECT outcome, error FROM alembic_version_ledger ORDER BY id")
    assert [row["outcome"] for row in rows] == ["applied", "measured", "failed"]
    assert f"by: pid {pid} blocker" in rows[-1]["error"]
    await blocker.execute("ROLLBACK")
    again = await launcher.alembic(chain, "upgrade", "head", url=url, env=ENV)
    assert again.code == 0, again.err


def seen(connection: Connection) -> tuple[str, list[tuple[int, str]]]:
    """The statement of the run, and who blocks it."""
    holder = sessions.mutex_holder(connection, mutex.key())
    assert holder is not None
    found = sessions.blockers(connection, holder.pid)
    return holder.query, [(each.pid, each.query) for each in found]


def queues(connection: Connection) -> dict[int, int]:
    """The number of sessions that wait for each blocker of the run."""
    holder = sessions.mutex_holder(connection, mutex.key())
    assert holder is not None
    return {each.pid: each.queue for each in sessions.blockers(connection, holder.pid)}


@pytest.mark.slow
async def test_every_session_sees_for_whom_it_waits_between_two_attempts(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """It stands in no queue then. A role without rights reads it, until the blocker has ended."""
    url = await blocked(chain, launcher, empty_database)
    await blocker.execute("BEGIN; SELECT count(*) FROM t WHERE id > 4711")
    pause = {"SUREFOOT_TEST_RETRY_FIRST_S": "20"}
    run = await launcher.start(chain, "upgrade", "head", url=url, env=pause)
    await wait_until(watcher, SHARED.format(1))
    pid = blocker.get_server_pid()
    async with engine(empty_database.access, "observe") as made, made.connect() as connection:
        query, named = await connection.run_sync(seen)
        assert query == "ALTER TABLE t ADD n int"
        assert named == [(pid, "BEGIN; SELECT count(*) FROM t WHERE id > ?")]
        # Somebody else stands in the queue, behind the blocker and not behind the run.
        waiter = await connect(empty_database.url)
        waits = asyncio.ensure_future(waiter.execute("BEGIN; LOCK TABLE t"))
        await wait_until(watcher, f"SELECT count(*) = 1 FROM {WAITING}")
        assert await connection.run_sync(queues) == {pid: 1}
        await watcher.execute(f"SELECT pg_cancel_backend({waiter.get_server_pid()})")
        with pytest.raises(asyncpg.QueryCanceledError):
            await waits
        await waiter.close()
        await connection.exec_driver_sql("SET ROLE pg_signal_backend")
        _, named = await connection.run_sync(seen)
        assert named == [(pid, "<insufficient privilege>")]
        # Another transaction of the same session does not block.
        await blocker.execute("ROLLBACK; BEGIN; SELECT 1")
        await connection.rollback()
        _, named = await connection.run_sync(seen)
        assert named == []
    run.signal(signal.SIGKILL)
    await run.end()
    await gone(empty_database)
    assert await watcher.fetchval(SHARED.format(0))


@pytest.mark.slow
async def test_a_blocker_that_the_role_may_not_look_into_is_still_named(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """A role without pg_read_all_stats sees of other users' sessions little more than the pid."""
    role = f"{empty_database.name}_owner"
    await watcher.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('ALTER TABLE t ADD n int')")
    url = empty_database.url.replace("://tester@", f"://{role}@")
    assert role in url
    first = await launcher.alembic(chain, "upgrade", "0001", url=url)
    assert first.code == 0, first.err
    await blocker.execute("BEGIN; SELECT count(*) FROM t")
    result = await launcher.alembic(chain, "upgrade", "head", url=url, env=ENV)
    assert result.code == 75, result.err
    pid = blocker.get_server_pid()
    assert (
        f"  by: pid {pid} blocker, state hidden, in a transaction for an unknown time: "
        in result.err
    )
    assert "None" not in result.err
    await blocker.execute("ROLLBACK")
    await watcher.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_a_prepared_transaction_that_blocks_is_named(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """It has no session, so it does not stand in the activity."""
    url = private_server(max_prepared_transactions="2").url("postgres")
    connection = await connect(url)
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("op.execute('ALTER TABLE t ADD n int')")
    await connection.execute("BEGIN; LOCK TABLE t; PREPARE TRANSACTION 'forgotten'")
    run = await launcher.start(chain, "upgrade", "head", url=url, env=ENV)
    await wait_until(connection, SHARED.format(1))
    async with engine(access_to(url), "observe") as made, made.connect() as observing:
        _, named = await observing.run_sync(seen)
    assert named == [(0, "")]
    result = await run.end()
    assert result.code == 75, result.err
    assert re.search(
        r"  by: prepared transaction 'forgotten' of tester, for [\d.]+ s: "
        r"COMMIT PREPARED or ROLLBACK PREPARED ends it\n",
        result.err,
    ), result.err
    await connection.close()
