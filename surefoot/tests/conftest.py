"""Databases on the server of the run, and messages with the library's own names."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.databases import Databases
from harness.fixtures import (
    database,
    databases,
    empty_database,
    private_server,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_unconfigure,
    server,
    template,
)
from harness.generation import connected
from surefoot.errors import names

__all__ = [
    "database",
    "databases",
    "empty_database",
    "private_server",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_unconfigure",
    "server",
    "template",
]


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    """A project whose tests run in the same process may have set its names; a command, a target."""
    names.aim(None)
    before = names.in_use()
    names.use(names.Names())
    yield
    names.use(before)


@pytest.fixture(scope="module")
async def connection(databases: Databases) -> AsyncIterator[AsyncConnection]:
    """One database for the module; every test empties it."""
    async with connected(databases) as connection:
        yield connection
