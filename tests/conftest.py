"""Fixtures of the service's tests, in two tiers, on a server of the test run's own.

connection, session, sessions   a transaction that is rolled back, on a migrated database
database                        a clone of the migrated template, for what needs its own:
                                several connections, migrations, locks, LISTEN, now()
empty_database                  a new database without anything in it
"""

import pytest

from harness import fixtures
from harness.databases import Template
from harness.fixtures import (
    database,
    databases,
    empty_database,
    private_server,
    pytest_collection_modifyitems,
    pytest_runtest_makereport,
    server,
)
from surefoot.errors import names
from tests.support import project
from tests.support.sessions import connection, session, sessions, shared_connection, shared_engine

__all__ = [
    "connection",
    "database",
    "databases",
    "empty_database",
    "private_server",
    "pytest_collection_modifyitems",
    "pytest_runtest_makereport",
    "server",
    "session",
    "sessions",
    "shared_connection",
    "shared_engine",
]


def pytest_configure(config: pytest.Config) -> None:
    fixtures.pytest_configure(config)
    project.forget_configuration()


def pytest_unconfigure() -> None:
    fixtures.pytest_unconfigure()
    project.end_forks()


@pytest.fixture(autouse=True)
def _own_database() -> None:
    """A command whose line was parsed in this process may have named a target."""
    names.aim(None)


@pytest.fixture(scope="session")
def template() -> Template:
    """The project whose revisions make the template database."""
    return project.TEMPLATE


@pytest.fixture(scope="session")
def state_role() -> str:
    """The role of VēgaFS's development server."""
    return "vegafs"
