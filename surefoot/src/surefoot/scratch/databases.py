"""A database to try revisions on.

It is made beside the one that `scratch_url` names, on the embedded server of a database without a
URL, on the kept server of its project, or on a throw-away server.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import anyio
import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import surefoot
from surefoot import errors
from surefoot.chain.revisions import Revision
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.database import Database
from surefoot.connect.failures import address, describe, explained, is_lost
from surefoot.embedded import Binaries, EmbeddedServer, find_binaries
from surefoot.frozen import dataclass
from surefoot.project import Project
from surefoot.scratch.kept_server import ROOM_BYTES, KeptServer
from surefoot.scratch.preparing import preparation, prepare
from surefoot.scratch.shared_catalogs import refuse_changes
from surefoot.scratch.templates import Templates, copy

# Objects that databases share.
_OF_THE_SERVER = """
SELECT 'ROLE ' || quote_ident(rolname) FROM pg_roles
UNION ALL SELECT 'TABLESPACE ' || quote_ident(spcname) FROM pg_tablespace
"""
# A scratch database has the name of the session that made it, which stays to drop it.
_NAMED = "'surefoot_scratch_' || pid || '_' || (extract(epoch FROM backend_start) * 1e6)::bigint"
_NAME = f"SELECT {_NAMED} FROM pg_stat_activity WHERE pid = pg_backend_pid()"  # noqa: S608 - constants
# Those of sessions that have ended, as of commands that were killed, and of none that is hidden.
_LEFT = f"""
SELECT datname::text FROM pg_database d
WHERE datname ~ '^surefoot_scratch_[0-9]+_[0-9]+$' AND pg_get_userbyid(datdba) = current_user
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = d.datname OR {_NAMED} = d.datname
      OR (backend_start IS NULL AND pid::text = split_part(d.datname, '_', 3)))
