"""What runs the tests of surefoot.testing.tests: a case a revision, and each walk once.

A module that imports them defines MIGRATIONS, a ChainTests, which is read when tests are collected,
and a fixture `migrations_scratch`, which opens empty databases. A walk runs on an event loop of
its own, so it does not matter what else the project's tests use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import anyio
import pytest

from surefoot.chain.lockfile import check_lock
from surefoot.errors import RevisionsBroken, SurefootError
from surefoot.target import Scratch
from surefoot.testing.chain_tests import ChainTests
from surefoot.testing.offline_sql import OfflineUpgrade, offline
from surefoot.testing.populated_upgrade import PopulatedUpgrade, upgrade_with_rows
from surefoot.testing.round_trip import RoundTrip, walk_round_trip

T = TypeVar("T")
TESTS = "surefoot.testing.tests"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each revision; for a walk, each that it tries."""
    if metafunc.function.__module__ != TESTS or "revision" not in metafunc.fixturenames:
        return
    try:
        project = _project(metafunc.module)
        walks = {"migrations_round_trip", "migrations_populated", "migrations_offline"}
        walked = not walks.isdisjoint(metafunc.fixturenames)
        revisions = project.line()[1] if walked else project.revisions()
    except RevisionsBroken:
        revisions = ()  # the test of the chain says so
    metafunc.parametrize("revision", revisions, ids=[f"{r.id}_{r.slug}" for r in revisions])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """What a check says is said in full, without the way through its code."""
    try:
        return (yield)
    except SurefootError as error:
        if pyfuncitem.function.__module__ != TESTS:
            raise
        raise pytest.fail.Exception(error.render(), pytrace=False) from None


@pytest.fixture(scope="module")
def migrations(request: pytest.FixtureRequest) -> ChainTests:
    """The project whose chain is tested."""
    return _project(request.module)


@pytest.fixture(scope="module")
def migrations_round_trip(migrations: ChainTests, migrations_scratch: Scratch) -> RoundTrip:
    """The way up, down and up again on empty tables."""
    _skip_what_no_run_accepts(migrations)
    return _done(lambda: walk_round_trip(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_populated(migrations: ChainTests, migrations_scratch: Scratch) -> PopulatedUpgrade:
    """The way up on tables with rows."""
    _skip_what_no_run_accepts(migrations)
    return _done(lambda: upgrade_with_rows(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_offline(
    migrations: ChainTests, migrations_scratch: Scratch, migrations_round_trip: RoundTrip
) -> OfflineUpgrade:
    """The way up by what `--sql` writes."""
    return _done(lambda: offline(migrations, migrations_scratch, migrations_round_trip.catalogs))


def _project(module: object) -> ChainTests:
    found = getattr(module, "MIGRATIONS", None)
    if not isinstance(found, ChainTests):
        raise pytest.UsageError(
            f"{getattr(module, '__name__', module)} imports the tests of a chain and does not say "
            "of which: define MIGRATIONS = ChainTests(ini, metadata) in it"
        )
    return found


def _skip_what_no_run_accepts(project: ChainTests) -> None:
    """A run refuses such a chain, and a test of its own says why."""
    try:
        project.check()
        check_lock(project.lock, project.revisions())
    except SurefootError as error:
        pytest.skip(f"no run accepts this chain: {error.message}")


def _done(work: Callable[[], Awaitable[T]]) -> T:
    try:
        # A loop that is made for this and set for nobody: other tests' plugins keep theirs.
        return anyio.run(work, backend_options={"loop_factory": asyncio.new_event_loop})
    except SurefootError as error:
        raise pytest.fail.Exception(error.render(), pytrace=False) from None
