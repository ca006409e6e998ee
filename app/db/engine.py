"""create_engine is the one place in the project where an engine is made.

settings + role -> AsyncEngine

app       what requests and the worker use: pooled, checked before use
migrate   what Alembic uses: no pool, its own name, timeouts set by the server at connect
observe   what only looks: no pool, every transaction read-only
"""

from __future__ import annotations

import socket
from typing import Any, Literal

from sqlalchemy import URL, NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.url import DatabaseUrl
from app.errors import DatabaseUrlMissing
from app.settings import Settings

Role = Literal["app", "migrate", "observe"]
MAX_APPLICATION_NAME = 63  # NAMEDATALEN - 1; the server cuts what is longer


def database_url(settings: Settings) -> DatabaseUrl:
    """The database that the settings name.

    On failure: DatabaseUrlMissing, DatabaseUrlInvalid.
    """
    if settings.database_url is None:
        raise DatabaseUrlMissing("no embedded server was started for this command")
    return DatabaseUrl.parse(settings.database_url.get_secret_value())


def create_engine(settings: Settings, role: Role) -> AsyncEngine:
    """An engine on the settings' database. Nothing connects before its first use.

    On failure: DatabaseUrlMissing, DatabaseUrlInvalid.
    """
    url = database_url(settings)
    arguments = url.connect_arguments(connect_timeout_s=settings.connect_timeout_s)
    arguments["server_settings"].update(_server_settings(settings, url, role))
    # Another process may run `ALTER TABLE` at any time, and a statement or type that was cached
    # before it fails once in every connection after it. Without caches there is nothing to go
    # stale: a statement is parsed inside the transaction that runs it, where its locks hold the
    # tables as they are. Unnamed statements also need no session of their own behind a pooler.
    arguments["statement_cache_size"] = 0
    arguments["prepared_statement_cache_size"] = 0
    arguments["prepared_statement_name_func"] = str

    options: dict[str, Any] = {"poolclass": NullPool}
    if role == "app":
        options = {
            "pool_size": settings.pool_size,
            "max_overflow": settings.pool_max_overflow,
            "pool_timeout": settings.pool_timeout_s,
            "pool_pre_ping": True,
        }
    return create_async_engine(
        # For people and logs; the password and all that counts travel in connect_args.
        URL.create(
            "postgresql+asyncpg",
            url.user,
            host=url.address if url.hosts else None,
            database=url.database,
        ),
        connect_args=arguments,
        hide_parameters=True,
        **options,
    )


def _server_settings(settings: Settings, url: DatabaseUrl, role: Role) -> dict[str, str]:
    name = url.server_settings.get("application_name", "vegafs")
    if role == "app":
        # Nothing but the name: a pooler refuses most other settings at connect.
        return {"application_name": name}
    application = f"{name}-{role}@{socket.gethostname()}"[:MAX_APPLICATION_NAME]
    if role == "observe":
        return {"application_name": application, "default_transaction_read_only": "on"}
    return {
        "application_name": application,
        "lock_timeout": _milliseconds(settings.migrate_lock_timeout_s),
        "statement_timeout": _milliseconds(settings.migrate_statement_timeout_s),
        # A role's own limits are for requests; a migration sits idle while Python works.
        "idle_in_transaction_session_timeout": "0",
        # When the client dies its statement ends within this, instead of running on.
        "client_connection_check_interval": "500",
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
