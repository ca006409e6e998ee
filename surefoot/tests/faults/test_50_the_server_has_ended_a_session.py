"""The server has said why it ends a session, and the driver meets that in the next statement."""

import asyncio
from contextlib import nullcontext

import pytest
from sqlalchemy import event, text

from harness.databases import Database, access_to, engine, execute
from harness.proxy import Network
from surefoot.connect.failures import explained
from surefoot.errors import DatabaseUnreachable
from surefoot.scratch.shared_catalogs import refuse_changes


@pytest.mark.parametrize("is_held", [True, False], ids=["before its end", "behind its end"])
async def test_a_statement_of_the_driver(empty_database: Database, is_held: bool) -> None:
    """The last words have arrived, and the end of the connection has not, or has."""
    async with Network(empty_database.url).up() as network:
        database = access_to(network.url)
        connection = await database.connect("observe")
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        with network.ends_held() if is_held else nullcontext():
            await execute(empty_database.url, f"SELECT pg_terminate_backend({pid}, 5000)")
            await asyncio.sleep(0.1)
            with pytest.raises(DatabaseUnreachable), explained(database.shown()):
                await connection.fetchval("SELECT 1")
        connection.terminate()


@pytest.mark.slow
async def test_before_a_commit_is_looked_at(empty_database: Database) -> None:
    """Of a scratch database beside another one."""
    async with engine(empty_database.access, "migrate") as made, made.connect() as connection:
        event.listen(made.sync_engine, "commit", refuse_changes)
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        await execute(empty_database.url, f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(DatabaseUnreachable), explained(made.url):
            await connection.commit()
