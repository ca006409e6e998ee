"""Databases on the server of the run, and messages with the library's own names."""

from collections.abc import Iterator

import pytest

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
    """A project whose tests run in the same process may have set its names."""
    before = names.in_use()
    names.use(names.Names())
    yield
    names.use(before)
