"""Connections as asyncpg makes them, which need no engine and nothing that an engine needs."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Mapping
from typing import Any

import asyncpg

from surefoot.compat.asyncpg import Connection, MigratingConnection, socket_of
from surefoot.compat.statements import KeepingConnection
from surefoot.connect.limits import Limits

# A little more than the client's own patience, whose message says more.
WATCH_STATEMENT_TIMEOUT_S = 3.0
# A check that waits for a lock is late for the probe that asks.
WATCH_LOCK_TIMEOUT_S = 0.4

# Either end asks a silent peer after so long, so often, and takes it for gone after 30 s in all.
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT = 15, 5, 3
GONE_AFTER_MS = (KEEPALIVE_IDLE_S + KEEPALIVE_INTERVAL_S * KEEPALIVE_COUNT) * 1000
# Options of a TCP socket, as far as the system has them.
_KEEPALIVE = {
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
    "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
    "TCP_KEEPCNT": KEEPALIVE_COUNT,
    "TCP_USER_TIMEOUT": GONE_AFTER_MS,
}

# Another process may run `ALTER TABLE` at any time, and a statement or type that asyncpg or
# SQLAlchemy cached before it fails once in every connection after it. Without caches there is
# nothing to go stale: a statement is parsed inside the transaction that runs it, where its locks
# hold the tables as they are. Unnamed statements also need no session of their own behind a pooler.
# A KeepingConnection keeps statements itself.
UNCACHED: Mapping[str, Any] = {"statement_cache_size": 0, "connection_class": Connection}


READ_ONLY = "default_transaction_read_only"
# Where a statement is tried; a trace leaves these messages out.
TRIAL = "SAVEPOINT surefoot_trial"
# The server cannot type a parameter, or has no operator, cast or place for the type that it has.
_UNTYPED = {"42P08", "42P18", "42601", "42725", "42804", "42846", "42883"}


async def is_typed(connection: asyncpg.Connection[asyncpg.Record], query: str) -> bool:
    """Whether the server accepts the types of the parameters of a statement, which it does not run.

    An open transaction goes on as before. A failure for another reason counts as accepted.
    """
    inside, typed = connection.is_in_transaction(), True
    if inside:
        await connection.execute(TRIAL)
    try:
        # Not as a MigratingConnection does, which runs all but the last of several statements.
        await asyncpg.Connection.prepare(connection, query, name="")
    except asyncpg.SyntaxOrAccessError as error:
        typed = error.sqlstate not in _UNTYPED
        if inside:
            await connection.execute(f"ROLLBACK TO {TRIAL}")
    if inside:
        await connection.execute(f"RELEASE {TRIAL}")
    return typed


async def connect_to_migrate(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect to run revisions."""
    return await connect_to_fill(**{**arguments, "connection_class": MigratingConnection})


async def connect_to_fill(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect with the settings; a server before 17 knows no transaction_timeout, nor needs it."""
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**arguments)
    except asyncpg.UndefinedObjectError:
        settings = dict(arguments["server_settings"])
        del settings["transaction_timeout"]
        connection = await asyncpg.connect(**{**arguments, "server_settings": settings})
    keep_alive(connection)
    return connection


def keep_alive(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let the system find out where the server is gone without a word; asyncpg would wait on."""
    found = socket_of(connection)
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            found.setsockopt(socket.IPPROTO_TCP, option, value)


async def connect_to_serve(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect so that statements are kept, unless a pooler is in between."""
    arguments["connection_class"] = KeepingConnection
    connection: Any = await asyncpg.connect(**arguments)
    await _prepared(connection, connection.find_whether_to_keep())
    made: asyncpg.Connection[asyncpg.Record] = connection
    return made


async def _prepared(connection: Any, preparing: Awaitable[object]) -> None:
    """Await what makes a new connection ready; one that does not get ready is ended."""
    try:
        await preparing
    except BaseException:
        connection.terminate()
        raise


async def connect_to_observe(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect so that every transaction is read-only.

    Where the URL asks for a host by whether its sessions may write, one is chosen before that.
    """
    settings = dict(arguments["server_settings"])
    asks = arguments.get("target_session_attrs") in ("read-write", "read-only")
    read_only = settings.pop(READ_ONLY, None) if asks else None
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        **{**arguments, "server_settings": settings}
    )
    if read_only is not None:
        await _prepared(connection, connection.execute(f"SET {READ_ONLY} = {read_only}"))
    return connection


async def connect_to_watch(**arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect so that a statement ends in the server too, soon after its client gave up on it.

    The server does not notice that a client has gone while its statement waits for a lock: a watch
    that looks again and again would leave a session in that queue each time. It does not wait for
    a lock for longer than a probe waits for it. Behind a pooler a SET
    would be other clients' too, so there it is left to the pooler's `query_timeout`.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**arguments)
    await _prepared(connection, _bound(connection))
    return connection


async def _bound(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    if connection.get_server_pid() == await connection.fetchval("SELECT pg_backend_pid()"):
        await connection.execute(
            f"SET statement_timeout = {_milliseconds(WATCH_STATEMENT_TIMEOUT_S)};"
            f"SET lock_timeout = {_milliseconds(WATCH_LOCK_TIMEOUT_S)}"
        )


def migration_settings(limits: Limits) -> dict[str, str]:
    """The server settings of a session that migrates, without its name."""
    return {
        "lock_timeout": _milliseconds(limits.lock_timeout_s),
        "statement_timeout": _milliseconds(limits.statement_timeout_s),
        # A client that is stopped or cut off keeps its locks for no longer.
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle_in_transaction_timeout_s),
        # A role's other limits are for requests.
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
        # When the client dies its statement ends within this, instead of running on.
        "client_connection_check_interval": "500",
        # When its network dies, within these.
        "tcp_keepalives_idle": str(KEEPALIVE_IDLE_S),
        "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_S),
        "tcp_keepalives_count": str(KEEPALIVE_COUNT),
        "tcp_user_timeout": str(GONE_AFTER_MS),
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
