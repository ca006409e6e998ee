"""PgBouncer between a migration and the server."""

from collections import Counter
from functools import partial

import asyncpg
import pytest

from harness import pooler
from harness.databases import Database
from harness.runs import Chain, Launcher, one_applied
from harness.states import wait_until
from surefoot.quoting import literal

pytestmark = pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")

RUNS = 6
SLOW = partial(pytest.param, marks=pytest.mark.slow)
# A pooler that lets a migration's settings pass by, and forgets them.
FORGETFUL = {
    "ignore_startup_parameters": "lock_timeout,statement_timeout,transaction_timeout,"
    "idle_in_transaction_session_timeout,idle_session_timeout,client_connection_check_interval,"
    "tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count,tcp_user_timeout"
}
MUTEXES = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
HELP = (
    "  help: set the database URL that env.py names to the server itself; the service stays "
    "behind the pooler\n"
)


@pytest.fixture
def slow(chain: Chain) -> Chain:
    """Revisions that two runs at once would trip over."""
    chain.add("op.execute('CREATE TABLE ran (revision text)')")
    chain.add("op.execute(\"INSERT INTO ran SELECT '0002' FROM pg_sleep(0.3)\")")
    return chain


async def refused(
    chain: Chain, launcher: Launcher, database: Database, url: str, reason: str
) -> None:
    """On failure: AssertionError, unless every run refuses, says why, and changes nothing."""
    runs = await launcher.start_many(chain, "upgrade", "head", count=RUNS, url=url)
    results = [await run.end() for run in runs]
    assert Counter(result.code for result in results) == {3: RUNS}, results[0].err
    for result in results:
        assert result.err.startswith("REFUSED [pooler]  127.0.0.1:")
        assert f" is a pooler ({reason}" in result.err
        assert result.err.endswith(HELP)


@pytest.mark.parametrize("mode", ["transaction", SLOW("session")])
async def test_a_pooler_that_refuses_the_settings_is_named(
    slow: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    mode: str,
) -> None:
    """PgBouncer as it comes does not let a migration connect, and the answer says what helps."""
    with pooler.pooling(empty_database.url, mode=mode) as url:
        await refused(slow, launcher, empty_database, url, "unsupported startup parameter")
    assert await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ 'alembic'") == 0


@pytest.mark.slow
@pytest.mark.parametrize("role_has_limits", [False, True], ids=["plain", "limits of the role"])
async def test_a_pooler_that_forgets_the_settings_is_named(
    slow: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role_has_limits: bool,
) -> None:
    """Also where the session looks as it should, because the database has a lock timeout."""
    if role_has_limits:
        await watcher.execute(
            f'ALTER DATABASE "{empty_database.name}" SET lock_timeout = 2000;'
            f'ALTER DATABASE "{empty_database.name}" SET client_connection_check_interval = 500'
        )
    with pooler.pooling(empty_database.url, **FORGETFUL) as url:
        await refused(slow, launcher, empty_database, url, "the connection is to process ")
    assert await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ 'alembic'") == 0
    assert await watcher.fetchval(MUTEXES) == 0


@pytest.mark.slow
async def test_a_pooler_without_transactions_is_named(
    slow: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """In statement mode neither a migration nor a service gets a transaction."""
    with pooler.pooling(empty_database.url, mode="statement", **FORGETFUL) as url:
        done = await launcher.alembic(slow, "upgrade", "head", url=url)
    assert (done.code, done.err.splitlines()[0].partition("  ")[0]) == (
        3,
        "REFUSED [pooler-without-transactions]",
    ), done.err
    assert "pool_mode to transaction; for migrations, set the database URL that env.py" in done.err


@pytest.mark.parametrize("settings", [{}, SLOW(FORGETFUL)], ids=["as it comes", "forgetful"])
@pytest.mark.parametrize("command", [("drift",), SLOW(("lint",)), SLOW(("squash", "head"))])
async def test_a_scratch_server_behind_one_is_named(
    slow: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    settings: dict[str, str],
    command: tuple[str, ...],
) -> None:
    """The setting that helps is its own; no scratch database is left."""
    done = await launcher.alembic(slow, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    scratches = (
        "SELECT array_agg(datname) FROM pg_database WHERE datname LIKE 'surefoot\\_scratch%'"
    )
    before = await watcher.fetchval(scratches) or []
    with pooler.pooling(empty_database.url, **settings) as url:
        env = {"SUREFOOT_TEST_SCRATCH_URL": url}
        run = await launcher.start(
            slow, *command, url=empty_database.url, env=env, program="surefoot"
        )
        done = await run.end()
    assert done.code == 3, done.err
    assert "the scratch server at 127.0.0.1:" in done.err
    assert "help: set Database(scratch_url=…) to the server itself" in done.err
    # Those of other tests go when these end.
    left = {*(await watcher.fetchval(scratches) or [])} - {*before}
    named = ", ".join(map(literal, ("none", *left)))
    await wait_until(
        watcher, f"SELECT count(*) = 0 FROM pg_database WHERE datname IN ({named})", timeout_s=60
    )


@pytest.mark.slow
async def test_services_are_looked_for_by_the_direct_url(
    slow: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """As by the other commands."""
    env = {"SUREFOOT_TEST_MIGRATE_URL": empty_database.url}
    with pooler.pooling(empty_database.url) as url:
        run = await launcher.start(slow, "services", url=url, env=env, program="surefoot")
        done = await run.end()
    assert (done.code, done.err) == (0, "0 services are running\n")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, SLOW(FORGETFUL)], ids=["as it comes", "forgetful"])
async def test_with_a_direct_url_it_works(
    slow: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    settings: dict[str, str],
) -> None:
    """The service stays behind the pooler; one run applies and the others find nothing to do."""
    env = {"SUREFOOT_TEST_MIGRATE_URL": empty_database.url}
    with pooler.pooling(empty_database.url, **settings) as url:
        runs = await launcher.start_many(slow, "upgrade", "head", count=RUNS, url=url, env=env)
        one_applied([await run.end() for run in runs], applied=2)
        current = await launcher.alembic(slow, "current", url=url, env=env)
    assert (current.code, current.out) == (0, "0002 (head)\n")
    assert await watcher.fetchval("SELECT array_agg(revision) FROM ran") == ["0002"]
