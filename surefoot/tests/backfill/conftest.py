"""A table with a backfill."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from harness.backfills import FILES, Filling
from harness.databases import Databases
from harness.runs import Chain, Launcher


@pytest.fixture
def launcher() -> Launcher:
    """Starts `alembic` and `surefoot` processes."""
    return Launcher()


@pytest.fixture
async def filling(tmp_path: Path, databases: Databases) -> AsyncIterator[Filling]:
    """A table with 1,000 rows, and no backfill yet."""
    chain = Chain(tmp_path / "chain")
    chain.add(FILES)
    made = await databases.empty()
    result = await Launcher().alembic(chain, "upgrade", "head", url=made.url)
    assert result.code == 0, result.err
    connection = await asyncpg.connect(made.url)
    found = Filling(chain, made, connection)
    await found.fill(1000)
    yield found
    await connection.close()
