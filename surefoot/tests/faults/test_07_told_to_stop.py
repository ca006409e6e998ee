"""SIGTERM, SIGINT and the cancellation of a task."""

import asyncio
import signal

import anyio
import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from harness.databases import WAITING, Database, engine, occupy
from harness.runs import Chain, Launcher
from harness.states import gone, wait_until
from surefoot.run.commands import upgrade
from surefoot.run.locks import mutex
from surefoot.target import Target

CANCELLED_WITHIN_S = 1.0
UNDER_NOHUP = pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="nohup leaves SIGHUP ignored"
)
SIGNALS = [
    (signal.SIGTERM, 143),
    pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    pytest.param(signal.SIGHUP, 129, marks=[pytest.mark.slow, UNDER_NOHUP]),
]
SLEEPS = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"
)
NOBODY_SLEEPS = SLEEPS.replace("= 1", "= 0")
MUTEX = f"pg_try_advisory_lock({mutex.key()})"


@pytest.fixture
async def sleepy(chain: Chain, empty_database: Database) -> Chain:
    """A revision that is quick, and one that takes a minute."""
    await occupy(empty_database)
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('CREATE TABLE half (id int)')\nop.execute('SELECT pg_sleep(60)')")
    return chain


async def check_left(database: Database, watcher: asyncpg.Connection, *outcomes: str) -> None:
    """On failure: AssertionError, unless the mutex is free, nobody is left, and it was recorded."""
    await gone(database, timeout_s=CANCELLED_WITHIN_S)
    assert await watcher.fetchval(f"SELECT {MUTEX}")
    await watcher.execute("SELECT pg_advisory_unlock_all()")
    rows = await watcher.fetch("SELECT outcome, error FROM alembic_version_ledger ORDER BY id")
    assert tuple(row["outcome"] for row in rows) == outcomes
    if outcomes[-1] == "failed":
        assert rows[-1]["error"].startswith("interrupted; done: ")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
async def test_a_signal_cancels_the_statement(
    sleepy: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    number: signal.Signals,
    code: int,
) -> None:
    """Cancelled in the server, rolled back, recorded, and exited with the signal's own code."""
    run = await launcher.start(sleepy, "upgrade", "head", url=empty_database.url)
    await wait_until(watcher, SLEEPS)
    run.signal(number)
    await wait_until(watcher, NOBODY_SLEEPS, timeout_s=CANCELLED_WITHIN_S)
    result = await run.end(timeout_s=5)
    assert result.code == code, result.err
    assert result.err.endswith(
        "ERROR [interrupted]  interrupted; done: 0001\n"
        "  help: the same command goes on from there\n"
    )
    assert "Traceback" not in result.err
    await check_left(empty_database, watcher, "applied", "failed")
    assert await watcher.fetchval("SELECT to_regclass('half') IS NULL")
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"


async def test_it_is_cancelled_after_a_set_role(
    sleepy: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Sessions begin as a role that is no member of the one whose session is to be cancelled."""
    owner, login = f"{empty_database.name}_owner", f"{empty_database.name}_login"
    await watcher.execute(
        f"CREATE ROLE {owner}; CREATE ROLE {login} LOGIN; GRANT {owner} TO {login}; "
        f"ALTER ROLE {login} SET role = {owner}; GRANT ALL ON SCHEMA public TO {owner}"
    )
    try:
        url = empty_database.url.replace("://tester@", f"://{login}@")
        run = await launcher.start(sleepy, "upgrade", "head", url=url)
        await wait_until(watcher, SLEEPS)
        run.signal(signal.SIGTERM)
        await wait_until(watcher, NOBODY_SLEEPS, timeout_s=CANCELLED_WITHIN_S)
        result = await run.end(timeout_s=5)
        assert (result.code, "[interrupted]" in result.err) == (143, True), result.err
        await check_left(empty_database, watcher, "applied", "failed")
    finally:
        await watcher.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}, {login}")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
async def test_a_signal_ends_the_wait_for_the_mutex(
    sleepy: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    number: signal.Signals,
    code: int,
) -> None:
    """A run that waits for another one stops at once, and has changed nothing."""
    await watcher.execute(f"SELECT {MUTEX}")
    run = await launcher.start(
        sleepy,
        *("upgrade", "head"),
        url=empty_database.url,
        env={"SUREFOOT_TEST_MUTEX_WAIT_S": "60"},
    )
    await run.says("WAIT [mutex-held]")
    run.signal(number)
    result = await run.end(timeout_s=CANCELLED_WITHIN_S)
    assert result.code == code, result.err
    assert "interrupted; done: nothing" in result.err
    await gone(empty_database, timeout_s=CANCELLED_WITHIN_S)
    assert await watcher.fetchval("SELECT to_regclass('alembic_version') IS NULL")


@pytest.mark.slow
async def test_a_signal_ends_the_pause_between_two_attempts(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """A run that waits for its next attempt at a lock stops at once."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    await blocker.execute("BEGIN; LOCK TABLE t IN SHARE MODE")
    run = await launcher.start(
        chain,
        *("upgrade", "head"),
        url=empty_database.url,
        env={"SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.05", "SUREFOOT_TEST_RETRY_LONGEST_S": "0.3"},
    )
    await run.says("attempt 4 in")
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=CANCELLED_WITHIN_S)
    assert result.code == 143, result.err
    await check_left(empty_database, watcher, "applied", "measured", "failed")


