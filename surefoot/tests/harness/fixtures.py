"""Fixtures in two tiers, on a server of the test run's own.

connection, session, sessions   a transaction that is rolled back, on a migrated database
database                        a clone of the migrated template, for what needs its own:
                                several connections, migrations, locks, LISTEN, now()
empty_database                  a new database without anything in it

The database of a failed test is kept, and its URL is in the report. The server ends with the run;
SUREFOOT_TEST_DATABASE_URL names another one, SUREFOOT_TEST_PG_MAJOR its PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from app.db.session import SessionFactory, session_factory
from harness import server as test_server
from harness.databases import Database, Databases, connect
from harness.forks import end_forks
from surefoot.embedded.identity import die_with_parent

FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Every worker begins alike, and dies with its run."""
    test_server.forget_configuration()
    if hasattr(config, "workerinput"):
        # A worker in a long test would outlive a killed run by that test, and the server with it.
        die_with_parent(os.getppid(), signal.SIGKILL)
    else:
        test_server.sweep()


def pytest_unconfigure() -> None:
    end_forks()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is known to the fixtures' teardown, and names the databases that it had."""
    report = yield
    if report.failed and call.when != "teardown":
        item.stash[FAILED] = True
        for value in item.funcargs.values() if isinstance(item, pytest.Function) else ():
            if isinstance(value, Database):
                report.sections.append((f"database {value.name}, {value.keeps}", value.url))
    return report


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[test_server.Server]:
    """The server that databases are made on."""
    worker = getattr(request.config, "workerinput", {})
    external = os.environ.get("SUREFOOT_TEST_DATABASE_URL")
    run_id = worker.get("testrunuid", uuid.uuid4().hex)
    with test_server.use(external, run_id, test_server.PG_MAJOR) as used:
        yield used


@pytest.fixture(scope="session")
async def databases(server: test_server.Server) -> AsyncIterator[Databases]:
    """What makes and drops databases; for tests that need more than one."""
    admin = await connect(server.url)
    made = Databases(server, admin, prefix=f"vegafs_test_{uuid.uuid4().hex[:8]}")
    try:
        yield made
        await made.drop_all()
    finally:
        await admin.close()


@pytest.fixture
async def database(request: pytest.FixtureRequest, databases: Databases) -> AsyncIterator[Database]:
    """A migrated database of the test's own."""
    made = await databases.clone()
    yield made
    await _leave(request, databases, made)


@pytest.fixture
async def empty_database(
    request: pytest.FixtureRequest, databases: Databases
) -> AsyncIterator[Database]:
    """A database of the test's own without anything in it."""
    made = await databases.empty()
    yield made
    await _leave(request, databases, made)


async def _leave(request: pytest.FixtureRequest, databases: Databases, made: Database) -> None:
    if request.node.stash.get(FAILED, False):
        databases.keep(made)
    else:
        await databases.drop(made)


@pytest.fixture(scope="session")
async def shared_engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The application's engine on one migrated database, where every test leaves no trace."""
    shared = await databases.clone()
    engine = shared.access.engine("app")
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
async def shared_connection(shared_engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One connection for all of them: taking it from the pool would cost each test a ping."""
    async with shared_engine.connect() as opened:
        yield opened


@pytest.fixture
async def connection(shared_connection: AsyncConnection) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction that is rolled back when the test ends."""
    transaction = await shared_connection.begin()
    yield shared_connection
    if transaction.is_active:
        await transaction.rollback()


@pytest.fixture
def sessions(connection: AsyncConnection) -> SessionFactory:
    """Sessions on `connection`: their commits are savepoints, and all of them see each other."""
    factory = session_factory(connection.engine)
    factory.configure(bind=connection, join_transaction_mode="create_savepoint")
    return factory


@pytest.fixture
async def session(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A session on `connection`."""
    async with sessions() as opened:
        yield opened
