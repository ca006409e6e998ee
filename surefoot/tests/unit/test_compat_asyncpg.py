"""asyncpg still has the private names that surefoot.compat.asyncpg uses."""

from __future__ import annotations

import datetime
import io
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from harness.databases import Database, engine
from surefoot.compat.asyncpg import (
    EndingTransaction,
    MigratingConnection,
    UnpreparedStatement,
    is_of_client,
)
from surefoot.compat.observed import observe
from surefoot.compat.statements import unsent
from surefoot.connect.database import Role
from surefoot.run.question import ask


async def test_the_outermost_transaction_is_kept_until_it_ends(database: Database) -> None:
    """`_top_xact` is what later transactions are savepoints of."""
    connection = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    outer = connection.transaction()
    assert isinstance(outer, EndingTransaction)
    await outer.start()
    inner = connection.transaction()
    await inner.start()
    kept = [connection._top_xact]
    await inner.rollback()
    await outer.rollback()
    assert [*kept, connection._top_xact] == [outer, None]
    await connection.close()


async def test_a_closed_connection_is_in_no_transaction(database: Database) -> None:
    """asyncpg fails at the question; a commit that meets the end of its session asks."""
    connection = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    await connection.execute("BEGIN")
    assert connection.is_in_transaction()
    connection.terminate()
    assert not connection.is_in_transaction()


async def test_statements_go_with_the_commit(database: Database) -> None:
    """One that fails takes the transaction with it; a rollback forgets them."""
    connection = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    await connection.execute("CREATE TEMPORARY TABLE t (id int)")
    for due, ends_well in (("INSERT INTO t VALUES (2)", True), ("SELECT 1/0", False)):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO t VALUES (1)")
        connection.due = due
        if ends_well:
            await transaction.commit()
        else:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await transaction.commit()
        assert not connection.is_in_transaction()
    transaction = connection.transaction()
    await transaction.start()
    connection.due = "INSERT INTO t VALUES (3)"
    await transaction.rollback()
    async with connection.transaction():
        await connection.execute("INSERT INTO t VALUES (4)")
    found = await connection.fetch("SELECT id FROM t ORDER BY id")
    assert [row["id"] for row in found] == [1, 2, 4]
    await connection.close()


async def test_a_statement_without_rows_is_not_prepared(database: Database) -> None:
    """It answers as asyncpg's does: no columns, no rows, the tag of the command."""
    connection = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    for query, tag in (
        ("CREATE TEMPORARY TABLE t (id int)", "CREATE TABLE"),
        ("INSERT INTO t VALUES (1)", "INSERT 0 1"),
    ):
        statement = await connection.prepare(query)
        assert isinstance(statement, UnpreparedStatement)
        assert (statement.get_attributes(), await statement.fetch()) == ((), [])
        assert statement.get_statusmsg() == tag
    for query in ("INSERT INTO t VALUES (1) RETURNING id", "SELECT 1"):
        assert isinstance(await connection.prepare(query), PreparedStatement)
    await connection.close()


@pytest.mark.parametrize("role", ["migrate", "app"])
async def test_statements_and_a_query_are_one_message(database: Database, role: Role) -> None:
    """`_copy_out` sends them all, BEGIN too, and reads past the answers to all but the last.

    A connection that is no MigratingConnection gives the same answers.
    """

    def asked(connection: Connection) -> list[str | None]:
        first = "SET LOCAL a.b = 'ä\\'", "SELECT 1"
        found = [ask(connection, *first, "SELECT current_setting('a.b')")]
        driver: Any = connection.connection.driver_connection
        assert driver.is_in_transaction()
        found += [ask(connection, query) for query in ("SELECT NULL::text", "SELECT 'x' LIMIT 0")]
        with pytest.raises(DBAPIError, match="division by zero"):
            ask(connection, "SET LOCAL a.b = 'c'", "SELECT (1/0)::text")
        connection.rollback()
        assert not driver.is_in_transaction()
        with pytest.raises(DBAPIError, match="syntax error"):
            ask(connection, "SELEC")
        connection.rollback()
        return [*found, ask(connection, "SELECT current_setting('a.b')")]

    async with engine(database.access, role) as made, made.connect() as connection:
        assert await connection.run_sync(asked) == ["ä\\", None, None, ""]


async def test_several_statements_are_not_prepared_but_the_last(database: Database) -> None:
    """A raw cursor is answered by the last of them."""
    connection = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    statement = await connection.prepare(
        "CREATE TEMPORARY TABLE t (id int); SELECT count(*) FROM t"
    )
    assert await statement.fetchval() == 0
    await connection.close()