@pytest.mark.slow
async def test_a_signal_cancels_an_index_build(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """The rest of the index is invalid, and the same command builds it again."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    url = empty_database.url
    first = await launcher.alembic(chain, "upgrade", "0001", url=url)
    assert first.code == 0, first.err
    await blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await wait_until(watcher, "SELECT to_regclass('t_id') IS NOT NULL")
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=CANCELLED_WITHIN_S)
    assert result.code == 143, result.err
    await check_left(empty_database, watcher, "applied", "measured", "started", "failed")
    await blocker.execute("ROLLBACK")
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    assert await watcher.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"
    )


async def test_a_cancelled_task_cancels_the_statement(
    sleepy: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """`task.cancel()` ends with CancelledError when everything is in order again."""
    async with engine(empty_database.access, "migrate") as made:
        task = asyncio.create_task(upgrade(Target.of(made, sleepy.ini)))
        await wait_until(watcher, SLEEPS)
        task.cancel()
        await wait_until(watcher, NOBODY_SLEEPS, timeout_s=CANCELLED_WITHIN_S)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    await check_left(empty_database, watcher, "applied", "failed")
    assert await watcher.fetchval("SELECT to_regclass('half') IS NULL")


@pytest.mark.slow
async def test_a_timeout_around_an_upgrade_is_a_cancellation(
    sleepy: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """`asyncio.wait_for` gets its TimeoutError, and the next upgrade can begin."""
    async with engine(empty_database.access, "migrate") as made:
        task = asyncio.create_task(upgrade(Target.of(made, sleepy.ini)))
        await wait_until(watcher, SLEEPS)
        with pytest.raises((asyncio.TimeoutError, TimeoutError)):
            await asyncio.wait_for(task, 0.1)
        await check_left(empty_database, watcher, "applied", "failed")
        sleepy.path("0002").write_text(sleepy.path("0002").read_text().replace("(60)", "(0)"))
        sleepy.lock()
        report = await upgrade(Target.of(made, sleepy.ini))
    assert [step.revision for step in report.steps] == ["0002"]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["a scope of anyio", "two cancellations"])
async def test_a_task_that_is_cancelled_again_waits_for_the_end_of_its_run(
    sleepy: Chain, empty_database: Database, watcher: asyncpg.Connection, by: str
) -> None:
    """The second cancellation had left the statement to itself, with its locks and the mutex."""
    async with engine(empty_database.access, "migrate") as made:

        async def cancelled_upgrade() -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                await upgrade(Target.of(made, sleepy.ini))

        scopes: list[anyio.CancelScope] = []
        task = asyncio.create_task(cancelled_upgrade())
        await wait_until(watcher, SLEEPS)
        if by == "a scope of anyio":
            scopes[0].cancel()
        else:
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.done()
        assert task.cancelled() == (by == "two cancellations")
        assert asyncio.all_tasks() == {asyncio.current_task()}
    await check_left(empty_database, watcher, "applied", "failed")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
async def test_a_signal_ends_a_command_that_only_looks(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    number: signal.Signals,
    code: int,
) -> None:
    """`alembic current` that waits for a lock stops at once, without a traceback."""
    await blocker.execute("CREATE TABLE alembic_version (version_num text)")
    await blocker.execute("BEGIN; LOCK TABLE alembic_version")
    run = await launcher.start(
        chain, "current", url=empty_database.url, env={"SUREFOOT_TEST_LOCK_TIMEOUT_S": "60"}
    )
    await wait_until(watcher, f"SELECT count(*) = 1 FROM {WAITING}")
    run.signal(number)
    result = await run.end(timeout_s=CANCELLED_WITHIN_S)
    assert (result.code, result.out) == (code, "")
    assert result.err == "ERROR [interrupted]  interrupted\n"
    await gone(empty_database, timeout_s=CANCELLED_WITHIN_S)


async def test_ctrl_c_ends_a_command_that_handles_no_signals(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
) -> None:
    """`alembic history` that waits for a lock stops at once, without a traceback."""
    await blocker.execute("CREATE TABLE alembic_version (version_num text)")
    await blocker.execute("BEGIN; LOCK TABLE alembic_version")
    run = await launcher.start(
        chain, "history", url=empty_database.url, env={"SUREFOOT_TEST_LOCK_TIMEOUT_S": "60"}
    )
    await wait_until(watcher, f"SELECT count(*) = 1 FROM {WAITING}")
    run.signal(signal.SIGINT)
    result = await run.end(timeout_s=CANCELLED_WITHIN_S)
    assert (result.code, result.out) == (130, "")
    assert result.err == "ERROR [interrupted]  interrupted\n"
    await gone(empty_database, timeout_s=CANCELLED_WITHIN_S)


async def test_a_command_runs_in_a_thread(
    sleepy: Chain, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals are of the main thread; elsewhere an upgrade does without them."""
    monkeypatch.setenv("DATABASE_URL", empty_database.url)
    config = Config(sleepy.ini)
    await asyncio.to_thread(command.upgrade, config, "0001")
    assert config.attributes["report"].after == ("0001",)
