"""A database that has tables and no version table."""

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.adoption.standing import standing
from surefoot.project import Project

OBJECTS = {
    "table": "CREATE TABLE theirs (id int)",
    "partitioned table": "CREATE TABLE theirs (id int) PARTITION BY LIST (id)",
    "materialized view": "CREATE MATERIALIZED VIEW theirs AS SELECT 1 AS id",
}


@pytest.fixture
def small(chain: Chain) -> Chain:
    """A chain of one revision."""
    chain.add("op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')")
    return chain


@pytest.mark.sample(3)
@pytest.mark.parametrize("statement", OBJECTS.values(), ids=OBJECTS)
async def test_an_upgrade_is_refused(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    statement: str,
) -> None:
    """Nothing is made in it, and the answer says how to take it over."""
    await watcher.execute(statement)
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        f"REFUSED [not-adopted]  '{empty_database.name}' has tables and no version table: it was "
        "not made by these revisions, or its alembic_version is lost\n"
        "  help: `surefoot ops adopt REV --reason …` compares it with a revision and adopts it\n"
    )
    names = await watcher.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p', 'm')"
    )
    assert [row[0] for row in names] == ["theirs"]


async def test_tables_of_a_schema_whose_name_is_quoted_are_seen(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """By an upgrade and by `surefoot adopt`'s look at the database."""
    await watcher.execute(
        f'CREATE SCHEMA "The App"; CREATE TABLE "The App".theirs (id int); '
        f'ALTER DATABASE {empty_database.name} SET search_path = "The App"'
    )
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert (result.code, "REFUSED [not-adopted]" in result.err) == (3, True), result.err
    found = await standing(empty_database.access, Project.read(small.ini))
    assert (found.is_foreign, found.error) == (True, None)


@pytest.mark.slow
async def test_a_lost_revision_table_is_refused(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The ledger is still there and knows better than to begin again."""
    first = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    await watcher.execute("DROP TABLE alembic_version")
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert "REFUSED [ledger-contradicted]" in result.err
    assert "`surefoot ops adopt 0001 --reason …`" in result.err
    assert await watcher.fetchval("SELECT to_regclass('alembic_version') IS NULL")
    status = await launcher.surefoot(small, "status", url=empty_database.url)
    assert status.out.startswith("DIVERGED  ")
    # The schema is that of 0001, and no revision has it any more.
    assert "database-drifted" not in status.out
    assert (
        "Note:  drift was not looked at: version table, ledger and files contradict " in status.out
    )


async def test_what_an_extension_brings_does_not_count(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A managed server's own tables are not somebody's schema."""
    await watcher.execute("CREATE TABLE theirs (id int); ALTER EXTENSION plpgsql ADD TABLE theirs")
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err


@pytest.mark.slow
async def test_an_untrue_stamp_is_refused(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """`alembic stamp head` is how people usually adopt; the schema has to be what it says."""
    await watcher.execute("CREATE TABLE theirs (id int)")
    result = await launcher.alembic(small, "stamp", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert "REFUSED [stamp-refused]" in result.err
    assert "`surefoot ops stamp 0001 --reason …` shows the difference first" in result.err
    for name in ("alembic_version", "alembic_version_ledger"):
        assert await watcher.fetchval("SELECT to_regclass($1) IS NULL", name)


async def test_an_emptied_revision_table_without_a_ledger_is_refused_too(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Plain Alembic's `stamp --purge` leaves one; its chain would run again over live data."""
    await watcher.execute(
        "CREATE TABLE theirs (id int); CREATE TABLE alembic_version (version_num varchar(32))"
    )
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert "has tables and an empty version table: it was not made by these" in result.err
    assert await watcher.fetchval("SELECT to_regclass('t') IS NULL")


@pytest.mark.slow
async def test_tables_of_somebody_else_are_adopted_at_base(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Another application has tables in the schema; the ledger keeps why the chain begins here."""
    await watcher.execute("CREATE TABLE theirs (id int)")
    adopted = await launcher.surefoot(
        small, "ops", "adopt", "base", "--reason", "shared", "--execute", url=empty_database.url
    )
    assert adopted.code == 0, adopted.err
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    rows = await watcher.fetch("SELECT revision, outcome, reason FROM alembic_version_ledger")
    assert tuple(rows[0]) == ("base", "adopted", "shared")
