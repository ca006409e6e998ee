"""Operations of our own: keys made of an index, constraints that are proven, rows that stop it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.databases import Database
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.catalog.kinds import Constraint
from surefoot.operations import constraints

SCHEMA = (
    'CREATE TABLE "Odd t" (id int NOT NULL, n int)',
    'INSERT INTO "Odd t" VALUES (1, NULL), (2, 5)',
    'CREATE UNIQUE INDEX made ON "Odd t" (id) INCLUDE (n)',
    'ALTER TABLE "Odd t" ADD CONSTRAINT "Odd c" CHECK (n > 0) NOT VALID',
)


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


@pytest.mark.parametrize(
    ("operation", "options", "definition"),
    [
        ("create_primary_key_using_index", {}, "PRIMARY KEY (id) INCLUDE (n)"),
        ("create_unique_constraint_using_index", {}, "UNIQUE (id) INCLUDE (n)"),
        (
            "create_unique_constraint_using_index",
            {"deferrable": True, "initially": "DEFERRED"},
            "UNIQUE (id) INCLUDE (n) DEFERRABLE INITIALLY DEFERRED",
        ),
    ],
)
async def test_a_key_is_made_of_its_index(
    connection: AsyncConnection, operation: str, options: dict[str, Any], definition: str
) -> None:
    """With all that the index has, and under its own name."""
    catalog = await run(
        connection, lambda op: getattr(op, operation)("made", "Odd t", "made", **options)
    )
    assert catalog.one(Constraint, Key("constraint", "Odd t.made")).definition == definition


async def test_a_constraint_is_proven(connection: AsyncConnection) -> None:
    """For the rows that were there before it."""
    catalog = await run(connection, lambda op: op.validate_constraint("Odd c", "Odd t"))
    assert catalog.one(Constraint, Key("constraint", "Odd t.Odd c")).validated


async def test_rows_stop_a_revision(connection: AsyncConnection) -> None:
    """With what they are and what to do; none of the kind is no error."""
    await run(connection, lambda op: op.refuse_rows("Odd t", "id > 7 OR n::text = ':a'", "none"))
    with pytest.raises(DBAPIError, match="Odd t has rows for which n IS NULL") as caught:
        await run(connection, lambda op: op.refuse_rows("Odd t", "n IS NULL", "Fill 'n'."))
    assert getattr(caught.value.orig.__cause__, "hint", None) == "Fill 'n'."  # type: ignore[union-attr]  # the driver's


async def test_rows_that_are_hidden_stop_a_revision(connection: AsyncConnection) -> None:
    """The owner of a table does not see all of them where row level security is forced."""

    def go(op: Any) -> None:
        for each in (
            "CREATE ROLE own_t",
            'ALTER TABLE "Odd t" OWNER TO own_t',
            'ALTER TABLE "Odd t" ENABLE ROW LEVEL SECURITY',
            "SET ROLE own_t",
        ):
            op.execute(each)
        op.refuse_rows("Odd t", "false", "none")
        assert op.get_bind().scalar(text("SHOW row_security")) == "on"
        op.execute('ALTER TABLE "Odd t" FORCE ROW LEVEL SECURITY')
        op.refuse_rows("Odd t", "n IS NULL", "Fill 'n'.")

    with pytest.raises(DBAPIError, match="would be affected by row-level security policy"):
        await run(connection, go)


def test_all_of_them_can_be_printed() -> None:
    """`--sql` writes the statements that would run."""
    buffer = io.StringIO()
    options = {"as_sql": True, "output_buffer": buffer}
    op: Any = Operations(MigrationContext.configure(dialect_name="postgresql", opts=options))
    op.create_primary_key_using_index("pk", "t", "made")
    op.validate_constraint("Odd c", "t")
    op.refuse_rows("t", "n IS NULL", "Fill n.")
    written = buffer.getvalue()
    assert "ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY USING INDEX made;" in written
    assert 'ALTER TABLE t VALIDATE CONSTRAINT "Odd c";' in written
    assert "IF EXISTS (SELECT FROM t WHERE n IS NULL) THEN" in written
    for operation in (
        constraints.ValidateConstraint("c", "t"),
        constraints.RefuseRows("t", "n IS NULL", "Fill n."),
    ):
        assert operation.to_diff_tuple() == ("execute", operation.sql())
