"""Private names of asyncpg that the library uses, and what SQLAlchemy expects of its objects.

Checked with asyncpg 0.32 and SQLAlchemy 2.0.55 to 2.1. This module imports neither
SQLAlchemy nor Alembic.

Connection._check_open  raises InterfaceError on a closed connection.
Connection._top_xact   asyncpg keeps a transaction whose BEGIN failed; for it every later one is a
                       savepoint in that. Nothing public makes it forget.
Connection._transport  the socket, whose keep-alive no argument of `connect` sets.
PreparedStatement      UnpreparedStatement has the methods that SQLAlchemy calls on a prepared one
                       without parameters and rows, CopiedText those for one row with one text.
DataError              Raised by asyncpg itself, it has no severity.
Connection._copy_out   COPY answers without being prepared. The public `copy_from_query` sends no
                       statements before its query in the same message.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg.transaction import Transaction
from asyncpg.types import Attribute, Type

from surefoot.quoting import several

# DDL, settings and writes that return no rows. A semicolon may hide a second statement, which the
# server refuses only where a statement is prepared.
_RETURNS_NOTHING = re.compile(
    r"\s*(?:ALTER|COMMENT|CREATE|DECLARE|DELETE|DROP|INSERT|SET|UPDATE)\s(?!.*\bRETURNING\b)[^;$]*",
    re.IGNORECASE | re.DOTALL,
)


# The end of statements of the library; see `one_message`.
_COPIED = ") AS q (answer)) TO STDOUT (FORMAT binary) -- surefoot"
# Signature, flags and the length of the extension, which is empty.
_COPY_HEADER = 19
# The end of those that are sent as they are.
AS_ONE = " -- surefoot, as one"
# SQLAlchemy sends them, SHOW to learn the isolation level; they change no schema.
_CONTROL = re.compile(
    r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|SHOW)\b[^;]*;?\s*", re.IGNORECASE
)
WITH_COMMIT = "; COMMIT -- surefoot"
_NO_ROW = b"\xff\xff"


class Connection(asyncpg.Connection):
    """A connection whose transactions end in the server too where their end is cancelled.

    asyncpg takes a transaction whose COMMIT or ROLLBACK was cancelled for ended.
    """

    def is_in_transaction(self) -> bool:
        """Whether the server is in one; a connection that was closed is in none."""
        return not self.is_closed() and super().is_in_transaction()

    def transaction(self, **options: Any) -> Transaction:
        """A transaction, or a savepoint in the one that the server is in."""
        self._check_open()  # type: ignore[attr-defined]  # private; as the method that this replaces
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
    """After its end, whether that fails or not, the server has left it.

    Where its begin or its end is cut off, the connection ends: who gets that next would work in the
    transaction of somebody else, where asyncpg makes savepoints of its own, and lose what it wrote.
    """

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], **options: Any) -> None:
        super().__init__(connection, **options)
        self._of = connection
        self._is_savepoint = connection.is_in_transaction()

    async def start(self) -> None:
        """Begin."""
        await self._reached(super().start())

    async def commit(self) -> None:
        """Commit. On failure: nothing is kept."""
        await self._ended(super().commit())

    async def rollback(self) -> None:
        await self._ended(super().rollback())

    async def __aexit__(self, *raised: Any) -> None:
        # A closed connection has nothing to roll back: what ended the block is raised.
        if raised[0] is None or not self._of.is_closed():
            await self._ended(super().__aexit__(*raised))

    async def _ended(self, ending: Awaitable[None]) -> None:
        try:
            await self._reached(ending)
        except asyncpg.PostgresError:
            # A message may have failed before its COMMIT.
            if not self._is_savepoint and self._of.is_in_transaction():
                await self._reached(self._of.execute("ROLLBACK"))
            raise

    async def _reached(self, sending: Awaitable[object]) -> None:
        try:
            await sending
        except (asyncio.CancelledError, asyncio.TimeoutError, TimeoutError):
            self._of.terminate()
            raise


class MigratingConnection(Connection):
    """Sends a statement that returns no rows as one message: preparing it is one more round trip.

    SQLAlchemy prepares every statement, and those of a revision run once.
    """

    # Whether BEGIN is to be sent with the statement that follows; the BEGIN that was not sent yet.
    _joins_begin = False
    _begin = ""
    # Statements that are sent with the COMMIT.
    due = ""
    # Keeps back a statement that returns no rows, where it may be sent later; whether it does.
    puts_off: Callable[[str], Awaitable[bool]] | None = None

    @contextmanager
    def joining_begin(self) -> Iterator[None]:
        """For the block, which runs a statement of `one_message`, a BEGIN goes with it."""
        self._joins_begin, self._begin = True, ""
        try:
            yield
        finally:
            self._joins_begin = False

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run statements, as asyncpg does."""
        if self._joins_begin and query.startswith("BEGIN"):
            self._begin = query
            return "BEGIN"
        if self.due and query in {"COMMIT;", "ROLLBACK;"}:
            query, self.due = query if query == "ROLLBACK;" else self.due + WITH_COMMIT, ""
        return await super().execute(query, *args, timeout=timeout)

    async def prepare(self, query: str, **options: Any) -> Any:
        """The statement, prepared unless it returns no rows or is of `one_message`."""
        if query.endswith(_COPIED):
            return CopiedText(self, self._begin + query)
        if query.endswith(AS_ONE):
            return UnpreparedStatement(self, query)
        # PostgreSQL prepares one; a raw cursor, which names none, may have been given several.
        *first, query = (() if options.get("name") else several(query)) or (query,)
        for statement in first:
            await self.execute(statement)
        if _RETURNS_NOTHING.fullmatch(query):
            return Postponable(self, query) if self.puts_off else UnpreparedStatement(self, query)
        return await super().prepare(query, **options)


