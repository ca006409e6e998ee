"""A database to try revisions on.

It is made beside the one that `scratch_url` names, on the embedded server of a database without a
URL, or on a throw-away server. Beside another database nothing is committed that would stay on the
server when the scratch database is dropped: roles, tablespaces, settings of roles. A subscription
would keep the database from being dropped.
"""

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.embedded import EmbeddedServer, find_binaries
from surefoot.errors import ClusterChanged, ScratchRoomMissing
from surefoot.project import Project
from surefoot.quoting import quoted

# A row that is visible while its transaction is in progress is of this one, or of its savepoint;
# other sessions set roles of the same server meanwhile.
UNCOMMITTED = """CASE WHEN age(xmin) <= age(pg_current_xact_id_if_assigned()::xid)
    THEN pg_xact_status((((pg_current_xact_id_if_assigned()::text::bigint >> 32) << 32)
         + xmin::text::bigint)::text::xid8) = 'in progress' END"""
# The shared catalogs that the transaction writes: most are locked until its end, whatever the SQL
# looked like. Settings of the scratch database itself go with it; dependencies follow from others.
_WRITTEN = f"""
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.database = 0
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
  AND c.relname NOT IN ('pg_shdepend', 'pg_db_role_setting')
UNION SELECT 'pg_db_role_setting' FROM pg_db_role_setting
WHERE setdatabase <> (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (xmin = pg_current_xact_id_if_assigned()::xid
       OR setdatabase = 0 AND {UNCOMMITTED})
UNION SELECT 'pg_tablespace' FROM pg_tablespace
WHERE xmin = pg_current_xact_id_if_assigned()::xid
UNION SELECT 'pg_database' FROM pg_database
WHERE xmin = pg_current_xact_id_if_assigned()::xid AND datname <> current_database()
UNION SELECT 'pg_subscription' FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1
"""  # noqa: S608 - both parts are constants

# Objects that databases share, and the settings of this database and of the role in it.
_OF_THE_SERVER = """
SELECT 'ROLE ' || quote_ident(rolname) FROM pg_roles
UNION ALL SELECT 'TABLESPACE ' || quote_ident(spcname) FROM pg_tablespace
"""
_SETTINGS = """
SELECT DISTINCT split_part(setting, '=', 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
"""
PATIENCE_S = 2.0
# Of one statement on a scratch database; sample rows are few.
STATEMENT_S = 60.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
# A server with a large schema and sample rows.
ROOM_BYTES = 400 * 1024**2


@asynccontextmanager
async def scratch(
    database: Database, project: Project | None = None, *, major: int | None = None
) -> AsyncIterator[AsyncEngine]:
    """An empty database, with the schemas that a project names, which is gone after the block.

    A throw-away server has that major, where its programs are installed.

    On failure: ServerBinariesMissing, ServerStartFailed, ScratchRoomMissing; with a `scratch_url`
    what connecting can meet, and PermissionMissing where its role may not create a database.
    """
    async with scratch_and_server(database, project, major=major) as (engine, _):
        yield engine


@asynccontextmanager
async def scratch_and_server(
    database: Database, project: Project | None = None, *, major: int | None = None
) -> AsyncIterator[tuple[AsyncEngine, Database]]:
    """The same, with a database for which `scratch` makes further ones on the same server."""
    async with _server(database, major) as (server, made), made as engine:
        await _prepare(engine, project)
        yield engine, replace(database, scratch_url=server.url)


@asynccontextmanager
async def copied(of: AsyncEngine, server: Database) -> AsyncIterator[AsyncEngine]:
    """A copy of a scratch database, to which nobody is connected, gone after the block.

    `server` is the one that came with it. Roles and tablespaces that are made in the block go too,
    so that the same revisions can run in the other database afterwards.
    """
    url = urlsplit(server.scratch_url or "")._replace(path=f"/{of.url.database}").geturl()
    refuses = event.contains(of.sync_engine, "commit", _refuse_changes_of_the_cluster)
    async with _beside(server.at(url), of.url.database, refuses=refuses) as engine:
        yield engine


@asynccontextmanager
async def _server(
    database: Database, major: int | None
) -> AsyncIterator[tuple[Database, AbstractAsyncContextManager[AsyncEngine]]]:
    """The server for scratch databases, and the first one of them."""
    if database.scratch_url is not None or not database.is_named:
        named = database if database.scratch_url is None else database.at(database.scratch_url)
        with named.available() as server:
            yield server, _beside(server)
        return
    with tempfile.TemporaryDirectory(prefix="surefoot-scratch-", dir=_place()) as folder:
        embedded = EmbeddedServer(
            Path(folder) / "server",
            bindir=database.pg_bindir,
            major=major if find_binaries(database.pg_bindir, major=major) else None,
            durable=False,
            remove_at_end=True,
        )
        with embedded.use() as running:
            server = database.at(running.url())
            yield server, _engine(server)


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
    assert database.url is not None
    name = f"surefoot_scratch_{uuid.uuid4().hex[:12]}"
    with explained(database.shown()):
        admin = await database.connect("migrate")
    try:
        shared = {row[0] for row in await admin.fetch(_OF_THE_SERVER)}
        with explained(database.shown()):
            of = f"TEMPLATE {quoted(template)}" if template else ""
            await admin.execute(f"CREATE DATABASE {name} {of}")
        if template:
            for row in await admin.fetch(_SETTINGS):
                await admin.execute(f"ALTER DATABASE {name} SET {row[0]} FROM CURRENT")
        url = urlsplit(database.url)._replace(path=f"/{name}").geturl()
        async with _engine(database.at(url)) as engine:
            if refuses:
                event.listen(engine.sync_engine, "commit", _refuse_changes_of_the_cluster)
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


def _refuse_changes_of_the_cluster(connection: Connection) -> None:
    """On failure: ClusterChanged; the transaction is rolled back."""
    cursor = connection.connection.cursor()  # no statement of the revision, so no event
    try:
        cursor.execute(_WRITTEN)
        written = [row[0] for row in cursor.fetchall()]
    finally:
        cursor.close()
    if written:
        # SQLAlchemy takes the transaction for ended; whatever came next would commit it.
        connection.connection.rollback()
        raise ClusterChanged(written)
