"""An index of a partitioned table is built on each partition while others write."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    MetaData,
    Table,
    TextClause,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.databases import connect
from harness.generation import ACCESS, Project, new_metadata, on_empty
from surefoot.errors import DuplicateRows, IndexDiffers, UpgradeFailed
from surefoot.operations.concurrently import CreateIndexConcurrently
from surefoot.quoting import quoted

LONG = "events_2026_second_half_whose_name_is_as_long_as_a_name_can_be_x"[:63]
PARTS = (
    "CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-1-1') TO ('2026-1-1')",
    "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-1-1') TO ('2027-1-1') "
    "PARTITION BY RANGE (at)",
    "CREATE TABLE h1 PARTITION OF events_2026 FOR VALUES FROM ('2026-1-1') TO ('2026-7-1')",
    f"CREATE TABLE {LONG} PARTITION OF events_2026 FOR VALUES FROM ('2026-7-1') TO ('2027-1-1')",
    "INSERT INTO events SELECT n, '2025-12-1'::date + n, n FROM generate_series(1, 300) n",
)
# Of each table how many indexes on n are attached, or are those of the parent, and are valid.
FOUND = text("""
SELECT count(*), count(*) FILTER (WHERE indisvalid) FROM pg_index
WHERE pg_get_indexdef(indexrelid) LIKE '%(n%' AND (indrelid = 'events'::regclass OR EXISTS (
    SELECT FROM pg_inherits WHERE inhrelid = indexrelid))
