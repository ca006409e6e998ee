"""Connections as asyncpg makes them, which need no engine and nothing that an engine needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import asyncpg
from asyncpg.transaction import Transaction
from sqlalchemy import URL

from surefoot.connect.limits import Limits
from surefoot.connect.url import DatabaseUrl

# A little more than the client's own patience, whose message says more.
WATCH_STATEMENT_TIMEOUT_S = 3.0

# DDL and writes, without parameters and without rows in answer. A semicolon may hide a second
# statement, which the server refuses only where a statement is prepared.
_GIVES_NOTHING = re.compile(
    r"\s*(?:ALTER|COMMENT|CREATE|DELETE|DROP|INSERT|UPDATE)\s(?!.*\bRETURNING\b)[^;$]*",
    re.IGNORECASE | re.DOTALL,
)


def shown(url: DatabaseUrl) -> URL:
    """The URL for people and logs, without the password and what else counts."""
    return URL.create(
        "postgresql+asyncpg",
        url.user,
        host=url.address if url.hosts else None,
        database=url.database,
    )


async def connect_to_migrate(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect with the settings; a server before 17 knows no transaction_timeout, nor needs it."""
    arguments["connection_class"] = MigratingConnection
    try:
        return await asyncpg.connect(**arguments)
    except asyncpg.UndefinedObjectError:
        settings = dict(arguments["server_settings"])
        del settings["transaction_timeout"]
        return await asyncpg.connect(**{**arguments, "server_settings": settings})


async def connect_to_watch(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect so that a statement ends in the server too, soon after its client gave up on it.

    The server does not notice that a client has gone while its statement waits for a lock: a watch
    that looks again and again would leave a session in that queue each time. Behind a pooler a SET
    would be other clients' too, so there it is left to the pooler's `query_timeout`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**arguments)
    try:
        if connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()"):
            limit = _milliseconds(WATCH_STATEMENT_TIMEOUT_S)
            await connection.execute(f"SET statement_timeout = {limit}")
    except BaseException:
        connection.terminate()
        raise
    return connection


class Connection(asyncpg.Connection):
    """Its transactions begin and end in the server too where somebody cancels the statement.

    asyncpg takes a transaction whose BEGIN failed for begun, and every later one of the connection
    for a savepoint in it. One whose COMMIT or ROLLBACK was cancelled it takes for ended.
    """

    def transaction(self, **options: Any) -> Transaction:
        """A transaction, or a savepoint in the one that the server is in."""
        if not self.is_in_transaction():
            self._top_xact = None
        defaults = {"isolation": None, "readonly": False, "deferrable": False}
        return EndingTransaction(self, **{**defaults, **options})


class EndingTransaction(Transaction):
    """After commit() or rollback() the server is out of it, whatever they met."""

    _connection: asyncpg.Connection[asyncpg.Record]
    _nested: bool

    async def commit(self) -> None:
        """Keep what was done. On failure: nothing is kept."""
        try:
            await super().commit()
        except asyncpg.QueryCanceledError:
            await self._leave()
            raise

    async def rollback(self) -> None:
        """Keep nothing."""
        try:
            await super().rollback()
        except asyncpg.QueryCanceledError:
            await self._leave()
            raise

    async def _leave(self) -> None:
        if not self._nested and self._connection.is_in_transaction():
            await self._connection.execute("ROLLBACK")


# Another process may run `ALTER TABLE` at any time, and a statement or type that was cached before
# it fails once in every connection after it. Without caches there is nothing to go stale: a
# statement is parsed inside the transaction that runs it, where its locks hold the tables as they
# are. Unnamed statements also need no session of their own behind a pooler.
UNCACHED: Mapping[str, Any] = {"statement_cache_size": 0, "connection_class": Connection}


class MigratingConnection(Connection):
    """Sends what gives no rows as one message, where preparing it would be a round trip more.

    SQLAlchemy prepares every statement, and most of those of a revision only to forget them.
    """

    async def prepare(self, query: str, **options: Any) -> Any:
        """The statement prepared, or what does as one where nothing is to be learnt of it."""
        if _GIVES_NOTHING.fullmatch(query):
            return Unprepared(self, query)
        return await super().prepare(query, **options)


class Unprepared:
    """As much of asyncpg's PreparedStatement as SQLAlchemy uses, for a statement without rows."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], query: str) -> None:
        self._connection = connection
        self._query = query
        self._status = ""

    def get_attributes(self) -> tuple[()]:
        """It has no columns."""
        return ()

    async def fetch(self) -> list[asyncpg.Record]:
        """Run it."""
        self._status = await self._connection.execute(self._query)
        return []

    def get_statusmsg(self) -> str:
        """What the server said: `UPDATE 1`."""
        return self._status


def migration_settings(limits: Limits) -> dict[str, str]:
    """What a session that migrates is set to, beside its name."""
    return {
        "lock_timeout": _milliseconds(limits.lock_timeout_s),
        "statement_timeout": _milliseconds(limits.statement_timeout_s),
        # A role's own limits are for requests; a migration sits idle while Python works.
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
        # When the client dies its statement ends within this, instead of running on.
        "client_connection_check_interval": "500",
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