def one_message(*statements: str) -> str:
    """Statements and a query of one text, as a MigratingConnection sends and answers them."""
    *first, query = statements
    # As bytes, whatever encoding a revision has set for its session.
    copied = f"COPY (SELECT convert_to(answer, 'UTF8') FROM ({query}{_COPIED}"  # noqa: S608 - of the library
    return "; ".join([*first, copied])


class UnpreparedStatement:
    """Stands in for asyncpg's PreparedStatement, as far as SQLAlchemy uses it."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], query: str) -> None:
        self._connection = connection
        self._query = query
        self._status = ""

    def get_attributes(self) -> tuple[Attribute, ...]:
        """It has no columns."""
        return ()

    async def fetch(self) -> Sequence[Any]:
        self._status = await self._connection.execute(self._query)
        return []

    async def cursor(self) -> FetchedRows:
        """Run it, as SQLAlchemy's option `stream_results` asks."""
        return FetchedRows(await self.fetch())

    def get_statusmsg(self) -> str:
        """The command tag of the server: `UPDATE 1`."""
        return self._status


class FetchedRows:
    """Stands in for asyncpg's Cursor."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._left = rows

    async def fetch(self, count: int) -> Sequence[Any]:
        """The next rows."""
        found, self._left = self._left[:count], self._left[count:]
        return found


class Postponable(UnpreparedStatement):
    """Stands in for a statement that may be sent later, and then has no command tag."""

    async def fetch(self) -> Sequence[Any]:
        """Run it, or put it off."""
        connection: Any = self._connection
        return [] if await connection.puts_off(self._query) else await super().fetch()


class CopiedText(UnpreparedStatement):
    """Stands in for the statement of `one_message`."""

    def get_attributes(self) -> tuple[Attribute, ...]:
        """Its one column."""
        return (Attribute("text", Type(25, "text", "scalar", "pg_catalog")),)

    async def fetch(self) -> Sequence[Any]:
        """Run it."""
        received = bytearray()

        async def receive(part: bytes) -> None:
            received.extend(part)

        copy_out: Any = self._connection._copy_out  # type: ignore[attr-defined]  # private
        self._status = await copy_out(self._query, receive, None)
        row = bytes(received[_COPY_HEADER:])
        # The number of fields, -1 at the end; then the length of the first, -1 for NULL.
        if row[:2] == _NO_ROW:
            return []
        (length,) = struct.unpack_from("!i", row, 2)
        return [(row[6:][:length].decode() if length >= 0 else None,)]


def control_word(query: str) -> str | None:
    """The word by which a message begins or ends a transaction; None for another message."""
    if query.endswith(WITH_COMMIT):
        return "COMMIT"
    return (found := _CONTROL.fullmatch(query)) and found[1].upper()


def is_of_client(error: BaseException | None) -> bool:
    """Whether asyncpg itself has refused parameters; of many sets it may have sent those before."""
    if isinstance(error, asyncpg.DataError):
        return "severity" not in vars(error)  # which the server gives
    return isinstance(error, asyncpg.InterfaceError) and str(error).startswith("the server expects")
