"""Database is how one PostgreSQL database is reached: connections and engines for each role.

app       what a service works with: pooled, checked before use, and its statements are kept
watch     how a service watches its schema beside its pool: one connection, and statements that end
          in the server when their client gives up
migrate   how Alembic runs: no pool, its own name, timeouts that the server sets at connect
backfill  how batches run: the same settings, on connections of asyncpg
observe   for whoever only reads: no pool, every transaction read-only, short waits for locks
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from surefoot.connect import driver
from surefoot.connect.limits import Limits
from surefoot.connect.url import DatabaseUrl
from surefoot.errors import (
    ConfigurationInvalid,
    DatabaseUrlInvalid,
    DatabaseUrlMissing,
    EmbeddedServerMissing,
)
from surefoot.errors.names import setting

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from surefoot.embedded import EmbeddedServer

Role = Literal["app", "watch", "migrate", "observe", "backfill"]
_CONNECTORS = {
    "app": driver.connect_to_serve,
    "watch": driver.connect_to_watch,
    "migrate": driver.connect_to_migrate,
    "backfill": driver.connect_to_fill,
    "observe": driver.connect_to_observe,
}
# Their sessions have settings that a pooler refuses or forgets.
_DIRECT = ("migrate", "backfill", "observe")
# As it is given; in a Database it is a string.
Url = Any
# A field -> its setting.
_NAMES = {"url": "database", "migrate_url": "migrate_database", "scratch_url": "scratch"}
MAX_APPLICATION_NAME = 63  # NAMEDATALEN - 1; the server cuts what is longer


@dataclass(frozen=True)
class Database:
    """A database, and the bounds for runs on it. Nothing connects before its first use.

    A URL may be a string, SQLAlchemy's `URL`, or an object whose `str()` is one, such as a DSN of
    pydantic. The driver in it is the application's; the library connects by asyncpg.

    On failure, at the first use: DatabaseUrlMissing, DatabaseUrlInvalid; the latter at once for an
    object that is no URL.

    Example:
        database = Database(url, name="shop", connect_timeout_s=3)
        engine = database.engine("app")
    """

    # postgresql://user:password@host:port/database, or None for the embedded server.
    url: Url = field(default=None, repr=False)
    # A direct URL for migrations, and for what looks at them, where `url` leads to a pooler.
    migrate_url: Url = field(default=None, repr=False)
    # The start of each session's application_name; role and database of an embedded server.
    name: str = "surefoot"
    # The bounds of runs.
    limits: Limits = field(default_factory=Limits)
    # How long one connection may take, unless the URL says it.
    connect_timeout_s: float = 5.0
    # Connections that an engine of the role `app` keeps open.
    pool_size: int = 5
    # Connections that it opens beyond them.
    pool_max_overflow: int = 5
    # How long a request waits for one of them.
    pool_timeout_s: float = 10.0
    # The folder of an embedded server that serves where `url` is None.
    embedded: Path | None = None
    # The folder of PostgreSQL's programs, for that server and for `pg_dump`.
    pg_bindir: Path | None = None
    # A server to try revisions on, in databases of their own; None for a throw-away one.
    scratch_url: Url = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, named in _NAMES.items():
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, url_text(given, setting(named)))

    def location(self, role: Role = "app") -> DatabaseUrl:
        """The parsed URL for a role. On failure: DatabaseUrlMissing, DatabaseUrlInvalid."""
        if role in _DIRECT and self.migrate_url is not None:
            return DatabaseUrl.parse(self.migrate_url, name=setting("migrate_database"))
        if self.url is None:
            raise DatabaseUrlMissing("no embedded server was started for this command")
        return DatabaseUrl.parse(self.url)

    def shown(self, role: Role = "app") -> URL:
        """The URL for people and logs, without the password and the arguments."""
        from sqlalchemy import URL  # noqa: PLC0415 - a first look does without

        url = self.location(role)
        host = url.address if url.hosts else None
        return URL.create("postgresql+asyncpg", url.user, host=host, database=url.database)

    async def connect(self, role: Role = "migrate") -> asyncpg.Connection[asyncpg.Record]:
        """A connection of asyncpg itself. On failure: whatever connecting meets."""
        connect: Callable[..., Any] = _CONNECTORS.get(role, asyncpg.connect)
        made: asyncpg.Connection[asyncpg.Record] = await connect(**self._arguments(role))
        return made

    def engine(self, role: Role = "app") -> AsyncEngine:
        """An engine of SQLAlchemy. On failure: DatabaseUrlMissing, DatabaseUrlInvalid."""
        from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 - it imports the ORM

        return AsyncEngine(self.sync_engine(role))

    def sync_engine(self, role: Role) -> Engine:
        """The engine below it, whose connections are used in greenlets. On failure: the same."""
        from sqlalchemy import NullPool, create_engine  # noqa: PLC0415 - a first look does without

        from surefoot.connect.serving import serve  # noqa: PLC0415 - the same

        arguments = self._arguments(role)
        # SQLAlchemy keeps no statements, and names none: a connection does, where it is safe.
        arguments["prepared_statement_cache_size"] = 0
        arguments["prepared_statement_name_func"] = str
        if role in _CONNECTORS:
            arguments["async_creator_fn"] = _CONNECTORS[role]
        options: dict[str, Any] = {"poolclass": NullPool}
        if role == "app":
            options = {
                "pool_size": self.pool_size,
                "max_overflow": self.pool_max_overflow,
                "pool_timeout": self.pool_timeout_s,
                "pool_pre_ping": True,
            }
        engine = create_engine(
            # The password and the arguments travel in connect_args.
            self.shown(role),
            connect_args=arguments,
            hide_parameters=True,
            **options,
        )
        if role == "app":
            serve(engine)
        return engine

    def session_settings(self, role: Role) -> dict[str, str]:
        """The settings that a session of the role gets from the server at connect."""
        name = self.location(role).server_settings.get("application_name", self.name)
        if role == "app":
            # Nothing but the name: a pooler refuses most other settings at connect.
            return {"application_name": name}
        settings = {"application_name": f"{name}-{role}@{socket.gethostname()}"}
        settings["application_name"] = settings["application_name"][:MAX_APPLICATION_NAME]
        if role == "observe":
            settings[driver.READ_ONLY] = "on"
            settings["lock_timeout"] = f"{self.limits.read_wait_s * 1000:.0f}ms"
        if role in ("migrate", "backfill"):
            settings |= driver.migration_settings(self.limits)
        return settings

    def at(self, url: str) -> Database:
        """Another database, by URL, with the same options; migrations take the same URL."""
        return replace(self, url=url, migrate_url=None)

    @property
    def is_named(self) -> bool:
        """Whether a URL names the database, so that no server has to be started for it."""
        return self.url is not None or self.migrate_url is not None

    @contextmanager
    def available(self, narrate: Callable[[str], None] | None = None) -> Iterator[Database]:
        """The database itself, or the one on the embedded server, which runs in the block.

        The embedded server is started where need be; `narrate` hears of a start. It takes a moment
        and does not await: enter it before an event loop runs where you can.

        On failure: DatabaseUrlMissing, ServerBinariesMissing, ServerStartFailed.
        """
        if self.url is not None:
            yield self
            return
        with self.embedded_server(narrate).use() as running:
            yield replace(self, url=running.url())

    def embedded_server(self, narrate: Callable[[str], None] | None = None) -> EmbeddedServer:
        """The embedded server, running or not.

        On failure: DatabaseUrlMissing or, where a URL names a database, EmbeddedServerMissing: the
        project has none; in production none has.
        """
        from surefoot.embedded import EmbeddedServer  # noqa: PLC0415 - for who has no database

        missing = EmbeddedServerMissing if self.is_named else DatabaseUrlMissing
        if self.limits.production:
            raise missing("the embedded server is for development only")
        if self.embedded is None:
            raise missing("the project has no embedded server")
        return EmbeddedServer(
            self.embedded,
            bindir=self.pg_bindir,
            user=self.name,
            database=f"{self.name}_dev",
            narrate=narrate,
        )

    def _arguments(self, role: Role) -> dict[str, Any]:
        """The arguments of `asyncpg.connect` for a role."""
        url = self.location(role)
        url.check_files()
        arguments = url.connect_arguments(connect_timeout_s=self.connect_timeout_s)
        arguments["server_settings"].update(self.session_settings(role))
        return {**arguments, **driver.UNCACHED}


def bind(connection: Connection, limits: Limits) -> None:
    """Give a session of the project's own engine the settings that a run needs.

    A pooler's session keeps none of them, and is refused later.
    """
    from sqlalchemy import text  # noqa: PLC0415 - a first look does without

    for name, value in driver.migration_settings(limits).items():
        known = "SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name"
        connection.execute(text(known), {"name": name, "value": value})
    connection.commit()
    driver.keep_alive(connection.connection.driver_connection)  # type: ignore[arg-type]  # asyncpg's


def url_text(source: object, name: str) -> str:
    """The URL in a string, in SQLAlchemy's `URL` or in an object whose `str()` is a URL.

    On failure: DatabaseUrlInvalid, which says what the object is.
    """
    # SQLAlchemy's own str() hides the password.
    rendered = getattr(source, "render_as_string", None)
    found = str(source) if rendered is None else str(rendered(hide_password=False))
    if not isinstance(source, str) and not re.match(r"[A-Za-z][\w+.-]*://", found):
        hint = "; give its URL: engine.url" if hasattr(source, "dialect") else ""
        raise DatabaseUrlInvalid(name, f"{kind_of(source)} is no URL{hint}")
    if ":***@" in found:
        reason = "its password is hidden, as in str(engine.url); give engine.url itself"
        raise DatabaseUrlInvalid(name, reason)
    return found


def kind_of(found: object) -> str:
    """The kind of an object for an error, with the driver of an engine or of a connection."""
    dialect = getattr(found, "dialect", None)
    if dialect is None:
        return f"an object of the class {type(found).__name__}"
    kind = "connection" if hasattr(found, "in_transaction") else "engine"
    is_async = hasattr(found, f"sync_{kind}")
    return f"{'an asynchronous' if is_async else 'a synchronous'} {kind} of {dialect.driver}"


def refuse_other_drivers(found: Any, where: str, *, source: object = None) -> None:
    """On failure: ConfigurationInvalid, unless it is an asynchronous engine of asyncpg, or a
    connection that one has given; `source` is the import string that led to it.
    """
    driver = getattr(getattr(found, "dialect", None), "driver", None)
    is_engine = hasattr(found, "sync_engine") and not hasattr(found, "in_transaction")
    is_handed = hasattr(found, "in_transaction") and not hasattr(found, "sync_connection")
    if driver == "asyncpg" and (is_engine or is_handed):
        return
    name = f'"{source}.url"' if isinstance(source, str) else "engine.url"
    raise ConfigurationInvalid(
        where,
        f"{kind_of(found)} cannot run migrations, which run on asyncpg; keep it for the "
        f"application, and give its URL: Environment(database={name})",
    )
