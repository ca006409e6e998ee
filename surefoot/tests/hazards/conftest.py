"""The bench that revisions are run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from harness.databases import Databases
from harness.server import PG_MAJOR, temporary_folder
from hazards.bench import Bench


@pytest.fixture(scope="session")
async def bench(databases: Databases) -> AsyncIterator[Bench]:
    with temporary_folder() as folder:
        yield await Bench.set_up(databases, folder)


@pytest.fixture
def major() -> int:
    """The PostgreSQL that the tests run on."""
    return PG_MAJOR
