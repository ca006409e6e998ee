"""A database to try revisions on.

It is made beside the one that `scratch_url` names, on the embedded server of a database without a
URL, on the kept server of its project, or on a throw-away server.
"""

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

import surefoot
from surefoot.chain.revisions import Revision
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.embedded import EmbeddedServer, find_binaries
from surefoot.errors import ScratchRoomMissing
from surefoot.project import Project
from surefoot.quoting import quoted
from surefoot.scratch.kept_server import ROOM_BYTES, KeptServer
from surefoot.scratch.shared_catalogs import refuse_changes
from surefoot.scratch.templates import Templates, copy

# Objects that databases share.
_OF_THE_SERVER = """
SELECT 'ROLE ' || quote_ident(rolname) FROM pg_roles
UNION ALL SELECT 'TABLESPACE ' || quote_ident(spcname) FROM pg_tablespace
"""
PATIENCE_S = 2.0
# Of one statement on a scratch database; sample rows are few.
STATEMENT_S = 60.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True)
class Scratch:
    """A scratch database, and a database for which `scratch` makes more on the same server."""

    engine: AsyncEngine
    server: Database
    # The revisions that it has run, as it was made from a template.
    has: frozenset[str] = frozenset()
    _templates: Templates | None = None

    async def keep(self, revisions: Sequence[Revision]) -> None:
        """Keep it as it is for the next command: it has run these revisions, and no others.

        Nobody may be connected to it. Nothing is kept where the server does not stay.
        """
        if self._templates is None or len(revisions) == len(self.has):
            return
        try:
            of = self.server.at(_url(self.server, self.engine.url.database))
            await self._templates.keep(of, revisions)
        except (OSError, asyncpg.PostgresError):
            return  # the next command runs them again


@asynccontextmanager
async def scratch(
    database: Database, project: Project | None = None, *, major: int | None = None
) -> AsyncIterator[AsyncEngine]:
    """An empty database, with the schemas that a project names, which is gone after the block.

    A throw-away server has that major, where its programs are installed.

    On failure: ServerBinariesMissing, ServerStartFailed, ScratchRoomMissing; with a `scratch_url`
    what connecting can meet, and PermissionMissing where its role may not create a database.
    """
    async with scratch_and_server(database, project, major=major) as made:
        yield made.engine


@asynccontextmanager
async def scratch_and_server(
    database: Database,
    project: Project | None = None,
    *,
    major: int | None = None,
    to: Sequence[Revision] = (),
) -> AsyncIterator[Scratch]:
    """The same, which may have run some of the revisions `to` already."""
    async with AsyncExitStack() as opened:
        made = await _made(opened, database, project, major, to)
        await _prepare(made.engine, project)
        yield made


@asynccontextmanager
async def copied(of: AsyncEngine, server: Database) -> AsyncIterator[AsyncEngine]:
    """A copy of a scratch database, to which nobody is connected, gone after the block.

    `server` is the one that came with it. Roles and tablespaces that are made in the block go too,
    so that the same revisions can run in the other database afterwards.
    """
    refuses = event.contains(of.sync_engine, "commit", refuse_changes)
    async with _beside(server, of.url.database, refuses=refuses) as engine:
        yield engine


async def _made(
    opened: AsyncExitStack,
    database: Database,
    project: Project | None,
    major: int | None,
    to: Sequence[Revision],
) -> Scratch:
    """The first scratch database of a command, on the server for them."""
    if database.scratch_url is not None or not database.is_named:
        named = database if database.scratch_url is None else database.at(database.scratch_url)
        server = opened.enter_context(named.available())
        engine = await opened.enter_async_context(_beside(server))
        return Scratch(engine, _trying(server))
    # A server needs binaries; it says so where there are none.
    bindir = database.pg_bindir
    binaries = find_binaries(bindir, major=major) or find_binaries(bindir)
    if project is not None and binaries is not None:
        kept = KeptServer.of(project.folder, binaries)
        running = opened.enter_context(kept.use(project.folder, binaries))
        if running is not None:
            server = database.at(running.url())
            return await opened.enter_async_context(_from_template(server, project, kept, to))
    folder = opened.enter_context(
        tempfile.TemporaryDirectory(prefix="surefoot-scratch-", dir=_place())
    )
    embedded = EmbeddedServer(
        Path(folder) / "server",
        bindir=bindir,
        major=None if binaries is None else binaries.major,
        durable=False,
        remove_at_end=True,
    )
    server = database.at(opened.enter_context(embedded.use()).url())
    engine = await opened.enter_async_context(_beside(server, refuses=False))
    return Scratch(engine, _trying(server))


