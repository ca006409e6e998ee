"""Operations of our own: the values of an enum under rows, defaults, checks and indexes."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.commands import psql
from harness.databases import Database
from surefoot.catalog import Catalog, Key, difference, snapshot
from surefoot.catalog.kinds import Enum
from surefoot.operations import enums as operations
from surefoot.operations.concurrently import DropIndexConcurrently

SCHEMA = (
    "CREATE TYPE state AS ENUM ('A', 'B', 'it''s')",
    "CREATE TABLE t (id int, s state NOT NULL DEFAULT 'A', many state[] DEFAULT '{A,B}', n text, "
    "CONSTRAINT named CHECK (s <> 'B' OR n IS NOT NULL))",
    'CREATE TABLE "Odd t" ("Odd s" state)',
    "CREATE INDEX few ON t (id) WHERE s IN ('A', 'B')",
    "CREATE UNIQUE INDEX all_of_them ON t (s, id)",
    "COMMENT ON INDEX few IS 'a:few'",
    "COMMENT ON TYPE state IS 'of a thing'",
    "COMMENT ON CONSTRAINT named ON t IS 'named'",
    "INSERT INTO t VALUES (1, 'A', '{A,B}', 'x'), (2, 'B', '{}', 'y')",
)
COLUMNS = [("t", "s"), ("t", "many"), ("Odd t", "Odd s")]


@pytest.fixture
async def connection(empty_database: Database) -> AsyncIterator[AsyncConnection]:
    engine = empty_database.access.engine("migrate")
    async with engine.begin() as connection:
        for statement in SCHEMA:
            await connection.exec_driver_sql(statement)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def run(connection: AsyncConnection, change: Callable[[Any], None]) -> Catalog:
    """A change by `op`, and the catalog that it leaves."""

    def go(plain: Connection) -> Catalog:
        change(Operations(MigrationContext.configure(plain)))
        return snapshot(plain)

    return await connection.run_sync(go)


async def labels(connection: AsyncConnection) -> object:
    return (await connection.run_sync(snapshot)).one(Enum, Key("enum", "state")).labels


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({}, ("A", "B", "it's", "C:c")),
        ({"before": "A"}, ("C:c", "A", "B", "it's")),
        ({"after": "A"}, ("A", "C:c", "B", "it's")),
        ({"after": "it's"}, ("A", "B", "it's", "C:c")),
    ],
)
async def test_a_value_is_added_where_it_belongs(
    connection: AsyncConnection, place: dict[str, str], expected: tuple[str, ...]
) -> None:
    """And adding it again does nothing."""
    for _ in range(2):
        await run(connection, lambda op: op.add_enum_value("state", "C:c", **place))
    assert await labels(connection) == expected


def test_a_value_has_one_place() -> None:
    """Before one and after another is a contradiction in waiting."""
    with pytest.raises(ValueError, match="not both"):
        operations.AddEnumValueOp("state", "C", before="A", after="B")


@pytest.mark.slow
async def test_rows_follow_a_renamed_value(connection: AsyncConnection) -> None:
    """Defaults, checks and indexes too."""
    await run(connection, lambda op: op.rename_enum_value("state", "A", "a'a"))
    assert await labels(connection) == ("a'a", "B", "it's")
    rows = await connection.exec_driver_sql("SELECT s::text FROM t ORDER BY id")
    assert list(rows.scalars()) == ["a'a", "B"]


@pytest.mark.slow
async def test_replaced_values_keep_all_that_is_about_them(connection: AsyncConnection) -> None:
    """Rows, defaults, checks, indexes, comments: the same again, and the former type is gone."""
    before = await connection.run_sync(snapshot)
    longer = await run(
        connection,
        lambda op: op.replace_enum("state", ["Z", "B", "A", "it's"], columns=COLUMNS),
    )
    assert [str(each) for each in difference(before, longer)] == [
        "changed labels of enum state: expected (A, B, it's), found (Z, B, A, it's)"
    ]
    same = await run(
        connection, lambda op: op.replace_enum("state", ["A", "B", "it's"], columns=COLUMNS)
    )
    assert same == before
    rows = await connection.exec_driver_sql("SELECT s::text, many::text FROM t ORDER BY id")
    assert [tuple(row) for row in rows] == [("A", "{A,B}"), ("B", "{}")]


@pytest.mark.slow
async def test_an_enum_that_nothing_uses_is_replaced(connection: AsyncConnection) -> None:
    """Without columns to name."""
    await connection.exec_driver_sql("CREATE TYPE lonely AS ENUM ('x')")
    after = await run(connection, lambda op: op.replace_enum("lonely", ["y", "x"]))
    assert after.one(Enum, Key("enum", "lonely")).labels == ("y", "x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("state", ["B"], COLUMNS), "rows of t.s hold A, which state is to lose: 1"),
        (("state", ["A", "it's"], COLUMNS), "rows of t.s hold B, which state is to lose: 1"),
        (("state", ["A", "B"], COLUMNS[1:]), "t.s is of type state too"),
        (("state", ["A", "B"], COLUMNS[:2]), "Odd t.Odd s is of type state too"),
        (("nothing", ["A"], []), "there is no enum nothing"),
    ],
)
async def test_what_stands_in_the_way_is_named(
    connection: AsyncConnection, arguments: tuple[str, list[str], Any], message: str
) -> None:
    """Before anything is rewritten."""
    name, values, columns = arguments
    with pytest.raises(DBAPIError) as caught:
        await run(connection, lambda op: op.replace_enum(name, values, columns=columns))
    assert message in str(caught.value.orig)


async def test_a_default_that_goes_is_named(connection: AsyncConnection) -> None:
    """A column would be left without one in silence."""
    await connection.exec_driver_sql("UPDATE t SET s = 'B', many = '{}'")
    with pytest.raises(DBAPIError, match=r"the default of t.s is A, which state is to lose"):
        await run(connection, lambda op: op.replace_enum("state", ["B"], columns=COLUMNS))


@pytest.mark.slow
async def test_the_statements_are_the_same_offline(empty_database: Database) -> None:
    """`--sql` has nothing to look up: the server does, when psql runs it."""
    written = io.StringIO()
    context = MigrationContext.configure(
        url="postgresql+asyncpg://", opts={"as_sql": True, "output_buffer": written}
    )
    op: Any = Operations(context)
    op.add_enum_value("state", "C", after="A")
    op.rename_enum_value("state", "C", "D:d")
    op.replace_enum("state", ["D:d", "B", "A"], columns=COLUMNS)
    psql(empty_database, ";\n".join((*SCHEMA, written.getvalue())))
    engine = empty_database.access.engine("migrate")
    async with engine.connect() as connection:
        assert await labels(connection) == ("D:d", "B", "A")
    await engine.dispose()


def test_a_step_on_an_index_takes_the_table_of_drop_index() -> None:
    """PostgreSQL needs no table, and neither does `op.drop_index`."""
    with_table = DropIndexConcurrently("ix", "t", schema="s")
    assert with_table.sql() == DropIndexConcurrently("ix", schema="s").sql()