async def test_an_error_is_of_the_driver_or_of_the_server(database: Database) -> None:
    """By the severity that errors of the server have, and by the driver's own words."""
    connection = await asyncpg.connect(database.url)
    await connection.execute("CREATE TEMPORARY TABLE t (id int, d date)")
    insert, checked = "INSERT INTO t (d) VALUES ($1)", "INSERT INTO t VALUES ($1 / 0)"
    right, wrong = (datetime.date(2020, 1, 1),), ("2020-01-01",)
    found: list[bool] = []
    for send in (
        lambda: connection.execute(insert, *wrong),
        lambda: connection.execute("CREATE TEMPORARY TABLE u ()", 1),
        lambda: connection.executemany(insert, [wrong, right]),
        lambda: connection.executemany(insert, [right, wrong]),
        lambda: connection.execute(checked, 1),
        lambda: connection.execute("SELECT $1::text::date", "nonsense"),
    ):
        with pytest.raises((asyncpg.DataError, asyncpg.InterfaceError)) as refused:
            await send()
        found.append(is_of_client(refused.value))
    assert found == [True, True, True, True, False, False]
    await connection.close()


async def test_every_message_that_runs_sql_is_observed(database: Database) -> None:
    """`_protocol` sends it, whichever method of a connection was called; until the end."""
    connection = await asyncpg.connect(database.url, statement_cache_size=0)
    seen: list[tuple[str, Any]] = []

    async def around(sql: str, send: Callable[[], Awaitable[Any]], times: Any) -> Any:
        seen.append((sql, times))
        return await send()

    end = observe(connection, around)
    await connection.execute("CREATE TEMPORARY TABLE t (id int, at timestamptz[])")
    await connection.execute("INSERT INTO t VALUES ($1)", 1)
    await connection.executemany("INSERT INTO t VALUES ($1)", [(2,), (3,)])
    assert await connection.fetchval("SELECT max(id) FROM t") == 3
    async with connection.transaction():
        assert [row["id"] async for row in connection.cursor("SELECT id FROM t")] == [1, 2, 3]
    await connection.copy_records_to_table("t", records=[(4,)], columns=["id"])
    await connection.copy_from_query("SELECT 5", output=io.BytesIO())
    with pytest.raises(asyncpg.UndefinedColumnError):
        await connection.fetch("SELECT nonsense")
    assert not connection.is_in_transaction()
    sent = [sql.strip() for sql, times in seen if times]
    assert sent == [
        "CREATE TEMPORARY TABLE t (id int, at timestamptz[])",
        "INSERT INTO t VALUES ($1)",
        "INSERT INTO t VALUES ($1)",
        "SELECT max(id) FROM t",
        "BEGIN;",
        "SELECT id FROM t",
        "COMMIT;",
        'COPY "t"("id") FROM STDIN (FORMAT binary)',
        "COPY (SELECT 5) TO STDOUT",
    ]
    assert [times for sql, times in seen if sql == sent[1]] == [[], [(1,)], [], [(2,), (3,)]]
    assert ("SELECT nonsense", []) in seen
    end()
    await connection.execute("SELECT 1")
    assert seen[-1] == ("SELECT nonsense", [])
    await connection.close()


@pytest.mark.slow
def test_the_fast_path_imports_no_other_library() -> None:
    """Neither SQLAlchemy nor Alembic: together they take longer than all the rest."""
    code = (
        "import sys, surefoot.cli.upgrade, surefoot.environment.fresh; "
        "print({'sqlalchemy', 'alembic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("way", ["fetch", "executemany", "cursor", "execute"])
async def test_a_statement_is_sent_in_one_go_with_the_next(database: Database, way: str) -> None:
    """`_transport` takes its messages, and the next call passes over the answers to them."""
    connection: Any = await asyncpg.connect(database.url, statement_cache_size=0)
    statement = await connection.prepare("SELECT 1 + $1::int", name="kept")
    calls = {
        "fetch": lambda: statement.fetch(1),
        "executemany": lambda: statement.executemany([(1,), (2,)]),
        "cursor": lambda: statement.cursor(1),
        "execute": lambda: connection.execute("SELECT 1"),
    }
    async with connection.transaction():
        connection._transport.write(unsent("SAVEPOINT sent"))
        found = await calls[way]()
        if way == "fetch":
            assert (found, statement.get_statusmsg()) == ([(2,)], "SELECT 1")
        if way == "cursor":
            assert await found.fetch(2) == [(2,)]
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")
        await connection.execute("ROLLBACK TO SAVEPOINT sent")
        assert await statement.fetch(2) == [(3,)]
    await connection.close()


async def test_a_call_with_a_sync_ends_what_was_sent_before_it(database: Database) -> None:
    """Also where the server has refused it, and skips everything until a Sync."""
    connection: Any = await asyncpg.connect(database.url, statement_cache_size=0)
    probe = await connection.prepare("SELECT 1", name="")
    connection._transport.write(unsent("SAVEPOINT outside_of_a_transaction"))
    with pytest.raises(asyncpg.NoActiveSQLTransactionError):
        await probe.fetch()
    assert await probe.fetch() == [(1,)]
    await connection.close()
