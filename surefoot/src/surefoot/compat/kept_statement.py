"""A statement that is kept on a session, as SQLAlchemy uses it; `statements` keeps it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.compat.statements import KeepingConnection


class KeptStatement:
    """Stands in for asyncpg's PreparedStatement, as far as SQLAlchemy uses it."""

    def __init__(self, connection: KeepingConnection, query: str, parsed: Any) -> None:
        self._connection = connection
        self._query = query
        self._parsed = parsed
        self._attributes = parsed.get_attributes()

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
        """Open a cursor of the server."""
        return self._run(lambda: self._parsed.cursor(*args))

    def get_statusmsg(self) -> Any:
        """The command tag of the server: `UPDATE 1`."""
        return self._parsed.get_statusmsg()

    def _run(self, send: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
        if self._query in self._connection.held:
            return send()
        return self._connection.run(self._query, send)
