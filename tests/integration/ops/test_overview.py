"""read(): what an overview needs, from a database in any state."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest
from pydantic import SecretStr

from app.db.engine import PROJECT
from app.settings import Settings
from harness.databases import Database, connect, execute
from surefoot.ledger.agreement import Agreement
from surefoot.ledger.services import announce
from surefoot.overview import Unread, overview, read
from surefoot.overview.model import Reading
from surefoot.startup.check import Build
from tests.support.settings import engine, settings_of
from tests.support.sites import IDS

BUILD = Build.read(PROJECT.lock)
NOW = datetime.now(timezone.utc)


async def read_of(database: Database) -> Reading:
    async with engine(settings_of(database.url), "observe") as made:
        return await read(made, BUILD)


async def test_everything_is_read_of_a_database_at_head(database: Database) -> None:
    """And a service that has announced itself."""
    async with (
        engine(settings_of(database.url), "watch") as watching,
        watching.connect() as connection,
    ):
        assert await connection.run_sync(announce, BUILD.newest)
        found = await read_of(database)
    assert found.verdict.state == "current"
    assert not isinstance(found.ledger, Unread)
    assert [row.revision for row in found.ledger if row.outcome == "applied"] == IDS
    assert found.ledger_broken is None
    assert found.activity is None
    assert isinstance(found.agreement, Agreement)
    assert found.agreement.agrees
    assert not isinstance(found.services, Unread)
    assert [service.revision for service in found.services] == [IDS[-1]]


async def test_a_database_that_was_never_migrated_is_read_too(empty_database: Database) -> None:
    """It has neither a ledger nor a schema."""
    found = await read_of(empty_database)
    assert found.verdict.state == "never-migrated"
    assert found.ledger == ()
    assert overview(BUILD, found, NOW).facts[1].holds == "yes"


async def test_a_ledger_edited_by_hand_is_found(database: Database) -> None:
    """The row is named."""
    await execute(
        database.url,
        "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only;"
        "UPDATE alembic_version_ledger SET build = 'another' WHERE id = 3",
    )
    found = await read_of(database)
    assert isinstance(found.ledger_broken, str)
    assert "row 3" in found.ledger_broken


@pytest.mark.slow
async def test_a_part_that_is_locked_does_not_keep_the_others_away(database: Database) -> None:
    """Nobody is waited for longer than a moment."""
    somebody = await connect(database.url)
    await somebody.execute("BEGIN; LOCK TABLE alembic_version_ledger")
    found = await read_of(database)
    await somebody.close()
    assert isinstance(found.ledger, Unread)
    assert "lock timeout" in found.ledger.unread
    assert found.services == ()
    assert found.activity is None


async def test_a_silent_server_is_not_waited_for() -> None:
    """It takes the connection and never answers."""

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1")
    port = silent.sockets[0].getsockname()[1]
    url = SecretStr(f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable")
    async with engine(Settings(database_url=url, connect_timeout_s=60), "observe") as made:
        found = await asyncio.wait_for(read(made, BUILD, timeout_s=0.2), 30)
    silent.close()
    assert found.verdict.state == "unreachable"
    assert "no answer within 0.2 s" in str(found.verdict)
    assert found.services == Unread("the database does not answer")
