"""The application's pool, and what others do to the database meanwhile."""

import asyncio
import os
import sys

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.databases import Database, execute, scalar, value
from harness.server import Server
from tests.support.project import ROOT
from tests.support.settings import engine, settings_of


async def test_the_pool_ends_where_the_settings_say(database: Database) -> None:
    """Whoever waits for a connection longer than that gets an error, not silence."""
    settings = settings_of(database.url).model_copy(
        update={"pool_size": 1, "pool_max_overflow": 1, "pool_timeout_s": 0.1}
    )
    async with engine(settings, "app") as made, made.connect(), made.connect():
        with pytest.raises(
            sqlalchemy.exc.TimeoutError, match="QueuePool limit of size 1 overflow 1 reached"
        ):
            await scalar(made, "SELECT 1")


async def test_a_connection_that_the_server_ended_is_replaced(
    database: Database, server: Server
) -> None:
    """After a restart or a failover no request meets a dead connection."""
    async with engine(settings_of(database.url), "app") as made:
        pid = await scalar(made, "SELECT pg_backend_pid()")
        await value(server.url, f"SELECT pg_terminate_backend({pid}, 5000)")
        assert await scalar(made, "SELECT pg_backend_pid()") != pid


CHANGES = [
    "ALTER TABLE things ADD COLUMN added text DEFAULT 'x'",
    "ALTER TABLE things DROP COLUMN dropped",
    "ALTER TABLE things ALTER COLUMN number TYPE bigint",
    "ALTER TABLE things ALTER COLUMN number TYPE text",
    "ALTER TABLE things RENAME COLUMN number TO figure",
    "ALTER TYPE mood ADD VALUE 'bored'",
    "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
    "ALTER TABLE things ALTER COLUMN mood TYPE text; DROP TYPE mood; "
    "CREATE TYPE mood AS ENUM ('sad', 'glad'); "
    "ALTER TABLE things ALTER COLUMN mood TYPE mood USING mood::mood",
    "DROP TABLE things; CREATE TABLE things (id int, mood mood)",
]


@pytest.mark.sample(3)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[:50])
async def test_the_pool_survives_a_change_of_the_schema_beside_it(
    empty_database: Database, change: str
) -> None:
    """Statements and types that were used before the change work after it, the first time."""
    await execute(
        empty_database.url,
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); "
        "CREATE TABLE things (id int, number int, dropped text, mood mood); "
        "INSERT INTO things VALUES (1, 2, 'x', 'glad')",
    )
    async with engine(settings_of(empty_database.url), "app") as made:
        await use_the_whole_pool(made)
        await execute(empty_database.url, change)
        await use_the_whole_pool(made)


async def use_the_whole_pool(made: AsyncEngine) -> None:
    """Every connection runs each statement oftener than a driver waits before it caches."""
    insert = "INSERT INTO things (id, mood) VALUES (:id, CAST(:mood AS mood)) RETURNING *"
    connections = [await made.connect() for _ in range(3)]
    for connection in connections:
        for _ in range(6):
            await connection.execute(text("SELECT * FROM things"))
            await connection.execute(text("SELECT mood, array_agg(mood) FROM things GROUP BY mood"))
            await connection.execute(
                text("SELECT id FROM things WHERE mood = CAST(:mood AS mood)"), {"mood": "glad"}
            )
            await connection.execute(text(insert), {"id": 7, "mood": "glad"})
        await connection.commit()
        await connection.close()


@pytest.mark.slow
async def test_no_request_fails_while_another_process_migrates(database: Database) -> None:
    """The last revisions go down and up under a pool that reads whole tables all the time."""
    done = asyncio.Event()

    async def read(made: AsyncEngine, table: str) -> int:
        count = 0
        while not done.is_set():
            async with made.connect() as connection:
                await connection.execute(text(f"SELECT * FROM {table}"))
            count += 1
            await asyncio.sleep(0.02)
        return count

    async def migrate() -> None:
        try:
            for command in ("downgrade", "-2"), ("upgrade", "head"):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "alembic", *command),
                    cwd=ROOT,
                    env={**os.environ, "DATABASE_URL": database.url},
                    stderr=asyncio.subprocess.PIPE,
                )
                _, said = await process.communicate()
                assert process.returncode == 0, said.decode()
        finally:
            done.set()

    async with engine(settings_of(database.url), "app") as made:
        reads = (read(made, table) for table in ("files", "jobs", "volumes", "files"))
        counts, _ = await asyncio.gather(asyncio.gather(*reads), migrate())
    assert min(counts) > 10
