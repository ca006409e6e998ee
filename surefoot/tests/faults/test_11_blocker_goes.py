"""A blocker goes after some attempts."""

import asyncio
import re
from dataclasses import replace

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from harness.databases import Database, connect, engine
from harness.private import PrivateServer
from harness.runs import Chain, Launcher
from harness.states import wait_until
from surefoot.connect.limits import Limits
from surefoot.run.events import Blocked, Event

SETTINGS = "SELECT name, setting FROM pg_settings WHERE name <> 'application_name' ORDER BY name"


@pytest.fixture
async def blocked(
    chain: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> Chain:
    """A chain whose next revision writes a row and meets a lock."""
    chain.add("op.execute('CREATE TABLE t (id int)')\nop.execute('CREATE TABLE ran (n int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add("op.execute('INSERT INTO ran VALUES (2)')\nop.execute('ALTER TABLE t ADD n int')")
    await blocker.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
    return chain


@pytest.mark.parametrize("failing", [1, pytest.param(3, marks=pytest.mark.slow)])
async def test_the_attempt_after_the_blocker_has_gone_succeeds(
    blocked: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    failing: int,
) -> None:
    """After k attempts in vain the next one applies it, once, and the ledger knows how many."""
    run = await launcher.start(
        blocked,
        *("upgrade", "head"),
        url=empty_database.url,
        env={"SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.1", "SUREFOOT_TEST_RETRY_LONGEST_S": "1"},
    )
    await run.says(f"attempt {failing + 1} in")
    await blocker.execute("ROLLBACK")
    result = await run.end(timeout_s=20)
    assert result.code == 0, result.err
    assert result.err.count("BLOCKED") == failing
    assert await watcher.fetchval("SELECT array_agg(n) FROM ran") == [2]
    assert await watcher.fetchval(
        "SELECT attempts FROM alembic_version_ledger WHERE revision = '0002'"
    ) == (failing + 1)


@pytest.mark.slow
async def test_each_attempt_begins_with_the_module_as_it_is_loaded(
    blocked: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """A MetaData beside the function has no table of the attempt before."""
    file = blocked.path("0002")
    code = file.read_text("utf-8").replace("\n\ndef up", "metadata = sa.MetaData()\n\n\ndef up")
    table = "sa.Table('of_the_attempt', metadata, sa.Column('n'))\n    op.execute('INS"
    file.write_text(code.replace("op.execute('INS", table), "utf-8")
    blocked.lock()
    run = await launcher.start(blocked, "upgrade", "head", url=empty_database.url)
    await run.says("attempt 2 in")
    await blocker.execute("ROLLBACK")
    result = await run.end(timeout_s=20)
    assert result.code == 0, result.err


@pytest.mark.slow
async def test_autovacuum_gives_way(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """It yields to who has waited for deadlock_timeout, longer than a reader may wait for us."""
    url = private_server(autovacuum_naptime="1s").url("postgres")
    chain.add(
        """
        op.execute(
            "CREATE TABLE t (id int) WITH (autovacuum_vacuum_threshold = 0, "
            "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, "
            "autovacuum_vacuum_cost_limit = 1)"
        )
        """
    )
    chain.add("op.execute('INSERT INTO t SELECT generate_series(1, 50000)')")
    chain.add("op.execute('DELETE FROM t')")
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 0, result.err
    connection = await connect(url)
    vacuums = (
        "SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass AND granted "
        "AND mode = 'ShareUpdateExclusiveLock'"
    )
    await wait_until(connection, vacuums, timeout_s=60)
    chain.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 0, result.err
    assert re.search(r"\n  by: pid \d+ autovacuum worker", result.err), result.err
    assert result.err.count("BLOCKED") <= 2
    # It did not wait for the end of the vacuum instead, which takes most of a minute.
    ended = "SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 't'"
    assert await connection.fetchval(ended) == 0
    await connection.close()


@pytest.mark.slow
async def test_the_session_is_as_it_was(
    blocked: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """On the very connection that was handed in, after retries and every class of lock."""
    blocked.add("op.create_index_concurrently('t_id', 't', ['id'])")
    blocked.add("op.execute('ALTER TABLE t ADD CHECK (id > 0) NOT VALID')")
    blocked.add("op.execute('ALTER TABLE t VALIDATE CONSTRAINT t_id_check')")
    config = Config(blocked.ini)
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Blocked):
            # A word from another session is enough; this one is in the middle of its run.
            task = asyncio.ensure_future(blocker.execute("ROLLBACK"))
            tasks.append(task)

    def call(connection: Connection) -> None:
        limits = Limits(retry_first_s=0.2)
        config.attributes.update(connection=connection, limits=limits, listen=listen)
        command.upgrade(config, "head")

    tasks: list[asyncio.Task[str]] = []
    settings = replace(empty_database.access, limits=Limits(lock_timeout_s=0.2))
    async with engine(settings, "migrate") as made, made.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        before = (await connection.execute(text(SETTINGS))).all()
        await connection.rollback()
        await connection.run_sync(call)
        assert any(isinstance(event, Blocked) for event in events)
        assert not connection.in_transaction()
        assert await connection.scalar(text("SELECT pg_backend_pid()")) == pid
        assert (await connection.execute(text(SETTINGS))).all() == before
        held = text("SELECT count(*) FROM pg_locks WHERE pid = :p AND locktype = 'advisory'")
        assert await connection.scalar(held, {"p": pid}) == 0
