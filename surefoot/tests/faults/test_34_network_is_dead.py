"""The network of a run goes dead in the middle of a revision, or its client is stopped."""

import asyncio
import random
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import URL

import surefoot
from harness.databases import Database, access_to, engine
from harness.private import PrivateServer
from harness.proxy import Network
from harness.runs import Chain, Launcher, Points
from harness.states import wait_until
from surefoot.compat.asyncpg import socket_of
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import explain, is_lost
from surefoot.errors import DatabaseUnreachable
from surefoot.run.locks import mutex
from surefoot.target import Target

IDLE_S = 1.0
IDLE = {"SUREFOOT_TEST_IDLE_IN_TRANSACTION_TIMEOUT_S": str(IDLE_S)}
# The statement under way, the server's timeout, and what the server takes to end a session.
GONE_WITHIN_S = 1.0 + IDLE_S + 3.0
ENDED_WITHIN_S = 5.0
LOCKED = (
    "SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass "
    "AND mode = 'AccessExclusiveLock' AND granted"
)
OURS = "pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%migrate%'"
FREE = LOCKED.replace("> 0", "= 0")


@pytest.fixture
async def network(empty_database: Database) -> AsyncIterator[Network]:
    """The way to the test's database."""
    async with Network(empty_database.url).up() as up:
        yield up


@pytest.fixture
async def locking(chain: Chain, launcher: Launcher, empty_database: Database) -> Chain:
    """A chain whose next revision has a lock that readers wait for."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    chain.add(
        "op.execute('ALTER TABLE t ADD n int')\n"
        "op.execute('SELECT pg_sleep(1)')\n"
        "op.execute('ALTER TABLE t ADD m int')"
    )
    return chain


@pytest.mark.slow
async def test_the_locks_of_a_client_that_is_cut_off_are_gone(
    locking: Chain, launcher: Launcher, network: Network, watcher: asyncpg.Connection
) -> None:
    """The server ends the silent session, SIGTERM the client; the same command goes on."""
    run = await launcher.start(locking, "upgrade", "head", url=network.url, env=IDLE)
    # A session whose statement is prepared, and not yet run, is not idle for the server.
    await wait_until(watcher, f"SELECT count(*) = 1 FROM {OURS} AND wait_event = 'PgSleep'")
    network.cut()
    await wait_until(watcher, FREE, timeout_s=GONE_WITHIN_S)
    assert not run.has_ended
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=ENDED_WITHIN_S)
    assert result.code == 143, result.err
    assert "ERROR [interrupted]  interrupted; done: nothing\n" in result.err
    assert "Traceback" not in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "at",
    [5, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 3, 9, 15, 20, 25, 30, 35, 40))],
)
async def test_a_run_is_told_to_stop_wherever_its_network_went_dead(
    at: int, chain: Chain, launcher: Launcher, network: Network
) -> None:
    """While it connects, looks, waits or migrates, it ends within the promised time."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    run = await launcher.start(
        chain, "upgrade", "head", url=network.url, points=Points(at, signal=signal.SIGSTOP)
    )
    await run.stops()
    network.cut()
    run.signal(signal.SIGCONT)
    await asyncio.sleep(0.05)
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=ENDED_WITHIN_S)
    assert result.code == 143, result.err
    assert "ERROR [interrupted]" in result.err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["current", "upgrade head", "stamp head", "check"])
async def test_a_command_is_told_to_stop_while_it_connects(
    command: str, chain: Chain, launcher: Launcher, network: Network
) -> None:
    """Nobody answers the new connection, and the time to connect is longer."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    network.cut()
    run = await launcher.start(chain, *command.split(), url=network.url)
    await asyncio.sleep(1)
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=ENDED_WITHIN_S)
    # The first look of an upgrade has nothing that it would have to end.
    assert result.code in (143, -signal.SIGTERM), result.err


async def test_a_task_is_cancelled_while_it_connects(chain: Chain, network: Network) -> None:
    """Nobody answers, and the connection would be waited for much longer."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    network.cut()
    patient = replace(access_to(network.url), connect_timeout_s=60)
    async with engine(patient, "migrate") as made:
        task = asyncio.create_task(surefoot.upgrade(Target.of(made, chain.ini)))
        await asyncio.sleep(0.2)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=ENDED_WITHIN_S)
        assert done
        assert task.cancelled()


