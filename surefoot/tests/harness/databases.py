"""Databases for tests: a template that is migrated once, and clones of it.

The template is named by the hash of what makes it, so an external server keeps it between runs,
and a change of a revision or a model makes a new one.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import surefoot
from harness.server import SAMPLE, Server
from surefoot.chain.lockfile import read_lock
from surefoot.connect.database import Role
from surefoot.connect.url import DatabaseUrl
from surefoot.ledger.agreement import Agreement, compare
from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.version_table import VersionTable

TEMPLATE_MUTEX = 7_236_471


# Who waits for a lock in the database that is asked: the server is shared with other tests. Not by
# pg_stat_activity, which stays as it was for the length of a transaction.
WAITING = (
    "pg_locks WHERE NOT granted AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(frozen=True)
class Database:
    """One database of one test."""

    name: str
    url: str = field(repr=False)
    keeps: str = ""

    @property
    def access(self) -> surefoot.Database:
        """How the library reaches it."""
        return access_to(self.url)


@dataclass(frozen=True)
class Template:
    """The project whose revisions make the template database."""

    project: Path = SAMPLE
    # Its files and folders that decide on the schema.
    sources: tuple[str, ...] = ("alembic",)
    prefix: str = "sample"

    @property
    def name(self) -> str:
        """The database's name: the hash of every file that makes the schema."""
        digest = hashlib.sha256()
        for path in self._files():
            digest.update(f"{path.relative_to(self.project)}\0".encode())
            digest.update(path.read_bytes() + b"\0")
        return f"{self.prefix}_template_{digest.hexdigest()[:12]}"

    async def migrate(self, database: surefoot.Database) -> None:
        """Take a database to head, by the revisions."""
        async with engine(database, "migrate") as made:
            await upgrade(Target.of(made, self.project / "alembic.ini"), "head")

    def _files(self) -> Iterator[Path]:
        for folder in self.sources:
            found = (self.project / folder).rglob("*")
            yield from sorted(path for path in found if path.suffix in (".py", ".sql"))


class Databases:
    """Makes and drops databases on one server, through one connection."""

    def __init__(
        self,
        server: Server,
        admin: asyncpg.Connection,
        prefix: str,
        template: Template = Template(),
    ) -> None:
        self.server = server
        self._template = template
        self._admin = admin
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._made: set[str] = set()
        # Copying files beats writing them through the log by half where no disk is waited for;
        # on a server that is somebody else's it would make two checkpoints.
        self._strategy = "STRATEGY file_copy" if server.is_ours else ""

    async def empty(self) -> Database:
        """A new database with nothing in it."""
        return await self._create("template0")

    async def clone(self) -> Database:
        """A new database at head."""
        return await self._create(await self.template())

    async def copy(self, of: Database) -> Database:
        """A new database with all that another holds, to which nobody is connected."""
        return await self._create(of.name)

    async def drop(self, database: Database) -> None:
        """Drop a database, whoever still uses it."""
        self._made.discard(database.name)
        await self._admin.execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')

    def keep(self, database: Database) -> None:
        """Leave the database for a look."""
        self._made.discard(database.name)
        self.server.keep()

    async def drop_all(self) -> None:
        """Drop what was made and neither dropped nor kept."""
        for name in list(self._made):
            await self.drop(self._database(name))

    async def template(self) -> str:
        """The name of the migrated template, made by the first who asks."""
        name = self._template.name
        if not await self._is_finished(name):
            await self._admin.execute("SELECT pg_advisory_lock($1)", TEMPLATE_MUTEX)
            try:
                if not await self._is_finished(name):
                    await self._make_template(name)
            finally:
                await self._admin.execute("SELECT pg_advisory_unlock($1)", TEMPLATE_MUTEX)
        return name

    async def _make_template(self, name: str) -> None:
        unfinished = f"{name}_unfinished"
        await self._admin.execute(f'DROP DATABASE IF EXISTS "{unfinished}" WITH (FORCE)')
        await self._admin.execute(f'CREATE DATABASE "{unfinished}" TEMPLATE template0')
        await self._template.migrate(access_to(self.server.url_of(unfinished)))
        await self._admin.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
        # Nobody can connect, so nobody can stand in the way of a clone.
        await self._admin.execute(
            f'ALTER DATABASE "{name}" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false'
        )

    async def _is_finished(self, name: str) -> bool:
        found = await self._admin.fetchval(
            "SELECT datistemplate AND NOT datallowconn FROM pg_database WHERE datname = $1", name
        )
        return bool(found)

    async def _create(self, template: str) -> Database:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._made.add(name)
        await self._admin.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self._strategy}'
        )
        return self._database(name)

    def _database(self, name: str) -> Database:
        return Database(name, self.server.url_of(name), self.server.keeps)


async def connect(url: str, name: str | None = None) -> asyncpg.Connection:
    """A connection of the driver itself, for what is no part of the library."""
    arguments = DatabaseUrl.parse(url).connect_arguments(connect_timeout_s=10)
    if name is not None:
        arguments["server_settings"]["application_name"] = name
    return await asyncpg.connect(**arguments)


async def value(url: str, statement: str) -> object:
    """The result of one statement, on a connection of its own."""
    connection = await connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def execute(url: str, statements: str) -> None:
    """Several statements, on a connection of their own."""
    connection = await connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def occupy(database: Database) -> None:
    """Let somebody else have a table in it: each revision of a run then commits by itself."""
    await execute(database.url, "CREATE SCHEMA elsewhere CREATE TABLE occupied ()")


@asynccontextmanager
async def engine(database: surefoot.Database, role: Role) -> AsyncIterator[AsyncEngine]:
    """An engine whose connections end with the block."""
    made = database.engine(role)
    try:
        yield made
    finally:
        await made.dispose()


async def agreement(
    made: AsyncEngine,
    lock: Path,
    version_table: VersionTable = VersionTable(),
    schemas: Sequence[str] = (),
) -> Agreement:
    """Whether the database is what the lock file expects, on a connection of its own."""
    async with made.connect() as connection:
        return await connection.run_sync(compare, read_lock(lock), version_table, schemas)


async def scalar(made: AsyncEngine, statement: str) -> object:
    """The result of one statement, through an engine."""
    async with made.connect() as connection:
        return (await connection.execute(text(statement))).scalar_one()


def access_to(url: str) -> surefoot.Database:
    """How the library reaches the database of a URL."""
    return surefoot.Database(url, name="sample")
