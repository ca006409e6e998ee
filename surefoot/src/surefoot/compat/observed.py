"""observe() calls a function around each message that a connection sends.

Private names of asyncpg. Checked with asyncpg 0.32.

Connection._protocol   sends every message. The public `add_query_logger` hears of a statement after
                       it has run, of COPY and cursors not at all.
introspection          asyncpg's own queries about types, which it sends for any statement.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
from asyncpg import introspection

# Calls the function that sends a message, and returns its result. It is given the SQL, and the
# parameters of each time that the message runs it: of none, where it only parses.
Around = Callable[[str, Callable[[], Awaitable[Any]], Sequence[Sequence[Any]]], Awaitable[Any]]
_INTROSPECTION = {introspection.INTRO_LOOKUP_TYPES, introspection.INTRO_LOOKUP_TYPES_13}
# Around that query asyncpg switches jit off, and on again.
_JIT = re.compile(
    r"\s*SELECT\s+(?:current_setting\('jit'\) AS cur,\s+set_config\('jit', 'off', false\) AS new"
    r"|set_config\('jit', \$1, false\))\s*"
)


def observe(
    connection: asyncpg.Connection[asyncpg.Record], around: Around, *, lookups: bool = False
) -> Callable[[], None]:
    """Call `around` for each message that runs SQL, until the result is called.

    With `lookups` also for asyncpg's own about types.
    """
    of: Any = connection
    protocol = of._protocol
    of._protocol = observed = ObservedProtocol(protocol, around, lookups=lookups)

    def end() -> None:
        if of._protocol is observed:  # it has none after it was closed
            of._protocol = protocol

    return end


class ObservedProtocol:
    """Stands in for asyncpg's protocol: raw cursors, COPY and driver connections end here."""

    def __init__(self, protocol: Any, around: Around, *, lookups: bool) -> None:
        self._protocol, self._around, self._lookups = protocol, around, lookups

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    async def query(self, query: str, timeout: Any) -> Any:
        """One or several statements, as text."""
        return await self._run(query, lambda: self._protocol.query(query, timeout))

    async def prepare(self, name: Any, query: str, *more: Any, **options: Any) -> Any:
        """Parse a statement, and lock what it names."""
        return await self._run(
            query, lambda: self._protocol.prepare(name, query, *more, **options), []
        )

    async def bind_execute(self, state: Any, args: Any, *more: Any, **options: Any) -> Any:
        """Run a prepared statement."""
        return await self._run(
            state.query, lambda: self._protocol.bind_execute(state, args, *more, **options), [args]
        )

    async def bind_execute_many(self, state: Any, args: Any, *more: Any, **options: Any) -> Any:
        """Run it for each of many parameters."""
        args = list(args)
        return await self._run(
            state.query,
            lambda: self._protocol.bind_execute_many(state, args, *more, **options),
            args,
        )

    async def execute(self, state: Any, *more: Any, **options: Any) -> Any:
        """Fetch rows of a cursor."""
        return await self._run(state.query, lambda: self._protocol.execute(state, *more, **options))

    async def copy_in(self, statement: str, *more: Any) -> Any:
        """COPY FROM STDIN, of a table or of records."""
        return await self._run(statement, lambda: self._protocol.copy_in(statement, *more))

    async def copy_out(self, statement: str, *more: Any) -> Any:
        """COPY TO STDOUT."""
        return await self._run(statement, lambda: self._protocol.copy_out(statement, *more))

    async def _run(
        self,
        query: str,
        send: Callable[[], Awaitable[Any]],
        times: Sequence[Sequence[Any]] = ((),),
    ) -> Any:
        if not self._lookups and (query in _INTROSPECTION or _JIT.fullmatch(query)):
            return await send()
        return await self._around(query, send, times)
