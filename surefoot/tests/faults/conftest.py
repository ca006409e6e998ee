"""Runs of `alembic` as processes, and what a test sees of the server meanwhile."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.runs import Chain, Launcher


@pytest.fixture
def launcher() -> Launcher:
    """Starts `alembic` processes."""
    return Launcher()


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """A chain without revisions yet."""
    return Chain(tmp_path / f"chain-{uuid.uuid4().hex[:6]}")


@pytest.fixture
async def watcher(empty_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own to its database."""
    connection = await connect(empty_database.url)
    yield connection
    await connection.close()


@pytest.fixture
async def blocker(empty_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Another one, which stands in a run's way; a transaction shows one moment of the activity."""
    connection = await connect(empty_database.url, "blocker")
    yield connection
    await connection.close()


@pytest.fixture
async def blocked_chain(
    chain: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> Chain:
    """A chain whose pending revision alters a table that `blocker` has locked."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    chain.add("op.execute('ALTER TABLE t ADD COLUMN n int')")
    await blocker.execute("BEGIN; LOCK TABLE t")
    return chain
