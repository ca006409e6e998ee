"""create_engine is the one place in the project where an engine is made.

settings + role -> AsyncEngine

app       what requests and the worker use: pooled, checked before use
watch     what a service watches its schema with, beside its pool: one connection that it keeps, and
          statements that end when nobody waits for them any more
migrate   what Alembic uses: no pool, its own name, timeouts set by the server at connect
observe   what only looks: no pool, every transaction read-only
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.settings import Settings
from surefoot.connect.driver import (
    MAX_APPLICATION_NAME,
    Role,
    connect_arguments,
    connect_to_migrate,
    connect_to_watch,
    database_url,
    shown,
)

__all__ = ["MAX_APPLICATION_NAME", "Role", "create_engine", "database_url"]


def create_engine(settings: Settings, role: Role) -> AsyncEngine:
    """An engine on the settings' database. Nothing connects before its first use.

    On failure: DatabaseUrlMissing, DatabaseUrlInvalid.
    """
    url = database_url(settings, role)
    arguments = connect_arguments(settings, role, url)
    # SQLAlchemy's own cache of statements, and its names for them; see connect_arguments.
    arguments["prepared_statement_cache_size"] = 0
    arguments["prepared_statement_name_func"] = str

    if role == "migrate":
        arguments["async_creator_fn"] = connect_to_migrate
    if role == "watch":
        arguments["async_creator_fn"] = connect_to_watch
    options: dict[str, Any] = {"poolclass": NullPool}
    if role == "app":
        options = {
            "pool_size": settings.pool_size,
            "max_overflow": settings.pool_max_overflow,
            "pool_timeout": settings.pool_timeout_s,
            "pool_pre_ping": True,
        }
    return create_async_engine(
        # The password and all that counts travel in connect_args.
        shown(url),
        connect_args=arguments,
        hide_parameters=True,
        **options,
    )
