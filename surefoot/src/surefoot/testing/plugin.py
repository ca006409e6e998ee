"""What runs the tests of surefoot.testing.tests: a case a revision, and each walk once.

A module that imports them defines MIGRATIONS, a Project, which is read when tests are collected,
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
from surefoot.testing.kept import WithRows, with_rows
from surefoot.testing.offline import Offline, offline
from surefoot.testing.project import Project
from surefoot.testing.there import ThereAndBack, there_and_back

T = TypeVar("T")
TESTS = "surefoot.testing.tests"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each revision; for a walk, each that it tries."""
    if metafunc.function.__module__ != TESTS or "revision" not in metafunc.fixturenames:
        return
    try:
        project = _project(metafunc.module)
        walks = {"migrations_there", "migrations_kept", "migrations_offline"}
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
def migrations(request: pytest.FixtureRequest) -> Project:
    """The project whose chain is tested."""
    return _project(request.module)


@pytest.fixture(scope="module")
def migrations_there(migrations: Project, migrations_scratch: Scratch) -> ThereAndBack:
    """The way up, down and up again on empty tables."""
    _skip_what_no_run_accepts(migrations)
    return _done(lambda: there_and_back(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_kept(migrations: Project, migrations_scratch: Scratch) -> WithRows:
    """The way up on tables with rows."""
    _skip_what_no_run_accepts(migrations)
    return _done(lambda: with_rows(migrations, migrations_scratch))


@pytest.fixture(scope="module")
def migrations_offline(
    migrations: Project, migrations_scratch: Scratch, migrations_there: ThereAndBack
) -> Offline:
    """The way up by what `--sql` writes."""
    return _done(lambda: offline(migrations, migrations_scratch, migrations_there.catalogs))


def _project(module: object) -> Project:
    found = getattr(module, "MIGRATIONS", None)
    if not isinstance(found, Project):
        raise pytest.UsageError(
            f"{getattr(module, '__name__', module)} imports the tests of a chain and does not say "
            "of which: define MIGRATIONS = Project(ini, metadata) in it"
        )
    return found


def _skip_what_no_run_accepts(project: Project) -> None:
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