"""  # noqa: S608 - constants
PATIENCE_S = 2.0
STATEMENT_S = 60.0  # of one statement on a scratch database; sample rows are few
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Scratch:
    """A scratch database, and the server that it is on."""

    engine: AsyncEngine
    server: Database
    has: frozenset[str] = frozenset()  # the revisions that it has run, as its template had
    _templates: Templates | None = None
    # Whether others use the server: no change of roles or tablespaces is kept on it.
    is_on_shared_server: bool = True

    @property
    def database(self) -> Database:
        """The same, to connect to by its URL."""
        return self.server.at(_url(self.server, self.engine.url.database))

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[AsyncEngine]:
        """A copy of it, gone after the block. Nobody may be connected to it.

        Roles and tablespaces that are made in the block go too, so that the same revisions can run
        in this one afterwards.
        """
        of = self.engine.url.database
        async with _beside(self.server, of, refuses=self.is_on_shared_server) as engine:
            yield engine

    @asynccontextmanager
    async def another(self, project: Project, to: Sequence[Revision]) -> AsyncIterator["Scratch"]:
        """One more on the same server, as `scratch_database` makes it."""
        shared = self.is_on_shared_server
        async with _created(self.server, project, to, self._templates, shared) as made:
            yield made

    async def keep(self, revisions: Sequence[Revision]) -> None:
        """Keep it as it is for the next command: it has run these revisions, and no others.

        Nobody may be connected to it. Nothing is kept where the server does not stay.
        """
        if self._templates is None or len(revisions) == len(self.has):
            return
        with suppress(OSError, asyncpg.PostgresError):  # the next command runs them again
            await self._templates.keep(self.database, revisions)


@asynccontextmanager
async def scratch(
    database: Database, project: Project | None = None, *, major: int | None = None
) -> AsyncIterator[AsyncEngine]:
    """An empty database, with the schemas that a project names, which is gone after the block.

    A throw-away server has that major, where its programs are installed.

    On failure: ServerBinariesMissing, ServerStartFailed, ScratchRoomMissing; with a `scratch_url`
    what connecting can meet, and PermissionMissing where its role may not create a database.
    """
    async with scratch_database(database, project, major=major) as made:
        yield made.engine


@asynccontextmanager
async def scratch_database(
    database: Database,
    project: Project | None = None,
    *,
    major: int | None = None,
    to: Sequence[Revision] = (),
    kept: bool = True,
) -> AsyncIterator[Scratch]:
    """The same, which may have run some of the revisions `to` already.

    Without `kept` it is not on the kept server of the project, and no other one gives way.
    """
    if database.scratch_url is not None or not database.is_named:
        named = database if database.scratch_url is None else database.at(database.scratch_url)
        with named.available() as server:
            async with _created(server, project) as made:
                yield made
        return
    bindir = database.pg_bindir
    binaries = find_binaries(bindir, major=major) or find_binaries(bindir)
    async with AsyncExitStack() as opened:
        templates = await _templates(opened, database, project, binaries) if kept else None
        if templates is not None:
            created = _created(templates.database, project, to, templates, refuses=False)
        else:
            # Its server ends behind the block, and then removes what it has written meanwhile.
            place = tempfile.TemporaryDirectory(
                prefix="surefoot-scratch-", dir=_place(), ignore_cleanup_errors=True
            )
            embedded = EmbeddedServer(
                Path(opened.enter_context(place)),
                bindir=bindir,
                major=None if binaries is None else binaries.major,
                durable=False,
                remove_at_end=True,
            )
            server = database.at(opened.enter_context(embedded.use()).url())
            created = _created(server, project, refuses=False)
        yield await opened.enter_async_context(created)


async def _templates(
    opened: AsyncExitStack,
    database: Database,
    project: Project | None,
    binaries: Binaries | None,
) -> Templates | None:
    """Those on the kept server, which stays intact where the command leaves it as it was."""
    if project is None or binaries is None:
        return None
    kept = KeptServer.of(project.folder, binaries)
    running = opened.enter_context(kept.use(project.folder, binaries))
    if running is None:
        return None
    prepared = f"{surefoot.__version__} {preparation(project)}"
    templates = await Templates.on(database.at(running.url()), prepared)

    async def leave() -> None:
        with suppress(*DATABASE_ERRORS):
            if await templates.are_alone():
                kept.leave_intact()

    opened.push_async_callback(leave)
    return templates


@asynccontextmanager
async def _created(
    server: Database,
    project: Project | None,
    to: Sequence[Revision] = (),
    templates: Templates | None = None,
    refuses: bool = True,
) -> AsyncIterator[Scratch]:
    """A scratch database on a server, from its nearest template."""
    found = None if templates is None else await templates.nearest(to)
    name, has = found or (None, ())
    async with _beside(server, name, refuses=refuses) as engine:
        await prepare(engine, project)
        yield Scratch(engine, server, frozenset(has), templates, refuses)


def _url(server: Database, database: str | None) -> str:
    return urlsplit(str(server.url))._replace(path=f"/{database}").geturl()


def _place() -> Path:
    """A folder with room for a server, in memory where possible. On failure: ScratchRoomMissing."""
    places = [each for each in (_MEMORY, Path(tempfile.gettempdir())) if each.is_dir()]
    free = {each: shutil.disk_usage(each).free for each in places}
    for place, size in free.items():
        if size >= ROOM_BYTES:
            return place
    raise errors.ScratchRoomMissing(ROOM_BYTES, free)


@asynccontextmanager
async def _beside(
    database: Database, template: str | None = None, *, refuses: bool = True
) -> AsyncIterator[AsyncEngine]:
    """A new database on the server of another one, which stays as it is; a copy of a template.

    Where it `refuses` changes of the server no revision can commit one. On failure: ScratchLost,
    ScratchBehindPooler.
    """
    admin = await _connected(database)
    async with admin.transaction():  # another role than that of the login does not see its start
        await admin.execute("SET LOCAL ROLE NONE")
        name = await admin.fetchval(_NAME)
    try:
        for (left,) in await admin.fetch(_LEFT):
            with suppress(asyncpg.PostgresError):  # another command drops it, or uses it
                await admin.execute(f"DROP DATABASE IF EXISTS {left}")
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
        # A scope of anyio cancels each wait until it is left.
        with anyio.CancelScope(shield=True):
            admin = await _answering(admin, database)
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for row in () if refuses else await admin.fetch(_OF_THE_SERVER):
                if row[0] not in shared:
                    await admin.execute(f"DROP {row[0]}")
            await admin.close()


async def _answering(admin: _Session, database: Database) -> _Session:
    """The session, or another one where it was ended. On failure: ScratchLost."""
    try:
        await admin.execute("SELECT")
    except DATABASE_ERRORS:
        try:
            return await database.connect("migrate")
        except DATABASE_ERRORS as error:
            reason = f"it takes no other one: {describe(error)}"
            raise errors.ScratchLost(address(database.shown()), reason) from error
    return admin


async def _connected(database: Database) -> _Session:
    """A session on the server of scratch databases. On failure: ScratchBehindPooler."""
    try:
        with explained(database.shown()):
            admin = await database.connect("migrate")
    except errors.PoolerRefused as error:
        raise errors.ScratchBehindPooler(error.address, error.reason) from error
    connected, pid = admin.get_server_pid(), await admin.fetchval("SELECT pg_backend_pid()")
    if connected != pid:
        await admin.close()
        reason = f"the connection is to process {connected}, and process {pid} answers"
        raise errors.ScratchBehindPooler(address(database.shown()), reason)
    return admin


@asynccontextmanager
async def _engine(database: Database) -> AsyncIterator[AsyncEngine]:
    # Nobody waits here but the sessions of one trace, for each other.
    limits = replace(
        database.limits,
        lock_timeout_s=max(database.limits.lock_timeout_s, PATIENCE_S),
        statement_timeout_s=STATEMENT_S,
        idle_in_transaction_timeout_s=0,  # the trace stops a revision that takes too long
    )
    engine = replace(database, limits=limits).engine("migrate")
    try:
        with explained(engine.url):
            try:
                yield engine
            except (DBAPIError, errors.ConnectionLost) as error:
                lost_in = isinstance(error, errors.ConnectionLost) and error.reason
                if not lost_in and not is_lost(error):
                    raise
                raise errors.ScratchLost(address(engine.url), lost_in or describe(error)) from error
    finally:
        await engine.dispose()
