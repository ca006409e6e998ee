"""`-2` and `+2` lead no further than they did when the run began, however often it tries."""

import signal
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import pytest

from harness.databases import Database, engine
from harness.runs import Chain, Launcher, Run
from surefoot.startup.looks import read_broken_off

QUICK = {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.1", "SUREFOOT_TEST_RETRY_LONGEST_S": "1"}
GIVES_UP = {**QUICK, "SUREFOOT_TEST_LOCK_BUDGET_S": "0.3"}
TABLES = range(1, 6)
VERSION = "SELECT max(version_num) FROM alembic_version"
ALTERED = (
    "SELECT count(*) FROM pg_attribute WHERE attname = 'n' AND attrelid::regclass::text ~ '^t'"
)

Begin = Callable[..., Awaitable[Run]]


@pytest.fixture
async def tables(chain: Chain) -> Chain:
    """A chain whose revisions alter a table each."""
    chain.add(
        "\n".join(f"op.execute('CREATE TABLE t{number} (id int)')" for number in TABLES),
        "\n".join(f"op.execute('DROP TABLE t{number}')" for number in TABLES),
    )
    for number in TABLES[1:]:
        chain.add(
            f"op.execute('ALTER TABLE t{number} ADD n int')",
            f"op.execute('ALTER TABLE t{number} DROP n')",
        )
    return chain


@pytest.fixture
def begin(
    tables: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> Begin:
    """Begin a run where 0003 has to wait for the blocker."""

    async def begun(start: str, command: str, env: Mapping[str, str] = QUICK) -> Run:
        url = empty_database.url
        done = await launcher.alembic(tables, "upgrade", start, url=url)
        assert done.code == 0, done.err
        await blocker.execute("BEGIN; LOCK TABLE t3 IN ACCESS SHARE MODE")
        run = await launcher.start(tables, *command.split(), url=url, env=env)
        await run.says("BLOCKED [lock-blocked]  0003")
        return run

    return begun


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("start", "command", "expected"),
    [
        ("0004", "downgrade -2", "0002"),
        ("0005", "downgrade -3", "0002"),
        ("0003", "downgrade -1", "0002"),
        ("0004", "downgrade -4", None),
        ("0004", "downgrade 0004-2", "0002"),
        ("0001", "upgrade +2", "0003"),
        ("0002", "upgrade +1", "0003"),
        ("0001", "upgrade +4", "0005"),
    ],
)
async def test_an_attempt_after_another_goes_no_further(
    begin: Begin,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    start: str,
    command: str,
    expected: str | None,
) -> None:
    """Alembic counts from where the database is by then."""
    run = await begin(start, command)
    await blocker.execute("ROLLBACK")
    done = await run.end()
    assert done.code == 0, done.err
    assert await watcher.fetchval(VERSION) == expected
    assert await watcher.fetchval(ALTERED) == (int(expected) - 1 if expected else 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "command", "named"),
    [
        ("0004", "downgrade -3", "downgrade 0001"),
        ("0005", "downgrade -5", "downgrade base"),
        ("0001", "upgrade +3", "upgrade 0004"),
    ],
)
@pytest.mark.parametrize("end", ["terminated", "signalled", "blocked"])
async def test_the_command_that_goes_on_is_named(
    begin: Begin,
    tables: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    start: str,
    command: str,
    named: str,
    end: str,
) -> None:
    """The one that was typed would lead further once a revision is done."""
    run = await begin(start, command, GIVES_UP if end == "blocked" else QUICK)
    if end == "signalled":
        run.signal(signal.SIGTERM)
    elif end == "terminated":
        await watcher.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND application_name <> 'blocker'"
        )
    done = await run.end()
    assert done.code == (143 if end == "signalled" else 75), done.err
    assert f"`alembic {named}`" in done.err, done.err
    await blocker.execute("ROLLBACK")
    again = await launcher.alembic(tables, *named.split(), url=empty_database.url)
    assert again.code == 0, again.err
    expected = named.rpartition(" ")[2]
    assert await watcher.fetchval(VERSION) == (None if expected == "base" else expected)


@pytest.mark.slow
async def test_a_failure_names_it_and_a_later_run_ends_the_notice(
    tables: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Of a downgrade that failed and left nothing, once another step was done."""
    url = empty_database.url
    assert (await launcher.alembic(tables, "upgrade", "head", url=url)).code == 0
    await watcher.execute("CREATE VIEW v AS SELECT n FROM t4")
    failed = await launcher.alembic(tables, "downgrade", "-3", url=url)
    assert failed.code == 4, failed.err
    assert "after it, then `alembic downgrade 0002` again" in failed.err
    failed = await launcher.alembic(tables, "downgrade", "-1", url=url)
    assert "after it, then `alembic downgrade -1` again" in failed.err
    told = await launcher.surefoot(tables, "status", url=url)
    assert "run-failed" in told.out, told.out
    assert "run `alembic downgrade 0003` again" in told.out, told.out
    assert await broken_off(empty_database) == 1
    assert (await launcher.alembic(tables, "upgrade", "head", url=url)).code == 0
    told = await launcher.surefoot(tables, "status", url=url)
    assert "run-failed" not in told.out, told.out
    assert await broken_off(empty_database) == 0


async def broken_off(database: Database) -> int:
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(read_broken_off)
