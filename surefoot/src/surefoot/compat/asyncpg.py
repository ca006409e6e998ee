"""Private names of asyncpg that the library uses, and what SQLAlchemy expects of its objects.

Checked with asyncpg 0.30 to 0.32 and SQLAlchemy 2.0.40 to 2.1. This module imports neither
SQLAlchemy nor Alembic.

Connection._top_xact   asyncpg keeps a transaction whose BEGIN failed, and takes every later one of
                       the connection for a savepoint in it. Nothing public makes it forget.
Connection._transport  the socket, whose keep-alive no argument of `connect` sets.
PreparedStatement      SQLAlchemy prepares every statement. UnpreparedStatement has the three
                       methods that SQLAlchemy calls on a statement without parameters and rows.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable
from typing import Any

import asyncpg
from asyncpg.transaction import Transaction

# DDL, writes that return no rows, and a SELECT without columns. A semicolon may hide a second
# statement, which the server refuses only where a statement is prepared.
_RETURNS_NOTHING = re.compile(
    r"\s*(?:ALTER|COMMENT|CREATE|DECLARE|DELETE|DROP|INSERT|UPDATE|SELECT\s+WHERE)\s"
    r"(?!.*\bRETURNING\b)[^;$]*",
    re.IGNORECASE | re.DOTALL,
)


class Connection(asyncpg.Connection):
    """A connection whose transactions end in the server too where their end is cancelled.

    asyncpg takes a transaction whose COMMIT or ROLLBACK was cancelled for ended.
    """

    def transaction(self, **options: Any) -> Transaction:
        """A transaction, or a savepoint in the one that the server is in."""
        if not self.is_in_transaction():
            self._top_xact = None
        defaults = {"isolation": None, "readonly": False, "deferrable": False}
        return EndingTransaction(self, **{**defaults, **options})


def socket_of(connection: asyncpg.Connection[asyncpg.Record]) -> socket.socket:
    """The socket of a connection."""
    transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # private
    found: socket.socket = transport.get_extra_info("socket")
    return found


class EndingTransaction(Transaction):
    """After commit() or rollback(), whether they fail or not, the server has left it."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], **options: Any) -> None:
        super().__init__(connection, **options)
        self._of = connection
        self._is_savepoint = connection.is_in_transaction()

    async def commit(self) -> None:
        """Commit. On failure: nothing is kept."""
        await self._ended(super().commit())

    async def rollback(self) -> None:
        await self._ended(super().rollback())

    async def _ended(self, ending: Awaitable[None]) -> None:
        try:
            await ending
        except asyncpg.QueryCanceledError:
            if not self._is_savepoint and self._of.is_in_transaction():
                await self._of.execute("ROLLBACK")
            raise


class MigratingConnection(Connection):
    """Sends a statement that returns no rows as one message: preparing it is one more round trip.

    SQLAlchemy prepares every statement, and those of a revision run once.
    """

    async def prepare(self, query: str, **options: Any) -> Any:
        """The statement, prepared unless it returns no rows."""
        if _RETURNS_NOTHING.fullmatch(query):
            return UnpreparedStatement(self, query)
        return await super().prepare(query, **options)


class UnpreparedStatement:
    """Stands in for asyncpg's PreparedStatement, as far as SQLAlchemy uses it."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], query: str) -> None:
        self._connection = connection
        self._query = query
        self._status = ""

    def get_attributes(self) -> tuple[()]:
        """It has no columns."""
        return ()

    async def fetch(self) -> list[asyncpg.Record]:
        self._status = await self._connection.execute(self._query)
        return []

    def get_statusmsg(self) -> str:
        """The command tag of the server: `UPDATE 1`."""
        return self._status
