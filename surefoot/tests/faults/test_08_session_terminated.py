"""Row 8: `pg_terminate_backend` ends the session that holds the mutex, or one that waits for it.

The mutex and the work are of one session by design; the second connection of a run only looks.
"""

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from harness.databases import Database, engine, occupy
from harness.runs import Chain, Launcher
from harness.states import gone, wait_until
from surefoot.project import Project
from surefoot.run.locks import mutex
from surefoot.scratch.preparing import create_extensions

MUTEX = mutex.key()
FILE = "alembic/versions/0002_change.py"
LOCKED = (
    "FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
    "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
HOLDER = f"SELECT pg_terminate_backend(pid) {LOCKED}"
# Where the session is when it is ended: the body of the revision, how that is known, what is said.
MOMENTS = {
    "in a statement": (
        "op.execute('SELECT pg_sleep(60)')",
        "query LIKE '%pg_sleep%' AND state = 'active'",
        "13: terminating connection due to administrator command (SQLSTATE 57P01)",
    ),
    "between statements": (
        "import time; time.sleep(1)",
        "query LIKE '%half%' AND state = 'idle in transaction'",
        "14: Broken pipe (SQLSTATE 08003)",
    ),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize(("body", "state", "said"), MOMENTS.values(), ids=MOMENTS)
async def test_a_run_whose_session_was_ended_stops_before_its_next_commit(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    body: str,
    state: str,
    said: str,
) -> None:
    """It says so, nothing of the revision is kept, and the same command goes on from there."""
    await occupy(empty_database)
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add(f"op.execute('CREATE TABLE half (id int)')\n{body}\nop.execute('SELECT 1')")
    chain.add("op.execute('CREATE TABLE after (id int)')")
    url = empty_database.url
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await run.says("0001")
    await wait_until(
        watcher,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND "
        f"{state} AND pid <> pg_backend_pid()",
    )
    assert await watcher.fetchval(HOLDER)
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert result.err.endswith(
        f"ERROR [connection-lost]  the connection was lost in 0002: {FILE}:{said}\n"
        "  done: 0001\n"
        "  kept of 0002: nothing\n"
        "  help: `alembic upgrade head` goes on from there\n"
    )
    await gone(empty_database, timeout_s=1)
    assert await watcher.fetchval("SELECT to_regclass('half') IS NULL")
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    path = chain.path("0002")
    path.write_text(path.read_text().replace("(60)", "(0)").replace("sleep(1)", "sleep(0)"))
    chain.lock()
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    assert "OK  2 applied" in again.err


# The session has ended, and the loop has heard of it, before a statement of another lock class.
ENDED_BETWEEN = """\
import asyncio, os, signal
from surefoot.compat.sqlalchemy import await_only
pid = op.get_bind().exec_driver_sql("SELECT pg_backend_pid()").scalar()
os.kill(pid, signal.SIGTERM)
await_only(asyncio.sleep(0.3))
op.execute("ALTER TABLE t VALIDATE CONSTRAINT c")
"""


@pytest.mark.slow
async def test_a_run_whose_session_was_ended_between_two_statements_says_so(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The lock timeout of the next one is the first to meet it."""
    await occupy(empty_database)
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID')")
    chain.add(ENDED_BETWEEN)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 75, result.err
    assert "ERROR [connection-lost]  the connection was lost in 0003: " in result.err
    assert "  done: 0001, 0002\n" in result.err


async def test_a_run_whose_session_was_ended_in_an_index_build_goes_on(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """It says that something may be left; the same command repairs that."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    await blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await wait_until(watcher, "SELECT to_regclass('t_id') IS NOT NULL")
    assert await watcher.fetchval(HOLDER)
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert "ERROR [connection-lost]  the connection was lost in 0002: " in result.err
    assert "  kept of 0002: what its step has left, which another attempt repairs\n" in result.err
    assert "Traceback" not in result.err
    await blocker.execute("ROLLBACK")
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    assert await watcher.fetchval("SELECT bool_and(indisvalid) FROM pg_index")


@pytest.mark.slow
async def test_a_run_whose_waiting_session_was_ended_says_so(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Before it had the mutex, so it has changed nothing."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    await watcher.execute(f"SELECT pg_advisory_lock({MUTEX})")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    await run.says("WAIT [mutex-held]")
    await watcher.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert "ERROR [database-unreachable]  " in result.err
    assert "Traceback" not in result.err
    assert await watcher.fetchval("SELECT to_regclass('alembic_version') IS NULL")


@pytest.mark.slow
async def test_a_run_goes_on_without_the_session_that_looks(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The watch is a convenience: its end is not the run's."""
    chain.add("op.execute('SELECT pg_sleep(2)')")
    run = await launcher.start(chain, "upgrade", "head", url=empty_database.url)
    others = (
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        f"AND pid NOT IN (SELECT pid {LOCKED})"
    )
    await wait_until(watcher, f"SELECT count(*) = 1 {LOCKED}")
    await wait_until(watcher, f"SELECT count(*) = 1 {others}")
    assert await watcher.fetchval(f"SELECT pg_terminate_backend(pid) {others}")
    result = await run.end(timeout_s=10)
    assert result.code == 0, result.err
    assert "OK  1 applied" in result.err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["drift", "verify"])
async def test_that_of_a_scratch_database_is_no_session_of_the_database(
    chain: Chain, launcher: Launcher, empty_database: Database, command: str
) -> None:
    """Its revision is not said to have been lost in the database that is compared."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add(
        'op.execute("SELECT pg_terminate_backend(pg_backend_pid()) '
        "WHERE current_database() LIKE 'surefoot%'\")"
    )
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    done = await launcher.surefoot(chain, command, url=empty_database.url)
    said = done.out + done.err
    assert "[scratch-lost]" in said
    assert "has ended a session: alembic/versions/0002_change.py:12: terminating" in said
    assert "kept of 0002" not in said


async def test_that_which_creates_extensions_is_no_extension_that_is_missing(
    chain: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The advice was to install it on the server."""
    project = Project.read(chain.ini, extensions=("citext",))
    async with engine(empty_database.access, "migrate") as made, made.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        await watcher.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        with pytest.raises(DBAPIError) as lost:
            await create_extensions(connection, project)
    assert lost.value.connection_invalidated