def test_a_session_that_the_server_ended_is_unreachable() -> None:
    """Also where the reason came before the socket was reset."""
    error = asyncpg.exceptions.IdleInTransactionSessionTimeoutError("terminating connection")
    error.__cause__ = ConnectionResetError("Connection reset by peer")
    url = URL.create("postgresql", "u", host="h", database="d")
    assert isinstance(explain(error, url), DatabaseUnreachable)


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(4))
async def test_a_session_that_ends_between_two_statements_is_lost(
    empty_database: Database, turns: int
) -> None:
    """However far the loop has come with the last words of the server."""
    async with engine(empty_database.access, "migrate") as made, made.connect() as connection:
        await connection.exec_driver_sql("SET idle_in_transaction_session_timeout = '50ms'")
        time.sleep(0.2)  # the loop reads nothing meanwhile
        for _ in range(turns):
            await asyncio.sleep(0)
        with pytest.raises(DATABASE_ERRORS) as caught:
            await connection.exec_driver_sql("SELECT 1")
        assert is_lost(caught.value)
        await connection.invalidate()


@pytest.mark.slow
async def test_the_locks_of_a_client_that_is_stopped_are_gone(
    locking: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """When it goes on it learns that its session was ended, and the same command continues."""
    url = empty_database.url
    run = await launcher.start(locking, "upgrade", "head", url=url, env=IDLE)
    await wait_until(watcher, LOCKED)
    run.signal(signal.SIGSTOP)
    try:
        await wait_until(watcher, FREE, timeout_s=GONE_WITHIN_S)
    finally:
        run.signal(signal.SIGCONT)
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert "  the connection was lost in 0002: " in result.err
    assert "another operation" not in result.err
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
    again = await launcher.alembic(locking, "upgrade", "head", url=url, env=IDLE)
    assert again.code == 0, again.err


@pytest.mark.slow
async def test_a_revision_that_works_in_python_for_too_long_names_the_limit(
    locking: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The server cannot tell it from a client that was cut off."""
    body = locking.path("0002").read_text("utf-8")
    slow = f"import time; time.sleep({IDLE_S + 0.5})"
    locking.path("0002").write_text(body.replace("op.execute('SELECT pg_sleep(1)')", slow))
    locking.lock()
    result = await launcher.alembic(locking, "upgrade", "head", url=empty_database.url, env=IDLE)
    assert result.code == 75, result.err
    assert "ERROR [idle-for-too-long]  the connection was lost in 0002: " in result.err
    assert "Limits(idle_in_transaction_timeout_s=…)" in result.err
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["statement", "pause", "step", "mutex", "look"])
async def test_sigterm_ends_a_client_that_waits_for_a_dead_socket(
    locking: Chain,
    launcher: Launcher,
    network: Network,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    where: str,
) -> None:
    """Wherever it waits for an answer."""
    command, env = ("upgrade", "head"), {"SUREFOOT_TEST_LOCK_TIMEOUT_S": "60"}
    waiting = f"SELECT count(*) > 0 FROM {OURS} AND wait_event_type = 'Lock'"
    if where == "statement":
        waiting = LOCKED
    elif where == "pause":
        await blocker.execute("BEGIN; SELECT FROM t")
    elif where == "step":
        locking.path("0002").unlink()
        locking.add("op.create_index_concurrently('t_id', 't', ['id'])")
        await blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
    elif where == "mutex":
        await blocker.execute(f"SELECT pg_advisory_lock({mutex.key()})")
        waiting = f"SELECT count(*) > 0 FROM {OURS} AND query LIKE '%pg_locks%'"
    else:
        await blocker.execute("BEGIN; LOCK TABLE alembic_version")
        command = ("current", "")
    run = await launcher.start(locking, *filter(None, command), url=network.url, env=env)
    if where == "pause":
        await run.says("attempt 2 in")
    else:
        await wait_until(watcher, waiting)
    network.cut()
    await asyncio.sleep(0.2)
    run.signal(signal.SIGTERM)
    result = await run.end(timeout_s=ENDED_WITHIN_S)
    assert result.code == 143, result.err
    assert "Traceback" not in result.err
    assert "interrupted" in result.err.splitlines()[-1 if where == "look" else -2]


@pytest.mark.slow
async def test_either_end_of_a_session_finds_out(private_server: PrivateServer) -> None:
    """The system asks a silent peer, for the server and for the client, and gives up on it."""
    host = ".".join(["127", *(str(random.randint(1, 250)) for _ in range(3))])
    private_server(listen_addresses=host)
    url = f"postgresql://tester@{host}/postgres"
    connection = await surefoot.Database(url).connect("migrate")
    expected = {
        "tcp_keepalives_idle": "15",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "30000",
        "idle_in_transaction_session_timeout": "1min",
    }
    assert {name: await connection.fetchval(f"SHOW {name}") for name in expected} == expected
    ours = socket_of(connection)
    options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    found = [ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in options]
    assert found == [15, 5, 3, 30_000]
    await connection.close()
