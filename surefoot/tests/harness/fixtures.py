"""Databases for tests, on a server of the test run's own.

database         a clone of the migrated template
empty_database   a new database without anything in it
private_server   starts a server of the test's own

The database of a failed test is kept, and its URL is in the report. The server ends with the run;
SUREFOOT_TEST_DATABASE_URL names another one, SUREFOOT_TEST_PG_MAJOR its PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from harness import server as test_server
from harness.databases import Database, Databases, Template, connect
from harness.forks import end_forks
from harness.private import PrivateServer, private_servers
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow all but one in n of the cases of a test with the mark `sample(n)`.

    The tests of a chain come first: they share a walk, which no worker that steals some repeats.
    """
    items.sort(key=lambda item: "migrations" not in getattr(item, "fixturenames", ()))
    seen: Counter[str] = Counter()
    for item in items:
        sample = item.get_closest_marker("sample")
        if sample is None or item.get_closest_marker("slow"):
            continue
        test = item.nodeid.partition("[")[0]
        if seen[test] % sample.args[0]:
            item.add_marker(pytest.mark.slow)
        seen[test] += 1


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
def template() -> Template:
    """The project whose revisions make the template database."""
    return Template()


@pytest.fixture(scope="session")
async def databases(server: test_server.Server, template: Template) -> AsyncIterator[Databases]:
    """Makes and drops databases, for tests that need more than one."""
    admin = await connect(server.url)
    made = Databases(server, admin, f"test_{uuid.uuid4().hex[:8]}", template)
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


@pytest.fixture
def private_server(server: test_server.Server) -> Iterator[PrivateServer]:
    """Starts servers of the test's own."""
    with private_servers(server) as start:
        yield start


async def _leave(request: pytest.FixtureRequest, databases: Databases, made: Database) -> None:
    if request.node.stash.get(FAILED, False):
        databases.keep(made)
    else:
        await databases.drop(made)
