"""Connections as asyncpg makes them, which need no engine and nothing that an engine needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import URL

from surefoot.compat.asyncpg import Connection, MigratingConnection
from surefoot.connect.limits import Limits
from surefoot.connect.url import DatabaseUrl

# A little more than the client's own patience, whose message says more.
WATCH_STATEMENT_TIMEOUT_S = 3.0
# A check that waits for a lock is late for the probe that asks.
WATCH_LOCK_TIMEOUT_S = 0.4

# Another process may run `ALTER TABLE` at any time, and a statement or type that was cached before
# it fails once in every connection after it. Without caches there is nothing to go stale: a
# statement is parsed inside the transaction that runs it, where its locks hold the tables as they
# are. Unnamed statements also need no session of their own behind a pooler.
UNCACHED: Mapping[str, Any] = {"statement_cache_size": 0, "connection_class": Connection}


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
    that looks again and again would leave a session in that queue each time. It does not wait for
    a lock for longer than a probe waits for it. Behind a pooler a SET
    would be other clients' too, so there it is left to the pooler's `query_timeout`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**arguments)
    try:
        if connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()"):
            await connection.execute(
                f"SET statement_timeout = {_milliseconds(WATCH_STATEMENT_TIMEOUT_S)};"
                f"SET lock_timeout = {_milliseconds(WATCH_LOCK_TIMEOUT_S)}"
            )
    except BaseException:
        connection.terminate()
        raise
    return connection


def migration_settings(limits: Limits) -> dict[str, str]:
    """The server settings of a session that migrates, without its name."""
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
