"""The pytest plugin for surefoot.testing.tests: one case a revision, and each walk once a module.

A module that imports these tests defines MIGRATIONS, a ChainTests, which is read at collection, and
a fixture `migrations_scratch`, which opens empty databases. A walk runs on its own event loop, so
it does not depend on the async plugins of the project.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import anyio
import pytest

from surefoot.chain.lockfile import check_lock
from surefoot.chain.source import codes_read_once
from surefoot.compat.alembic import files_read_once
from surefoot.errors import RevisionsBroken, SurefootError
from surefoot.target import Scratch
from surefoot.testing.chain_tests import ChainTests
from surefoot.testing.offline_sql import OfflineUpgrade, run_offline
from surefoot.testing.populated_upgrade import PopulatedUpgrade, upgrade_with_rows
from surefoot.testing.round_trip import RoundTrip, walk_round_trip

T = TypeVar("T")
TESTS = "surefoot.testing.tests"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one case for each revision, or for each that a walk tests."""
    if metafunc.function.__module__ != TESTS or "revision" not in metafunc.fixturenames:
        return
    try:
        tests = _tests(metafunc.module)
        walks = {"migrations_round_trip", "migrations_populated", "migrations_offline"}
        walked = not walks.isdisjoint(metafunc.fixturenames)
        revisions = tests.line()[1] if walked else tests.revisions()
    except RevisionsBroken:
        revisions = ()  # test_the_chain_has_one_head reports it
    metafunc.parametrize("revision", revisions, ids=[r.name for r in revisions])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Report the error of a check as its message, without a traceback."""
    try:
        return (yield)
    except SurefootError as error:
        if pyfuncitem.function.__module__ != TESTS:
            raise
        raise pytest.fail.Exception(error.render(), pytrace=False) from None


@pytest.fixture(scope="module")
def migrations(request: pytest.FixtureRequest) -> ChainTests:
    """The MIGRATIONS of the module."""
    return _tests(request.module)


@pytest.fixture(scope="module")
def migrations_round_trip(migrations: ChainTests, migrations_scratch: Scratch) -> RoundTrip:
    """Every revision up, down and up again on empty tables."""
    _skip_refused_chain(migrations)
    return _done(lambda: walk_round_trip(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_populated(migrations: ChainTests, migrations_scratch: Scratch) -> PopulatedUpgrade:
    """The upgrade on tables with rows."""
    _skip_refused_chain(migrations)
    return _done(lambda: upgrade_with_rows(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_offline(
    migrations: ChainTests, migrations_scratch: Scratch, migrations_round_trip: RoundTrip
) -> OfflineUpgrade:
    """The upgrade by the output of `--sql`."""
    online = migrations_round_trip.catalogs
    return _done(lambda: run_offline(migrations, migrations_scratch, online))


def _tests(module: object) -> ChainTests:
    found = getattr(module, "MIGRATIONS", None)
    if not isinstance(found, ChainTests):
        raise pytest.UsageError(
            f"{getattr(module, '__name__', module)} imports the tests of a chain but does not name "
            "one: define MIGRATIONS = ChainTests(ini, metadata) in it"
        )
    return found


def _skip_refused_chain(tests: ChainTests) -> None:
    """Skip a chain that an upgrade refuses; another test reports the reason."""
    try:
        tests.check()
        check_lock(tests.project.lock, tests.revisions())
    except SurefootError as error:
        pytest.skip(f"an upgrade refuses this chain: {error.message}")


def _done(work: Callable[[], Awaitable[T]]) -> T:
    try:
        # Each revision is run several times; the tests do not edit its file meanwhile.
        with files_read_once(), codes_read_once():
            # A new loop that is never set as the current one: other plugins keep theirs.
            return anyio.run(work, backend_options={"loop_factory": asyncio.new_event_loop})
    except SurefootError as error:
        raise pytest.fail.Exception(error.render(), pytrace=False) from None