""")

# An attempt that ended behind the first partition, and one behind the first below the second.
BEGUN = (
    "CREATE INDEX ix ON ONLY events (n)",
    "CREATE INDEX events_2025_ix ON events_2025 (n)",
    "ALTER INDEX ix ATTACH PARTITION events_2025_ix",
)
BEGUN_BELOW = (
    *BEGUN,
    "CREATE INDEX events_2026_ix ON ONLY events_2026 (n)",
    "ALTER INDEX ix ATTACH PARTITION events_2026_ix",
    "CREATE INDEX h1_ix ON h1 (n)",
    "ALTER INDEX events_2026_ix ATTACH PARTITION h1_ix",
)
NOT_VALID = (
    "SET LOCAL allow_system_table_mods = on",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_2025_ix'::regclass",
)
# The definitions of all that has a name like that of an index of the first partition.
NAMED = text("""
SELECT relname, relkind, pg_get_indexdef(oid) FROM pg_class WHERE relname LIKE 'events_2025_ix%'
ORDER BY relname
""")
UNIQUE = text("""
SELECT count(*) FROM pg_index JOIN pg_partition_tree('events') ON relid = indrelid
WHERE indisunique AND NOT indisprimary
""")


def events(*items: Any) -> MetaData:
    metadata = new_metadata()
    key: list[Any] = [Column("id", BigInteger, primary_key=True)]
    key += [Column("at", Date, primary_key=True), Column("n", Integer)]
    Table("events", metadata, *key, *items, postgresql_partition_by="RANGE (at)")
    return metadata


@pytest.fixture
async def project(connection: AsyncConnection, tmp_path: Path) -> Project:
    """A partitioned table with rows, and a revision that adds an index."""
    project = await on_empty(tmp_path, connection)
    await project.create(events())
    await project.execute(*PARTS)
    await project.revise(events(Index("ix", "n")), "Add an index")
    assert "op.create_index_concurrently(op.f('ix'), 'events', ['n']" in project.text()
    return project


@pytest.mark.parametrize("name", ["ix", "Ix", "user", "ix %s", "ix 'q'", 'ix "q"', "a.b", "ix:c"])
def test_a_name_is_found_in_the_statement(name: str) -> None:
    """That of a partition takes its place; else the index of the whole table would be built."""
    for table in ("events", "Order", "user", "t %", "a.b", 'e"v'):
        for schema in (None, "far", "Far S"):
            on = Table(table, MetaData(), Column("n", Integer), schema=schema)
            made = CreateIndexConcurrently(Index(name, on.c.n))
            assert f" CONCURRENTLY {quoted(name)} ON {made.table} (n)" in made.sql()
            assert made.name.endswith(quoted(name))


async def rows(project: Project, query: TextClause) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in await project.connection.execute(query)]
    await project.connection.rollback()
    return found


async def found(project: Project) -> tuple[int, int]:
    ((all_of_them, valid),) = await rows(project, FOUND)
    return all_of_them, valid


@pytest.mark.slow
async def test_a_writer_waits_for_a_moment_only(project: Project) -> None:
    """The run waits for a transaction that writes, and others write meanwhile."""
    access = project.connection.info[ACCESS]
    blocker, writer = await connect(access.url), await connect(access.url)
    try:
        await blocker.execute("BEGIN; INSERT INTO events VALUES (0, '2025-12-1', 0)")
        run = asyncio.create_task(project.upgrade())
        await writer.execute("SET lock_timeout = '3s'")
        for number in range(1000, 1015):
            await asyncio.sleep(0.1)
            await writer.execute(f"INSERT INTO events VALUES ({number}, '2026-12-1', 0)")
        assert not run.done()
        await blocker.execute("COMMIT")
        await run
    finally:
        await blocker.close()
        await writer.close()
    assert await found(project) == (5, 5)
    await project.check(events(Index("ix", "n")))
    await project.downgrade()
    assert await found(project) == (0, 0)


@pytest.mark.slow
async def test_what_an_attempt_has_left_is_used(project: Project) -> None:
    """An index that is not valid is built again; one of another definition is refused."""
    await project.execute("CREATE INDEX ix ON ONLY events (n DESC)")
    with pytest.raises(IndexDiffers):
        await project.upgrade()
    await project.execute(
        "DROP INDEX ix",
        "CREATE INDEX ix ON ONLY events (n)",
        "CREATE INDEX events_2025_ix ON events_2025 (n)",
        "SET allow_system_table_mods = on",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_2025_ix'::regclass",
        "RESET allow_system_table_mods",
        "CREATE INDEX events_2026_ix ON ONLY events_2026 (n)",
        "ALTER INDEX ix ATTACH PARTITION events_2026_ix",
    )
    await project.upgrade()
    assert await found(project) == (5, 5)
    await project.check(events(Index("ix", "n")))


@pytest.mark.slow
async def test_an_index_is_exchanged_more_than_once(project: Project) -> None:
    """The indexes of the partitions keep the name that the former one had for a while."""
    await project.upgrade()
    before = await project.catalog()
    for columns in (["n", "id"], ["n"], ["n", "at"]):
        wanted = events(Index("ix", *columns))
        files = await project.revise(wanted, "Change the index")
        assert len(files) == 3, project.text()
        for path in files:
            await project.upgrade(path.stem.partition("_")[0])
            assert (await found(project))[1] >= 5
        assert await found(project) == (5, 5)
        await project.check(wanted)
    await project.downgrade("0001")
    assert await project.catalog() == before


async def test_an_index_that_lacks_a_partition_is_completed(project: Project) -> None:
    """One that was begun by hand, as PostgreSQL documents it: REINDEX would attach nothing."""
    await project.execute("CREATE INDEX ix ON ONLY events (n)")
    shutil.rmtree(project.versions)
    project.versions.mkdir()
    await project.revise(events(Index("ix", "n")), "Complete the index")
    await project.upgrade()
    assert await found(project) == (5, 5)
    await project.check(events(Index("ix", "n")))


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("begun", "gone", "left"),
    [
        (BEGUN, "events_2026", 2),
        (BEGUN, "events_2025, events_2026", 1),
        (BEGUN_BELOW, LONG, 4),
        (BEGUN_BELOW, f"h1, {LONG}", 3),
        ((*BEGUN, *NOT_VALID), LONG, 4),
    ],
    ids=["one", "all", "one below", "all below", "another, beside one that is not valid"],
)
async def test_partitions_that_lacked_the_index_are_gone(
    project: Project, begun: tuple[str, ...], gone: str, left: int
) -> None:
    """An attempt ended before it had built theirs: with nothing to attach it would stay invalid."""
    await project.execute(*begun, f"DROP TABLE {gone}")
    await project.upgrade()
    assert await found(project) == (left, left)


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "other",
    [
        "CREATE INDEX events_2025_ix ON events_2025 (id)",
        "CREATE TABLE events_2025_ix ()",
        "CREATE INDEX events_2025_ix ON other (n)",
    ],
    ids=["another definition", "a table", "of another table"],
)
async def test_something_else_has_the_name_of_an_index(project: Project, other: str) -> None:
    """It stays as it is, and the index of the partition gets a number."""
    await project.execute("CREATE TABLE other (n int)", other)
    before = await rows(project, NAMED)
    await project.upgrade()
    assert await found(project) == (5, 5)
    kept, added = (await rows(project, NAMED))[:-1], (await rows(project, NAMED))[-1]
    assert (kept, added[0]) == (before, "events_2025_ix1")


@pytest.mark.slow
async def test_duplicates_leave_no_index(project: Project) -> None:
    unique = events(Index("ix", "n"), Index("uq", "n", "at", unique=True))
    await project.upgrade()
    # In the partition that is the last one of those of a partition.
    await project.execute("INSERT INTO events VALUES (400, '2026-3-1', 1), (401, '2026-3-1', 1)")
    await project.revise(unique, "Allow each once")
    with pytest.raises(DuplicateRows, match="1 duplicate row"):
        await project.upgrade()
    assert await found(project) == (5, 5)
    assert await rows(project, UNIQUE) == [(0,)]
    await project.execute("DELETE FROM events WHERE id = 401")
    await project.upgrade()
    assert await found(project) == (10, 10)
    await project.check(unique)


@pytest.mark.slow
async def test_a_foreign_table_is_refused_by_postgresql(project: Project) -> None:
    await project.execute(
        "ALTER TABLE events DROP CONSTRAINT pk_events",
        "CREATE FOREIGN DATA WRAPPER nowhere",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere",
        "CREATE FOREIGN TABLE old PARTITION OF events DEFAULT SERVER elsewhere",
    )
    try:
        with pytest.raises(UpgradeFailed, match="concurrently"):
            await project.upgrade()
        assert await found(project) == (0, 0)
    finally:
        await project.execute("DROP FOREIGN DATA WRAPPER nowhere CASCADE")