@asynccontextmanager
async def _from_template(
    server: Database, project: Project, kept: KeptServer, to: Sequence[Revision]
) -> AsyncIterator[Scratch]:
    """A database on the kept server, which stays intact where the block leaves it as it was."""
    env = sha256((project.folder / "env.py").read_bytes()).hexdigest()
    prepared = f"{surefoot.__version__} {env} {project.schemas} {project.version_table}"
    templates = await Templates.on(server, prepared)
    name, has = await templates.nearest(to) or (None, frozenset())
    try:
        async with _beside(server, name, refuses=False) as engine:
            yield Scratch(engine, _trying(server), frozenset(has), templates)
    finally:
        with suppress(OSError, asyncpg.PostgresError):
            if await templates.are_alone():
                kept.leave_intact()


def _trying(server: Database) -> Database:
    return replace(server, scratch_url=server.url)


def _url(server: Database, database: str | None) -> str:
    return urlsplit(str(server.url))._replace(path=f"/{database}").geturl()


def _place() -> Path:
    """A folder with room for a server, in memory where possible. On failure: ScratchRoomMissing."""
    places = [each for each in (_MEMORY, Path(tempfile.gettempdir())) if each.is_dir()]
    free = {each: shutil.disk_usage(each).free for each in places}
    for place, size in free.items():
        if size >= ROOM_BYTES:
            return place
    raise ScratchRoomMissing(ROOM_BYTES, free)


async def _prepare(engine: AsyncEngine, project: Project | None) -> None:
    """Create the schemas that the project names; the first is that of unqualified names."""
    if project is None:
        return
    named = filter(None, (*project.schemas, project.version_table.schema))
    statements = [f"CREATE SCHEMA IF NOT EXISTS {quoted(each)}" for each in named]
    async with engine.begin() as connection:
        if project.schemas:
            name = await connection.scalar(text("SELECT current_database()::text"))
            path = f"{quoted(project.schemas[0])}, public"
            # It precedes what the role has for all databases.
            where = f"ALTER ROLE CURRENT_USER IN DATABASE {quoted(name)}"
            statements.append(f"{where} SET search_path = {path}")
        for statement in statements:
            await connection.exec_driver_sql(statement)


@asynccontextmanager
async def _beside(
    database: Database, template: str | None = None, *, refuses: bool = True
) -> AsyncIterator[AsyncEngine]:
    """A new database on the server of another one, which stays as it is; a copy of a template.

    Where it `refuses` changes of the server no revision can commit one.
    """
    name = f"surefoot_scratch_{uuid.uuid4().hex[:12]}"
    with explained(database.shown()):
        admin = await database.connect("migrate")
    try:
        shared = {row[0] for row in await admin.fetch(_OF_THE_SERVER)}
        with explained(database.shown()):
            if template is None:
                await admin.execute(f"CREATE DATABASE {name}")
            else:
                await copy(database.at(_url(database, template)), name)
        async with _engine(database.at(_url(database, name))) as engine:
            if refuses:
                event.listen(engine.sync_engine, "commit", refuse_changes)
            yield engine
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for row in () if refuses else await admin.fetch(_OF_THE_SERVER):
            if row[0] not in shared:
                await admin.execute(f"DROP {row[0]}")
        await admin.close()


@asynccontextmanager
async def _engine(database: Database) -> AsyncIterator[AsyncEngine]:
    # Nobody waits here but the sessions of one trace, for each other.
    limits = replace(
        database.limits,
        lock_timeout_s=max(database.limits.lock_timeout_s, PATIENCE_S),
        statement_timeout_s=STATEMENT_S,
        # A revision that takes too long is stopped by the trace, which says so.
        idle_in_transaction_timeout_s=0,
    )
    engine = replace(database, limits=limits).engine("migrate")
    try:
        yield engine
    finally:
        await engine.dispose()
