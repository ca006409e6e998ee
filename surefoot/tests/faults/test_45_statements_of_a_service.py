"""Services answer requests, and keep statements, while every kind of change runs beside them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import Enum, String, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness import databases
from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.compat.heard import HEARD
from surefoot.startup.check import Build
from surefoot.startup.watch import Watch

CLIENTS, ROWS = 10, 50
# Requests of each kind between two changes, so that every connection has kept its statements.
BETWEEN = CLIENTS
SCHEMA = f"""
CREATE TYPE state AS ENUM ('open', 'closed');
CREATE TYPE place AS (shelf int);
CREATE TABLE folders (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE files (
    id int PRIMARY KEY, name varchar(40) NOT NULL, size int NOT NULL, state state NOT NULL,
    place place, note text
);
CREATE TABLE visits (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, file_id int NOT NULL);
CREATE INDEX by_size ON files (size);
CREATE VIEW open_files AS SELECT id, size FROM files WHERE state = 'open';
INSERT INTO folders SELECT n, 'folder ' || n FROM generate_series(1, {ROWS}) n;
INSERT INTO files SELECT n, 'file ' || n, n, 'open', ROW(n)::place, 'x'
FROM generate_series(1, {ROWS}) n;
"""
VIEW = "CREATE VIEW open_files AS SELECT id, size FROM files WHERE state = 'open';"
# Each is a transaction of its own. A view is locked before the table below it, as readers do.
CHANGES = {
    "expand": "ALTER TABLE files ADD COLUMN owner text DEFAULT 'somebody'",
    "contract": "ALTER TABLE files DROP COLUMN note",
    "column retyped": f"DROP VIEW open_files; ALTER TABLE files ALTER size TYPE bigint; {VIEW}",
    "column of other bits": f"DROP VIEW open_files; ALTER TABLE files ALTER size TYPE real; {VIEW}",
    "column widened": "ALTER TABLE files ALTER COLUMN name TYPE varchar(80)",
    "enum replaced": f"""
        DROP VIEW open_files;
        ALTER TYPE state RENAME TO old_state;
        CREATE TYPE state AS ENUM ('closed', 'open', 'lost');
        ALTER TABLE files ALTER state TYPE state USING state::text::state;
        DROP TYPE old_state; {VIEW}
    """,
    "enum value added": "ALTER TYPE state ADD VALUE 'gone' BEFORE 'open'",
    "table swapped": f"""
        DROP VIEW open_files;
        LOCK TABLE files IN ACCESS EXCLUSIVE MODE;
        CREATE TABLE copy (LIKE files INCLUDING ALL);
        INSERT INTO copy SELECT * FROM files;
        ALTER TABLE files RENAME TO old_files;
        ALTER TABLE copy RENAME TO files;
        DROP TABLE old_files; {VIEW}
    """,
    "index dropped": "DROP INDEX IF EXISTS by_size; DROP INDEX IF EXISTS copy_size_idx",
    "view replaced": """
        CREATE OR REPLACE VIEW open_files AS
        SELECT id, size, name FROM files WHERE state = 'open'
    """,
    "view with other types": """
        DROP VIEW open_files;
        CREATE VIEW open_files AS SELECT id::bigint, size::numeric FROM files WHERE state = 'open'
    """,
    "type with an attribute": "ALTER TYPE place ADD ATTRIBUTE room int",
}


class Base(DeclarativeBase):
    """Models that every version of the schema has."""


class File(Base):
    __tablename__ = "files"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    state: Mapped[str] = mapped_column(Enum("open", "closed", name="state"))


class Folder(Base):
    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Visit(Base):
    __tablename__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int]


files, visits = (Base.metadata.tables[name] for name in ("files", "visits"))


async def by_core(engine: AsyncEngine, number: int) -> None:
    async with engine.connect() as connection:
        found = (await connection.execute(select(files).where(files.c.id == number))).one()
    assert (found.name, found.size, found.state) == (f"file {number}", number, "open")


async def by_orm(engine: AsyncEngine, number: int) -> None:
    async with AsyncSession(engine) as session:
        folder = await session.get_one(Folder, number)
        found = await session.get_one(File, number)
    assert (folder.name, found.size, found.state) == (f"folder {number}", number, "open")


async def every_column(engine: AsyncEngine, number: int) -> None:
    query = text("SELECT * FROM files WHERE id = :number AND state = 'open'")
    async with engine.connect() as connection:
        found = (await connection.execute(query, {"number": number})).mappings().one()
    assert (found["name"], found["size"], found["state"]) == (f"file {number}", number, "open")
    assert found.get("owner", "somebody") == "somebody"


async def by_view(engine: AsyncEngine, number: int) -> None:
    query = text("SELECT size FROM open_files WHERE id = :number")
    async with engine.connect() as connection:
        assert await connection.scalar(query, {"number": number}) == number


async def by_condition(engine: AsyncEngine, number: int) -> None:
    """A parameter of the enum's type; other tables come first."""
    async with engine.connect() as connection:
        await connection.execute(select(func.count()).select_from(visits))
        query = select(func.count()).select_from(files)
        counted = await connection.scalar(query.where(files.c.state == "open"))
    assert counted == ROWS


async def of_a_type(engine: AsyncEngine, number: int) -> None:
    query = text("SELECT place FROM files WHERE id = :number")
    async with engine.connect() as connection:
        assert (await connection.scalar(query, {"number": number}))["shelf"] == number


async def in_parts(engine: AsyncEngine, number: int) -> None:
    query = select(files.c.id, files.c.size).where(files.c.id <= number)
    async with engine.connect() as connection:
        rows = [row async for row in await connection.stream(query)]
    assert all(row.id == row.size for row in rows)
    assert len(rows) == number


async def write_by_core(engine: AsyncEngine, number: int) -> None:
    """A row that was written before a repeated statement is there afterwards, once."""
    async with engine.begin() as connection:
        await connection.execute(insert(visits).values(file_id=number))
        changed = update(files).where(files.c.id == number).values(size=number, state="open")
        size = await connection.scalar(changed.returning(files.c.size))
        await connection.execute(insert(visits), [{"file_id": number}, {"file_id": number}])
    assert size == number


async def write_by_orm(engine: AsyncEngine, number: int) -> None:
    async with AsyncSession(engine) as session, session.begin():
        session.add_all([Visit(file_id=number), Visit(file_id=number)])
        await session.flush()
        async with session.begin_nested():
            found = await session.get_one(File, number, with_for_update=True)
            found.name = f"file {number}"
        session.add(Visit(file_id=number))
        assert found.size == number


# And the visits that each leaves.
REQUESTS: dict[Callable[[AsyncEngine, int], Awaitable[None]], int] = {
    by_core: 0,
    by_orm: 0,
    every_column: 0,
    by_view: 0,
    by_condition: 0,
    of_a_type: 0,
    in_parts: 0,
    write_by_core: 3,
    write_by_orm: 3,
}


class Load:
    """Clients of one engine, each of which makes one request after the other."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self.visits = 0
        self._stopping = False

    async def client(self) -> None:
        requests = random.sample(list(REQUESTS.items()), len(REQUESTS))
        for request, leaves in itertools.cycle(requests):
            if self._stopping:
                return
            try:
                await request(self.engine, random.randint(1, ROWS))
                self.visits += leaves
            except Exception as error:
                self.failures.append(f"{request.__name__}: {error!r}")
            self.done[request.__name__] += 1

    async def go_on(self) -> None:
        """Wait until each kind of request was made often enough since."""
        before = self.done.copy()
        while any(self.done[r.__name__] - before[r.__name__] < BETWEEN for r in REQUESTS):
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """The clients run in the block."""
        clients = [asyncio.create_task(self.client()) for _ in range(CLIENTS)]
        try:
            await self.go_on()
            yield
        finally:
            self._stopping = True
            await asyncio.gather(*clients)


@pytest.mark.slow
async def test_no_request_fails(empty_database: Database, watcher: asyncpg.Connection) -> None:
    """Nor gives a wrong value, nor loses or repeats what it wrote."""
    await watcher.execute(SCHEMA)
    before = HEARD.changes
    async with databases.engine(empty_database.access, "app") as made:
        load = Load(made)
        async with load.on():
            for change in CHANGES.values():
                await watcher.execute(change)
                await load.go_on()
    assert load.failures == []
    assert await watcher.fetchval("SELECT count(*) FROM visits") == load.visits
    assert HEARD.changes > before, "no statement was run again"


@pytest.mark.slow
async def test_with_the_caches_of_the_drivers_requests_fail(
    empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """So the load meets what it is there to meet."""
    await watcher.execute(SCHEMA)
    made = create_async_engine(
        empty_database.url.replace("postgresql://", "postgresql+asyncpg://"), pool_pre_ping=True
    )
    load = Load(made)
    async with load.on():
        await watcher.execute(CHANGES["column retyped"])
        await load.go_on()
    await made.dispose()
    assert any("InvalidCachedStatementError" in failure for failure in load.failures)


@pytest.mark.slow
async def test_a_table_that_hides_another_is_read_once_the_watch_hears_of_it(
    empty_database: Database, chain: Chain, launcher: Launcher, watcher: asyncpg.Connection
) -> None:
    """PostgreSQL does not plan a statement again for it."""
    await watcher.execute(
        "CREATE TABLE files AS SELECT 'old' AS name; CREATE SCHEMA newer;"
        f'ALTER DATABASE "{empty_database.name}" SET search_path = newer, public'
    )
    chain.add("pass")
    hides = "CREATE TABLE newer.files AS SELECT 'new' AS name"
    chain.add(f'op.execute("{hides}")')
    for each in chain.ids[:1]:
        await launcher.alembic(chain, "upgrade", each, url=empty_database.url)
    access = empty_database.access
    async with databases.engine(access, "app") as made, databases.engine(access, "watch") as own:
        watch = Watch(own, Build.read(chain.lock_path))
        await watch.refresh()
        found = [await databases.scalar(made, "SELECT name FROM files")]
        async with watch.on():
            done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
            assert done.code == 0, done.err
            await watch.until(usable=True)
        found.append(await databases.scalar(made, "SELECT name FROM files"))
    assert found == ["old", "new"]


@pytest.mark.parametrize(
    "hides",
    [
        "CREATE TEMPORARY TABLE files (name text) ON COMMIT DROP",
        "SELECT name INTO LOCAL TEMP files FROM files",
        "SELECT name INTO pg_temp.files FROM files",
        "CREATE TABLE pg_temp.files (name text)",
        "ALTER TABLE first RENAME TO files",
        "/* other */ create temp view files as select 'mine' as name",
    ],
)
async def test_a_temporary_table_of_the_session_hides_another(
    empty_database: Database, watcher: asyncpg.Connection, hides: str
) -> None:
    """PostgreSQL does not look for it where a statement is kept; a view is read, too."""
    await watcher.execute("CREATE TABLE files AS SELECT 'kept' AS name")
    seen, counted = text("SELECT name FROM files"), text("SELECT count(*) FROM public.files")
    async with databases.engine(empty_database.access, "app") as made, made.connect() as its:
        await its.execute(text("CREATE TEMPORARY TABLE first (name text)"))
        for _ in range(2):
            assert (await its.scalars(seen)).all() == ["kept"]
            await its.commit()
        await its.execute(text(hides))
        if "view" not in hides:
            await its.execute(text("INSERT INTO files VALUES ('mine')"))
        assert "mine" in (await its.scalars(seen)).all()
        assert await its.scalar(counted) == 1
