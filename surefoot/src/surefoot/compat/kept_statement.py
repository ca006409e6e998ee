"""A statement as SQLAlchemy uses it; `statements` runs it again where the schema has changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from surefoot.compat.asyncpg import is_of_client

if TYPE_CHECKING:
    from surefoot.compat.statements import KeepingConnection

# SQLAlchemy asks a cursor for so many rows first.
FIRST_ROWS = 50

# A value is not written in the form of its type.
_OF_VALUES = (asyncpg.InvalidBinaryRepresentationError, asyncpg.InvalidTextRepresentationError)
# A statement may fail with these before it runs, because it or a type is out of date: it names a
# type that is gone, has parameters of an older type, or is not there after a DISCARD ALL. Where it
# has another reason, the statement fails again.
_PERHAPS_STALE = (
    *_OF_VALUES,
    asyncpg.InternalServerError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.SyntaxOrAccessError,
)
STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# The context of an error that a parameter has. Any other is that of a function: the statement ran.
_OF_PARAMETER = re.compile(r"[^\n]*\$\d[^\n]*")


def is_perhaps_stale(error: Exception) -> bool:
    """Whether a statement has failed with that because it, or a type, may be out of date."""
    if isinstance(error, STALE) or is_of_client(error):
        return True
    if not isinstance(error, _PERHAPS_STALE):
        return False
    if (context := getattr(error, "context", None)) is not None:
        return _OF_PARAMETER.fullmatch(context) is not None
    # In a value that is no parameter, or a name that a function looks up: the statement ran.
    if isinstance(error, _OF_VALUES):
        return False
    is_of_names = isinstance(error, asyncpg.SyntaxOrAccessError)
    is_placed = getattr(error, "position", None) is not None
    return not is_of_names or is_placed or isinstance(error, asyncpg.UndefinedObjectError)


class KeptStatement:
    """Stands in for asyncpg's PreparedStatement, as far as SQLAlchemy uses it."""

    def __init__(
        self, connection: KeepingConnection, query: str, parsed: Any, *, is_kept: bool = True
    ) -> None:
        self._connection = connection
        self._query = query
        self._parsed = parsed
        self._attributes = parsed.get_attributes()
        self._is_kept = is_kept

    def get_attributes(self) -> Any:
        """The columns, as they were when the statement was parsed."""
        return self._attributes

    def fetch(self, *args: Any) -> Awaitable[Any]:
        """Run it; all rows."""
        return self._run(lambda: self._parsed.fetch(*args))

    def executemany(self, args: Iterable[Sequence[Any]]) -> Awaitable[Any]:
        """Run it for each set of parameters."""
        return self._run(lambda: self._parsed.executemany(args))

    def cursor(self, *args: Any) -> Awaitable[Any]:
        """Open a cursor of the server, and read its first rows, whose types may be out of date."""
        return self._run(lambda: self._opened(args))

    def get_statusmsg(self) -> Any:
        """The command tag of the server: `UPDATE 1`."""
        return self._parsed.get_statusmsg()

    async def _opened(self, args: Sequence[Any]) -> StartedCursor:
        started = StartedCursor(self._connection, await self._parsed.cursor(*args))
        await started.begin()
        return started

    def _run(self, send: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
        if self._query in self._connection.held:
            return send()
        return self._connection.run(self._query, send, is_kept=self._is_kept)


class StartedCursor:
    """Stands in for asyncpg's Cursor, which goes on with a type that is out of date."""

    def __init__(self, connection: KeepingConnection, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self._rows: Sequence[Any] = ()

    async def begin(self) -> None:
        """Read the first rows."""
        self._rows = await self._read(FIRST_ROWS)

    async def fetch(self, count: int) -> Sequence[Any]:
        """The next rows."""
        found, self._rows = self._rows[:count], self._rows[count:]
        return found if len(found) == count else [*found, *await self._read(count - len(found))]

    async def _read(self, count: int) -> Sequence[Any]:
        try:
            rows: Sequence[Any] = await self._cursor.fetch(count)
        except asyncpg.OutdatedSchemaCacheError:
            await self._connection.reload_schema_state()
            raise
        return rows
