"""The bench that revisions are run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.hazards.bench import Bench
from tests.support.databases import Databases
from tests.support.server import temporary_folder


@pytest.fixture(scope="session")
async def bench(databases: Databases) -> AsyncIterator[Bench]:
    with temporary_folder() as folder:
        yield await Bench.set_up(databases, folder)


@pytest.fixture
def major(request: pytest.FixtureRequest) -> int:
    """The PostgreSQL that the tests run on."""
    return int(request.config.getoption("--pg-major"))
