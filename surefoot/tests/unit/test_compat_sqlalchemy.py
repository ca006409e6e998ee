"""SQLAlchemy still has the private names that surefoot.compat.sqlalchemy uses."""

from __future__ import annotations

import asyncio
import inspect

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.util.concurrency import greenlet_spawn

from surefoot.compat.sqlalchemy import await_only, copy_column, in_greenlet


async def test_a_coroutine_is_awaited_inside_a_greenlet() -> None:
    """The loop runs meanwhile; outside of one there is no greenlet to wait in."""

    def work() -> tuple[bool, int]:
        return in_greenlet(), await_only(asyncio.sleep(0, result=7))

    assert await greenlet_spawn(work) == (True, 7)
    assert not in_greenlet()


def test_a_column_is_copied() -> None:
    """With its type and its options, without its table and the references of that."""
    table = Table("t", MetaData(), Column("a", Integer, ForeignKey("u.id"), nullable=False))
    copy = copy_column(table.c.a)
    assert copy is not table.c.a
    assert (copy.name, str(copy.type), copy.nullable) == ("a", "INTEGER", False)
    assert not copy.foreign_keys
    assert getattr(copy, "table", None) is None


def test_a_prepared_statement_is_used_by_three_methods() -> None:
    """UnpreparedStatement has them; another one would be missing where no test runs into it."""
    source = inspect.getsource(asyncpg)
    for used in ("prepared_stmt.get_attributes()", "prepared_stmt.fetch", "get_statusmsg()"):
        assert used in source
