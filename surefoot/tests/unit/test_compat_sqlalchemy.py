"""SQLAlchemy still has the private names that surefoot.compat.sqlalchemy uses."""

from __future__ import annotations

import asyncio
import inspect

from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.util.concurrency import greenlet_spawn

from surefoot.compat.sqlalchemy import await_only, in_greenlet


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
