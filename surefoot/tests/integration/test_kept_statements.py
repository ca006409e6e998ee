"""The engine of a service keeps statements, and a change of the schema does not fail one."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from harness import databases, pooler
from harness.databases import Database
from harness.proxy import Network
from harness.server import PG_MAJOR
from surefoot.compat.heard import HEARD
from surefoot.compat.statements import MAX_SAVEPOINTS

SCHEMA = """
CREATE TABLE files (id int PRIMARY KEY, size int NOT NULL);
CREATE TABLE visits (id int PRIMARY KEY, file_id int NOT NULL);
INSERT INTO files VALUES (1, 1), (2, 2);
"""
# Read as an integer, the bits of 1.0 are 1065353216.
RETYPE = "ALTER TABLE files ALTER COLUMN size TYPE real"
files = Table("files", MetaData(), Column("id", Integer), Column("size", Integer))
visits = Table("visits", MetaData(), Column("id", Integer), Column("file_id", Integer))
SIZE = select(files.c.size).where(files.c.id == 1)


@pytest.fixture
async def served(empty_database: Database) -> AsyncIterator[AsyncEngine]:
    """The engine of a service, on two tables."""
    await databases.execute(empty_database.url, SCHEMA)
    async with databases.engine(empty_database.access, "app") as made:
        yield made


async def driver_of(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def parsed(connection: AsyncConnection) -> int:
    """How many statements the session has prepared."""
    # A raw query of asyncpg is not kept.
    driver = await driver_of(connection)
    return int(await driver.fetchval("SELECT count(*) FROM pg_prepared_statements"))


async def warm(served: AsyncEngine) -> None:
    """Let the one connection of the pool keep the statements."""
    async with served.connect() as connection:
        assert await connection.scalar(SIZE) == 1
        await connection.execute(insert(visits).values(id=1, file_id=1))


async def test_a_statement_is_parsed_once(served: AsyncEngine) -> None:
    """The session has the same ones by name after each use."""
    names = "SELECT array_agg(name ORDER BY name) FROM pg_prepared_statements"
    found = []
    for _ in range(4):
        async with served.connect() as connection:
            await connection.scalar(SIZE)
            found.append(await (await driver_of(connection)).fetchval(names))
    assert found == [found[0]] * 4
    assert found[0]


async def test_a_session_that_the_server_ends_is_replaced(empty_database: Database) -> None:
    """Also where it has said why, and the end of its connection has not arrived."""
    own = text("SELECT pg_backend_pid()")
    async with (
        Network(empty_database.url).up() as network,
        databases.engine(replace(empty_database.access, url=network.url), "app") as engine,
    ):
        async with engine.connect() as connection:
            pid = await connection.scalar(own)
        with network.ends_held():
            await databases.execute(empty_database.url, f"SELECT pg_terminate_backend({pid}, 5000)")
            # The server's last words are on their way to the driver.
            await asyncio.sleep(0.1)
            async with engine.connect() as connection:
                assert await connection.scalar(own) != pid


async def test_the_first_statement_is_run_again(
    served: AsyncEngine, empty_database: Database
) -> None:
    await warm(served)
    await databases.execute(empty_database.url, RETYPE)
    async with served.connect() as connection:
        assert await connection.scalar(SIZE) == 1.0


@pytest.mark.parametrize("level", ["READ COMMITTED", "AUTOCOMMIT"])
async def test_a_later_one_is_run_again_and_what_was_written_is_kept(
    served: AsyncEngine, empty_database: Database, level: str
) -> None:
    await warm(served)
    async with served.execution_options(isolation_level=level).connect() as connection:
        await connection.execute(insert(visits).values(id=7, file_id=1))
        await databases.execute(empty_database.url, "ALTER TABLE files ALTER size TYPE bigint")
        assert await connection.scalar(SIZE) == 1
        await connection.execute(update(files).values(size=files.c.size + 1))
        await connection.commit()
    assert await databases.value(empty_database.url, "SELECT sum(id) FROM visits") == 7
    assert await databases.value(empty_database.url, "SELECT sum(size) FROM files") == 5


INSERT = "INSERT INTO visits VALUES (7, 1)"
Write = Callable[[AsyncConnection, Any], Awaitable[object]]
WRITES: dict[str, Write] = {
    "a call": lambda made, _: made.execute(text("CALL visit(7)")),
    "several calls": lambda made, _: made.execute(text("CALL visit(:n)"), [{"n": 7}, {"n": 8}]),
    "a comment": lambda made, _: made.execute(text(f"/* /* */ */ {INSERT}")),
    "a raw query": lambda _, driver: driver.fetch(f"{INSERT} RETURNING id"),
    "a raw statement": lambda _, driver: driver.execute(INSERT),
    "raw sets": lambda _, driver: driver.executemany(
        "INSERT INTO visits VALUES ($1, 1)", [(7,), (8,)]
    ),
    "COPY": lambda _, driver: driver.copy_records_to_table("visits", records=[(7, 1)]),
    "COPY of a file": lambda _, driver: driver.copy_to_table(
        "visits", source=io.BytesIO(b"7\t1\n")
    ),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_whatever_was_written_before_is_kept(
    served: AsyncEngine, empty_database: Database, write: Write
) -> None:
    """Whoever has sent it: the statement that is repeated is not the first one."""
    procedure = "CREATE PROCEDURE visit(n int) LANGUAGE sql AS 'INSERT INTO visits VALUES (n, 1)'"
    await databases.execute(empty_database.url, procedure)
    await warm(served)
    async with served.connect() as connection:
        driver = await driver_of(connection)
        # A transaction that SQLAlchemy knows, in which nothing has run.
        await connection.execute(text("SAVEPOINT here"))
        await connection.execute(text("RELEASE here"))
        driver._sent_before = driver._protocol.queries_count
        assert not driver.has_run
        await write(connection, driver)
        assert driver.has_run
        await databases.execute(empty_database.url, RETYPE)
        assert await connection.scalar(SIZE) == 1.0
        await connection.commit()
    kept = "SELECT count(*) > 0 FROM visits WHERE id IN (7, 8)"
    assert await databases.value(empty_database.url, kept)


async def test_a_search_path_of_the_transaction_leads_to_a_table_of_other_types(
    served: AsyncEngine, empty_database: Database
) -> None:
    """As of tenants whose schemas are not at the same revision; what was written is kept."""
    other = "CREATE SCHEMA other; CREATE TABLE other.files (id int, size text)"
    await databases.execute(empty_database.url, f"{other}; INSERT INTO other.files VALUES (1, 'x')")
    leads = text("SELECT set_config('search_path', :name, true)")
    found = []
    async with served.begin() as connection:
        await connection.execute(insert(visits).values(id=1, file_id=1))
        for name in ("public", "other", "public"):
            await connection.execute(leads, {"name": name})
            found.append(await connection.scalar(SIZE))
    assert found == [1, "x", 1]
    assert await databases.value(empty_database.url, "SELECT count(*) FROM visits") == 1


async def test_a_commit_that_fails_ends_its_transaction(
    served: AsyncEngine, empty_database: Database
) -> None:
    """None of its locks is there any more, so the next statement is guarded again."""
    unique = "ALTER TABLE visits ADD UNIQUE (file_id) DEFERRABLE INITIALLY DEFERRED"
    await databases.execute(empty_database.url, unique)
    await warm(served)
    async with served.connect() as connection:
        await connection.scalar(SIZE)
        await connection.execute(text("INSERT INTO visits VALUES (2, 9), (3, 9)"))
        with pytest.raises(IntegrityError):
            await connection.commit()
        await connection.rollback()
        await databases.execute(empty_database.url, RETYPE)
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        assert await alone.scalar(SIZE) == 1.0


@pytest.mark.parametrize("is_set", ["engine", "database", "statement"])
async def test_an_older_snapshot_does_not_show_a_table_as_empty(
    empty_database: Database, is_set: str
) -> None:
    """As PostgreSQL does with a table that was rewritten; the first statement takes a new one."""
    await databases.execute(empty_database.url, SCHEMA)
    repeatable = {"isolation_level": "REPEATABLE READ"} if is_set == "engine" else {}
    if is_set == "database":
        setting = "SET default_transaction_isolation = 'repeatable read'"
        await databases.execute(
            empty_database.url, f'ALTER DATABASE "{empty_database.name}" {setting}'
        )
    async with databases.engine(empty_database.access, "app") as made:
        served = made.execution_options(**repeatable)
        await warm(served)
        async with served.connect() as connection:
            if is_set == "statement":
                level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                await connection.execute(text(level))
            await connection.execute(select(visits))
            await databases.execute(empty_database.url, RETYPE)
            with pytest.raises(DBAPIError, match="cached statement plan is invalid"):
                await connection.scalar(SIZE)
            await connection.rollback()
            assert await connection.scalar(SIZE) == 1.0
            await connection.rollback()
            await databases.execute(empty_database.url, "ALTER TABLE files ALTER size TYPE int")
            assert await connection.scalar(SIZE) == 1


async def test_savepoints_of_the_service_stay_as_they_are(
    served: AsyncEngine, empty_database: Database
) -> None:
    """One that ends takes with it what was locked after it, so the statement is guarded again."""
    await warm(served)
    async with served.begin() as connection:
        await connection.execute(insert(visits).values(id=7, file_id=1))
        async with connection.begin_nested():
            await connection.execute(select(visits))
            await connection.execute(insert(visits).values(id=8, file_id=1))
        outer = await connection.begin_nested()
        assert await connection.scalar(SIZE) == 1
        with pytest.raises(IntegrityError):
            await connection.execute(insert(visits).values(id=8, file_id=1))
        await outer.rollback()
        await databases.execute(empty_database.url, RETYPE)
        assert await connection.scalar(SIZE) == 1.0
    assert await databases.value(empty_database.url, "SELECT sum(id) FROM visits") == 15


async def test_many_statements_and_cursors_are_run_again(
    served: AsyncEngine, empty_database: Database
) -> None:
    grow = text("UPDATE files SET size = size + :by WHERE id = :id")
    sets = [{"by": 1, "id": 1}, {"by": 1, "id": 2}]
    async with served.begin() as connection:
        await connection.execute(grow, sets)
        assert [row async for row in await connection.stream(select(files.c.size))] == [(2,), (3,)]
    await databases.execute(empty_database.url, RETYPE)
    async with served.begin() as connection:
        await connection.execute(select(visits))
        found = [row.size async for row in await connection.stream(select(files.c.size))]
        assert sorted(found) == [2.0, 3.0]
    async with served.begin() as connection:
        # asyncpg would refuse them for an integer.
        await connection.execute(grow, [{"by": 0.5, "id": 1}, {"by": 0.5, "id": 2}])
    assert await databases.value(empty_database.url, "SELECT sum(size) FROM files") == 6.0


async def test_a_column_that_select_star_did_not_know(
    served: AsyncEngine, empty_database: Database
) -> None:
    every = text("SELECT * FROM files WHERE id = 1")
    async with served.connect() as connection:
        assert (await connection.execute(every)).mappings().one() == {"id": 1, "size": 1}
    await databases.execute(empty_database.url, "ALTER TABLE files ADD added text DEFAULT 'x'")
    async with served.connect() as connection:
        await connection.execute(select(visits))
        found = (await connection.execute(every)).mappings().one()
    assert found == {"id": 1, "size": 1, "added": "x"}


async def test_a_type_with_one_more_attribute(
    served: AsyncEngine, empty_database: Database
) -> None:
    """The server does not refuse the statement; asyncpg cannot read its rows."""
    await databases.execute(
        empty_database.url,
        "CREATE TYPE place AS (x int); ALTER TABLE files ADD place place DEFAULT ROW(1)",
    )
    moved = text("UPDATE files SET size = size + 1 WHERE id = 1 RETURNING place")
    async with served.begin() as connection:
        assert tuple(await connection.scalar(moved)) == (1,)
    await databases.execute(empty_database.url, "ALTER TYPE place ADD ATTRIBUTE y int")
    async with served.begin() as connection:
        assert tuple(await connection.scalar(moved)) == (1, None)
    assert await databases.value(empty_database.url, "SELECT size FROM files WHERE id = 1") == 3


PLACE = text("SELECT place FROM files WHERE id = 1")
PUT = text("UPDATE files SET place = :place WHERE id = 1")
WITH_PLACE = "CREATE TYPE place AS (x int); ALTER TABLE files ADD place place DEFAULT ROW(1)"
FURTHER = "ALTER TYPE place ADD ATTRIBUTE y int"


@pytest.mark.parametrize("is_first", [True, False])
async def test_cursors_and_parameters_of_a_type_with_one_more_attribute(
    served: AsyncEngine, empty_database: Database, is_first: bool
) -> None:
    """They had failed in a session until something else dropped its types."""
    await databases.execute(empty_database.url, WITH_PLACE)

    async def streamed() -> list[Any]:
        async with served.connect() as connection:
            if not is_first:
                await connection.execute(insert(visits).values(id=7, file_id=1))
            return [tuple(row.place) async for row in await connection.stream(PLACE)]

    async def put(place: tuple[int, ...]) -> None:
        async with served.begin() as connection:
            if not is_first:
                await connection.execute(select(visits))
            await connection.execute(PUT, {"place": place})

    assert await streamed() == [(1,)]
    await databases.execute(empty_database.url, FURTHER)
    assert await streamed() == [(1, None)]
    await put((2, 3))
    await databases.execute(empty_database.url, "ALTER TYPE place ADD ATTRIBUTE z int")
    await put((2, 3, 4))
    assert await streamed() == [(2, 3, 4)]


async def test_a_cursor_gives_each_row_once(served: AsyncEngine) -> None:
    """Its first rows are read where it opens."""
    many = text("SELECT n FROM generate_series(1, :count) AS n")
    async with served.connect() as connection:
        for count in (0, 1, 49, 50, 51, 100, 1234):
            found = await connection.stream_scalars(many, {"count": count})
            assert await found.all() == [*range(1, count + 1)]
            parts = await connection.stream_scalars(many, {"count": count})
            assert [n async for part in parts.partitions(7) for n in part] == [*range(1, count + 1)]


async def test_what_nobody_runs_again_is_parsed_each_time(
    served: AsyncEngine, empty_database: Database
) -> None:
    """A raw connection, and a cursor of its own, as the listener of an event uses it."""
    resize = "UPDATE files SET size = $1 WHERE id = $2"

    async def raw(value: object) -> Any:
        async with served.begin() as connection:
            await (await driver_of(connection)).executemany(resize, [(value, 1), (value, 2)])

            def read(sync: Connection) -> object:
                cursor = sync.connection.cursor()
                cursor.execute("SELECT size FROM files WHERE id = 1")
                return cursor.fetchall()[0][0]

            return await connection.run_sync(read)

    assert await raw(5) == 5
    await databases.execute(empty_database.url, "ALTER TABLE files ALTER size TYPE text")
    assert await raw("five") == "five"


async def test_a_codec_that_the_service_sets_counts_at_once(
    served: AsyncEngine, empty_database: Database
) -> None:
    state = text("SELECT 'open'::state")
    await databases.execute(empty_database.url, "CREATE TYPE state AS ENUM ('open')")
    async with served.connect() as connection:
        assert await connection.scalar(state) == "open"
        driver = await driver_of(connection)
        await driver.set_type_codec("state", encoder=str.lower, decoder=str.upper, format="text")
        assert await connection.scalar(state) == "OPEN"
        await driver.reset_type_codec("state")
        assert await connection.scalar(state) == "open"


RAISES = """
CREATE SEQUENCE runs;
CREATE FUNCTION fails(code text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('runs');
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = 'no';
END $$
"""


@pytest.mark.sample(2)
@pytest.mark.parametrize("level", ["READ COMMITTED", "AUTOCOMMIT"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT nextval('runs') / 0",
        "SELECT fails('22023')",
        "SELECT fails('42501')",
        "SELECT nextval('runs'), CAST(current_database() AS integer)",
        "SELECT nextval('runs'), has_table_privilege(current_database(), 'SELECT')",
    ],
)
async def test_a_statement_that_has_run_and_failed_is_not_run_again(
    served: AsyncEngine, empty_database: Database, query: str, level: str
) -> None:
    """A rollback keeps a number of a sequence, an advisory lock, and the time that it took."""
    await databases.execute(empty_database.url, RAISES)
    async with served.execution_options(isolation_level=level).connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text(query))
    assert await databases.value(empty_database.url, "SELECT last_value FROM runs") == 1


async def test_schemas_of_tenants_have_enums_of_their_own(
    served: AsyncEngine, empty_database: Database
) -> None:
    """PostgreSQL reads a parameter by the type of the other schema, before it plans again."""
    for name in ("one", "two"):
        await databases.execute(
            empty_database.url,
            f"CREATE SCHEMA {name}; CREATE TYPE {name}.state AS ENUM ('of {name}');"
            f"CREATE TABLE {name}.jobs (state {name}.state)",
        )
    leads = text("SELECT set_config('search_path', :name, true)")
    added = text("INSERT INTO jobs VALUES (CAST(:state AS state)) RETURNING CAST(state AS text)")
    for name in ("one", "two", "one"):
        async with served.begin() as connection:
            await connection.execute(leads, {"name": name})
            assert await connection.scalar(added, {"state": f"of {name}"}) == f"of {name}"


async def test_an_error_of_its_own_is_raised_as_ever(served: AsyncEngine) -> None:
    """And the session goes on, whether the server or asyncpg refuses it."""
    divided = text("SELECT 1 / CAST(:by AS integer)")
    await warm(served)
    for by, before in ((0, False), (0, True), ("one", False), ("one", True)):
        async with served.connect() as connection:
            if before:
                await connection.execute(select(visits))
            with pytest.raises(DBAPIError):
                await connection.scalar(divided, {"by": by})
            await connection.rollback()
            with pytest.raises(DBAPIError, match="syntax error"):
                await connection.execute(text("SELEC"))
            await connection.rollback()
            assert await connection.scalar(divided, {"by": 1}) == 1


async def test_a_session_answers_after_an_argument_was_refused_in_a_failed_transaction(
    served: AsyncEngine,
) -> None:
    """The server skips what follows a failure until a Sync, which asyncpg has not sent."""
    divided = text("SELECT 1 / CAST(:by AS integer)")
    async with served.connect() as connection:
        await connection.scalar(divided, {"by": 1})
        await connection.rollback()
        await connection.execute(select(visits))
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 FROM nowhere"))
        with pytest.raises(DBAPIError):
            await connection.scalar(divided, {"by": "one"})
        await connection.rollback()
        assert await connection.scalar(divided, {"by": 1}) == 1


@pytest.mark.slow
@pytest.mark.skipif(PG_MAJOR < 16, reason="older servers do not tell the count")
async def test_many_statements_of_a_transaction_have_few_savepoints(
    served: AsyncEngine, empty_database: Database
) -> None:
    """Each that writes is a transaction of its own to the server."""
    many = [text(f"UPDATE files SET size = size + {n} WHERE id = 1") for n in range(100)]
    for _ in range(2):
        async with served.begin() as connection:
            for each in many:
                await connection.execute(each)
            ids = await connection.scalar(
                text(
                    "SELECT s.subxact_count FROM pg_stat_get_backend_idset() AS b (id)"
                    " CROSS JOIN pg_stat_get_backend_subxact(b.id) AS s"
                    " WHERE pg_stat_get_backend_pid(b.id) = pg_backend_pid()"
                )
            )
        assert ids <= MAX_SAVEPOINTS
    size = await databases.value(empty_database.url, "SELECT size FROM files WHERE id = 1")
    assert size == 1 + 2 * sum(range(100))


async def test_what_a_process_hears_drops_what_its_sessions_keep(
    served: AsyncEngine, empty_database: Database
) -> None:
    """A table of another schema that hides the one before does not concern the server's plans."""
    first = text("SELECT size FROM files WHERE id = 1")
    await databases.execute(empty_database.url, "CREATE SCHEMA newer")
    await databases.execute(
        empty_database.url,
        f'ALTER DATABASE "{empty_database.name}" SET search_path = newer, public',
    )
    async with served.connect() as connection:
        assert await connection.scalar(first) == 1
    await databases.execute(
        empty_database.url, "CREATE TABLE newer.files AS SELECT 1 AS id, 9 AS size"
    )
    HEARD.change()
    async with served.connect() as connection:
        assert await connection.scalar(first) == 9


@pytest.mark.sample(2)
@pytest.mark.parametrize("ways", [1, 3])
async def test_sessions_that_have_ended_are_not_used(
    served: AsyncEngine, empty_database: Database, ways: int
) -> None:
    """One that finds out is enough for all."""
    connections = [await served.connect() for _ in range(ways)]
    for connection in connections:
        await connection.scalar(SIZE)
        await connection.close()
    await databases.execute(
        empty_database.url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    connections = [await served.connect() for _ in range(ways)]
    assert [await connection.scalar(SIZE) for connection in connections] == [1] * ways
    for connection in connections:
        await connection.close()


async def left_open(driver: Any) -> None:
    await driver.execute("BEGIN")


async def cut_off_at_its_begin(driver: Any) -> None:
    began = asyncio.ensure_future(driver.transaction().start())
    await asyncio.sleep(0)
    began.cancel()
    await asyncio.wait([began])


async def cut_off_again_at_its_end(driver: Any) -> None:
    """As a scope of anyio does: the ROLLBACK waits for the end of the statement."""

    async def write() -> None:
        async with driver.transaction():
            await driver.execute(f"{INSERT}; SELECT pg_sleep(60)")

    writes = asyncio.ensure_future(write())
    await asyncio.sleep(0.1)
    while not writes.done():
        writes.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_pooled", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("leave", [left_open, cut_off_at_its_begin, cut_off_again_at_its_end])
async def test_a_transaction_of_a_raw_connection_does_not_take_in_the_next_one(
    empty_database: Database, leave: Callable[[Any], Awaitable[None]], is_pooled: bool
) -> None:
    """The next requests on the connection had failed, or lost their rows with its savepoints."""
    if is_pooled and pooler.PROGRAM is None:
        pytest.skip("PgBouncer is not installed")
    await databases.execute(empty_database.url, SCHEMA)
    url = empty_database.url
    with pooler.pooling(url) if is_pooled else nullcontext(url) as reached:
        access = replace(databases.access_to(reached), pool_size=1, pool_max_overflow=0)
        async with databases.engine(access, "app") as made:
            async with made.connect() as connection:
                await leave(await driver_of(connection))
            for number in (8, 9):
                async with made.begin() as connection:
                    await connection.execute(insert(visits).values(id=number, file_id=1))
    assert await databases.value(url, "SELECT array_agg(id ORDER BY id) FROM visits") == [8, 9]


async def ends_inside(driver: Any) -> None:
    """The savepoint's end is cut off, which ends the connection."""
    async with driver.transaction(), driver.transaction():
        asyncio.get_running_loop().call_soon(current_task().cancel)


async def begins_inside(driver: Any) -> None:
    async with driver.transaction():
        asyncio.get_running_loop().call_soon(current_task().cancel)
        await driver.transaction().start()


def current_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.mark.parametrize("inside", [ends_inside, begins_inside])
async def test_a_task_that_is_cancelled_in_a_savepoint_ends_as_cancelled(
    served: AsyncEngine, inside: Callable[[Any], Awaitable[None]]
) -> None:
    """The block around it had raised that the connection is closed, in the place of that."""
    async with served.connect() as connection:
        task = asyncio.ensure_future(inside(await driver_of(connection)))
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()


async def test_a_session_without_its_statements_parses_them(served: AsyncEngine) -> None:
    await warm(served)
    async with served.connect() as connection:
        await (await driver_of(connection)).execute("DISCARD ALL")
        assert await connection.scalar(SIZE) == 1
        await (await driver_of(connection)).execute("DEALLOCATE ALL")
    async with served.connect() as connection:
        assert await connection.scalar(SIZE) == 1


@pytest.mark.sample(2)
@pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")
@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_nothing_is_kept_behind_a_pooler(empty_database: Database, mode: str) -> None:
    await databases.execute(empty_database.url, SCHEMA)
    with pooler.pooling(empty_database.url, mode=mode, default_pool_size="1") as url:
        async with databases.engine(databases.access_to(url), "app") as made:
            async with made.connect() as connection:
                assert await connection.scalar(SIZE) == 1
                assert not (await driver_of(connection)).keeps
            await databases.execute(empty_database.url, RETYPE)
            async with made.connect() as connection:
                assert await connection.scalar(SIZE) == 1.0
        plain = await asyncpg.connect(url, statement_cache_size=0)
        kept = await plain.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
        await plain.close()
        assert kept == 0


@pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")
async def test_types_behind_a_pooler_are_not_out_of_date_for_long(empty_database: Database) -> None:
    """asyncpg keeps them there, too; the first statement of a transaction is run again."""
    await databases.execute(empty_database.url, f"{SCHEMA}; {WITH_PLACE}")
    with pooler.pooling(empty_database.url) as url:
        async with (
            databases.engine(databases.access_to(url), "app") as made,
            made.connect() as one,
            made.connect() as other,
        ):
            for each in (one, other):
                assert tuple(await each.scalar(PLACE)) == (1,)
                await each.rollback()
            await databases.execute(empty_database.url, FURTHER)
            assert tuple(await one.scalar(PLACE)) == (1, None)
            # A process hears of it once.
            await other.execute(select(visits))
            assert tuple(await other.scalar(PLACE)) == (1, None)
            await one.rollback()
            await other.rollback()
            await databases.execute(empty_database.url, "ALTER TYPE place ADD ATTRIBUTE z int")
            found = [tuple(row.place) async for row in await other.stream(PLACE)]
            assert found == [(1, None, None)]
            await other.rollback()
            await databases.execute(empty_database.url, "ALTER TYPE place ADD ATTRIBUTE w int")
            await one.execute(PUT, {"place": (1, 2, 3, 4)})
