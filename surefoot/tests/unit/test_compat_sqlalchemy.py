"""SQLAlchemy still has the private names that surefoot.compat.sqlalchemy uses."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.util.concurrency import greenlet_spawn

from harness.databases import Database, engine
from surefoot.compat.sqlalchemy import await_only, in_greenlet, raise_as


async def test_a_coroutine_is_awaited_inside_a_greenlet() -> None:
    """The loop runs meanwhile; outside of one there is no greenlet to wait in."""

    def work() -> tuple[bool, int]:
        return in_greenlet(), await_only(asyncio.sleep(0, result=7))

    assert await greenlet_spawn(work) == (True, 7)
    assert not in_greenlet()


def test_a_prepared_statement_is_used_by_three_methods() -> None:
    """UnpreparedStatement has them; another one would be missing where no test runs into it."""
    source = inspect.getsource(asyncpg)
    for used in ("prepared_stmt.get_attributes()", "prepared_stmt.fetch", "get_statusmsg()"):
        assert used in source


async def test_an_error_of_the_driver_is_one_of_a_cursor(database: Database) -> None:
    """`_handle_exception` gives it the class that SQLAlchemy wraps."""

    def fails(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        driver: Any = connection.connection.driver_connection
        with pytest.raises(connection.dialect.loaded_dbapi.Error) as raised, raise_as(cursor):
            await_only(driver.execute("SELECT 1/0"))
        assert getattr(raised.value, "sqlstate", None) == "22012"

    async with engine(database.access, "app") as made, made.connect() as connection:
        await connection.run_sync(fails)
