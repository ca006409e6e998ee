"""A schema is taken from one database and made in another, or it is said what stands in the way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from harness.databases import Database, access_to, connect, engine, execute
from surefoot import Limits
from surefoot.catalog import Catalog, difference, snapshot
from surefoot.embedded import Binaries, find_binaries
from surefoot.errors import DumpProgramMissing, PermissionMissing, SchemaNotCopied, TableLocked
from surefoot.scratch.schema import Schema, make_schema, read_schema

WIDE = Path(__file__).parents[1] / "integration" / "wide_schema.sql"


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """To a migrated database, as whoever plans for it has one."""
    async with engine(database.access, "observe") as made, made.connect() as opened:
        yield opened


@pytest.fixture
async def empty(empty_database: Database) -> AsyncIterator[AsyncEngine]:
    """A database to make a schema in."""
    async with engine(empty_database.access, "migrate") as made:
        yield made


async def catalog(made: AsyncEngine) -> Catalog:
    async with made.connect() as connection:
        return await connection.run_sync(snapshot)


@pytest.mark.slow
async def test_a_copy_has_the_same_catalog(
    database: Database, connection: AsyncConnection, empty: AsyncEngine
) -> None:
    """With what no revision knows, and without a row."""
    await execute(database.url, WIDE.read_text("utf-8"))
    await make_schema(await read_schema(database.access, connection), empty)
    assert difference(await catalog(connection.engine), await catalog(empty)) == []


async def test_a_table_that_may_not_be_read_is_named(database: Database) -> None:
    """All of them at once, where pg_dump would name the first."""
    role = f"{database.name}_looks"
    await execute(database.url, f'CREATE ROLE "{role}" LOGIN')
    await execute(database.url, f'GRANT SELECT ON volumes TO "{role}"')
    settings = access_to(re.sub(r"//[^@/]*@", f"//{role}@", database.url))
    made = settings.engine("observe")
    async with made.connect() as opened:
        with pytest.raises(PermissionMissing) as caught:
            await read_schema(settings, opened)
    await made.dispose()
    assert "it may not read alembic_version, " in caught.value.reason
    assert "volumes" not in caught.value.reason
    await execute(database.url, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


@pytest.mark.slow
async def test_a_table_that_is_locked_is_waited_for_within_the_bound_of_reading(
    database: Database, connection: AsyncConnection
) -> None:
    """A migration's bound is shorter: others queue behind its locks."""
    settings = replace(database.access, limits=Limits(lock_timeout_s=60, read_wait_s=0.1))
    holder = await connect(database.url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE jobs")
        with pytest.raises(TableLocked, match=r"after 0\.1 s"):
            await read_schema(settings, connection)
    await holder.close()


async def test_a_pg_dump_that_is_older_than_the_server_is_none(
    database: Database, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would refuse the server by itself, and not say where to get another."""
    found = older(int((connection.dialect.server_version_info or (0,))[0]))
    monkeypatch.setenv("PATH", "")
    settings = replace(database.access, pg_bindir=found.bindir)
    with pytest.raises(DumpProgramMissing):
        await read_schema(settings, connection)


async def test_what_the_scratch_server_lacks_is_said(empty: AsyncEngine) -> None:
    """Extensions before anything is made; else nothing of it stays."""
    with pytest.raises(SchemaNotCopied) as caught:
        await make_schema(Schema("files", "", ("plpgsql", "nowhere")), empty)
    assert caught.value.message == (
        "the schema of 'files' cannot be copied: the scratch server does not have the extension "
        "nowhere"
    )
    sql = "CREATE TABLE t (); CREATE POLICY p ON t TO nobody_known"
    with pytest.raises(SchemaNotCopied) as caught:
        await make_schema(Schema("files", sql, ()), empty)
    assert caught.value.reason == 'role "nobody_known" does not exist'
    assert not (await catalog(empty)).objects


def older(major: int) -> Binaries:
    """A PostgreSQL that is older than that, or the test is skipped."""
    for each in range(major - 1, 14, -1):
        found = find_binaries(major=each)
        if found is not None:
            return found
    pytest.skip(f"no PostgreSQL before {major} is here")
