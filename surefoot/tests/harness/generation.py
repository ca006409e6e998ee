"""A folder of revisions that autogenerate writes for models of a test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import DDL, Connection, MetaData, event, text
from sqlalchemy.ext.asyncio import AsyncConnection

import surefoot
from harness.databases import Databases
from harness.server import LIBRARY, SAMPLE
from surefoot.backfill.files import named
from surefoot.backfill.run import Result, run
from surefoot.catalog import Catalog, snapshot
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.ledger.appending import append
from surefoot.ledger.table import Entry, Ledger

ENV = """\
from alembic import context
from surefoot import Environment
from surefoot.catalog.claims import MANAGED

OPTIONS = {}
metadata = context.config.attributes.get("metadata") or ()
Environment(metadata=metadata, **{"manages": MANAGED, **OPTIONS}).run()
"""
# The schemas that models may use, the default one first.
SCHEMAS = ("public", "far")
EMPTY = (*(f"DROP SCHEMA IF EXISTS {each} CASCADE" for each in SCHEMAS), "CREATE SCHEMA public")
# Those that models may need.
EXTENSIONS = ("citext", "hstore", "pg_trgm")
# Where a connection has the way to its database.
ACCESS = "access"
Models = MetaData | Sequence[MetaData]
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata(schema: str | None = None) -> MetaData:
    """Metadata with the project's way to name constraints."""
    return MetaData(schema, naming_convention=NAMING)


def ddl(metadata: MetaData, statement: str, *, first: bool = False) -> None:
    """A statement beside the tables: before all of them, or after."""
    made = DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    event.listen(metadata, "before_create" if first else "after_create", made)


# What a backfill may give to a column of every type.
NO_VALUE = "NULL"


class Project:
    """Alembic in a folder of its own, on one connection: a warm one answers twice as fast."""

    def __init__(self, folder: Path, connection: AsyncConnection) -> None:
        self.connection = connection
        self.versions = folder / "versions"
        self.versions.mkdir()
        self.backfills = folder / "backfills"
        self._env = folder / "env.py"
        self.configure()
        shutil.copy(SAMPLE / "alembic" / "script.py.mako", folder)
        self.config = Config()
        self.config.set_main_option("script_location", str(folder))
        self.config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        self.config.set_main_option("revision_environment", "true")

    def configure(self, **options: object) -> None:
        """Let env.py hand these options to its Environment."""
        self._env.write_text(ENV.replace("OPTIONS = {}", f"OPTIONS = {options}"), "utf-8")

    async def run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """An Alembic command."""
        metadata = named.pop("metadata", None)

        def go(connection: Connection) -> Any:
            self.config.attributes.update(connection=connection, metadata=metadata)
            return function(self.config, *arguments, **named)

        try:
            return await self.connection.run_sync(go)
        finally:
            await self.connection.rollback()

    async def revise(self, metadata: Models, message: str | None, **named: Any) -> list[Path]:
        """`alembic revision --autogenerate`; the files that it wrote."""
        before = set(self.versions.glob("*.py"))
        await self.run(command.revision, message, metadata=metadata, autogenerate=True, **named)
        return sorted(set(self.versions.glob("*.py")) - before)

    def text(self) -> str:
        """All revisions, for a person who wonders why a test failed."""
        return "\n".join(path.read_text("utf-8") for path in sorted(self.versions.glob("*.py")))

    def ruff(self, *arguments: str) -> None:
        """Ruff on the revisions with the project's rules; what it finds fails the test."""
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ruff")),
                *arguments,
                f"--config={LIBRARY.parent / 'pyproject.toml'}",
                str(self.versions),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    async def upgrade(self, revision: str = "head") -> None:
        for path in self.backfills.glob("*.py"):
            write_value(path, NO_VALUE)
        self.lock()
        await self.run(command.upgrade, revision)

    async def fill(self, name: str) -> Result:
        """Run a backfill."""
        of = surefoot.Project.of(self.config)
        return await run(named(of, name), self.connection.info[ACCESS], of)

    async def downgrade(self, revision: str = "base") -> None:
        self.lock()
        await self.run(command.downgrade, revision)

    def lock(self) -> None:
        """Write revisions.lock as `surefoot lock` does, without fingerprints."""
        write_lock(self.versions.parent / "revisions.lock", read_revisions(self.versions))

    async def check(self, metadata: Models) -> None:
        """`alembic check`."""
        await self.run(command.check, metadata=metadata)

    async def catalog(self) -> Catalog:
        return await self.connection.run_sync(_snapshot)

    async def create(self, metadata: MetaData) -> None:
        """A database at base that has what the models say, as if a revision had made it."""
        async with self.connection.begin():
            await self.connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"
            )
            await self.connection.run_sync(metadata.create_all)
        await self.begin()

    async def begin(self) -> None:
        """Let a new ledger say that the database is at base with what it has."""
        async with self.connection.begin():
            await self.connection.run_sync(_begin)

    async def models(self, *metadata: MetaData) -> Catalog:
        """The catalog that the models give in an empty database."""
        return await self.connection.run_sync(_models, metadata)

    async def execute(self, *statements: str) -> None:
        async with self.connection.begin():
            for statement in statements:
                await self.connection.exec_driver_sql(statement)


def leave_open(path: Path) -> None:
    """Take `NO_VALUE` back: with rows it is a backfill that makes no progress."""
    text = path.read_text("utf-8")
    path.write_text(text.replace(f": {NO_VALUE!r}", ": ..."), "utf-8")


def write_value(path: Path, value: str) -> None:
    """Write the value of a backfill, where autogenerate left it to a person."""
    text = path.read_text("utf-8")
    path.write_text(text.replace(": ...", f": {value!r}"), "utf-8")


def _begin(connection: Connection) -> None:
    ledger = Ledger()
    ledger.create(connection)
    append(connection, ledger, Entry("base", "downgrade", "unknown", "adopted", checksum=""))


def _models(connection: Connection, metadata: Sequence[MetaData]) -> Catalog:
    try:
        there = {*connection.scalars(text("SELECT name FROM pg_available_extensions"))}
        made = (f"CREATE EXTENSION IF NOT EXISTS {each}" for each in EXTENSIONS if each in there)
        for statement in (*EMPTY, "CREATE SCHEMA far", *made):
            connection.execute(text(statement))
        for each in metadata:
            each.create_all(connection)
        found = _snapshot(connection)
        objects = {key: each for key, each in found.objects.items() if key.name not in EXTENSIONS}
        return replace(found, objects=objects)
    finally:
        connection.rollback()


def _snapshot(connection: Connection) -> Catalog:
    return snapshot(connection, privileges=True, beside=SCHEMAS[1:])


@asynccontextmanager
async def connected(databases: Databases) -> AsyncIterator[AsyncConnection]:
    """A connection to a database of its own, for the block."""
    database = await databases.empty()
    engine = database.access.engine("migrate")
    async with engine.connect() as connection:
        connection.info[ACCESS] = database.access
        yield connection
    await engine.dispose()
    await databases.drop(database)


async def on_empty(folder: Path, connection: AsyncConnection) -> Project:
    """A project without a revision, whose database is emptied."""
    project = Project(folder, connection)
    await project.execute(*EMPTY)
    return project
