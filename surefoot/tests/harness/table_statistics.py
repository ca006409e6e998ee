"""The statistics of a database with rows, for plans of revisions that run elsewhere."""

from __future__ import annotations

from harness.databases import Databases, engine, execute
from surefoot.planning.statistics import Statistics, read_statistics


async def statistics_of(databases: Databases, fill: str) -> Statistics:
    """Those of a new database after these statements; it is dropped."""
    database = await databases.empty()
    try:
        await execute(database.url, fill)
        async with engine(database.access, "observe") as made, made.connect() as connection:
            return await connection.run_sync(read_statistics)
    finally:
        await databases.drop(database)
