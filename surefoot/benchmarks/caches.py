"""Measures the engine of a service beside the same engine with the caches of its libraries.

    python benchmarks/caches.py [--rounds N]

    defaults       SQLAlchemy's engine with the same pool, and the statement caches of asyncpg and
                   SQLAlchemy as they come: fast, and requests fail after a change of the schema
    this project   `Database.engine("app")`
    caches off     the defaults without either cache: safe, and each statement is parsed

One client on one connection of the pool, of which each request takes a connection and a
transaction: `row` selects a row by SQLAlchemy Core, `get` one by the ORM, `several` runs five
statements on three tables, two of which write, and `same` runs one statement ten times. The ways
take turns, request by request, in one process, so that whatever else the machine does meets all of
them.

Queries a second are those of a client whose requests all take as long as the median one, or the
quickest. The exit code is 1 where this project's are less than 0.95 times those of the defaults, by
the median.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from projects import MEMORY, fresh, server
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from surefoot import Database
from surefoot.embedded import Running

TO_REACH = 0.95
# Rounds until every statement is kept and the tables are in memory.
WARM_UP = 50
DEFAULTS, OURS, OFF = "defaults", "this project", "caches off"
ROWS = 10_000
SEED = f"""
CREATE TABLE files (id int PRIMARY KEY, name text NOT NULL, size int NOT NULL, media_type text);
CREATE TABLE folders (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE visits (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, file_id int NOT NULL);
INSERT INTO files SELECT n, 'file ' || n, n, 'text/plain' FROM generate_series(1, {ROWS}) n;
INSERT INTO folders SELECT n, 'folder ' || n FROM generate_series(1, {ROWS}) n;
"""


class Base(DeclarativeBase):
    """The models of the service."""


class File(Base):
    """One row of `files`."""

    __tablename__ = "files"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    size: Mapped[int]
    media_type: Mapped[str | None]


files = Base.metadata.tables["files"]
folders = Table(
    "folders", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text)
)
visits = Table("visits", MetaData(), Column("id", Integer), Column("file_id", Integer))
Request = Callable[[AsyncEngine, int], Awaitable[int]]


async def row(engine: AsyncEngine, number: int) -> int:
    """A row by Core."""
    async with engine.connect() as connection:
        found = (await connection.execute(select(files).where(files.c.id == number))).one()
    assert found.size == number
    return 1


async def get(engine: AsyncEngine, number: int) -> int:
    """A row by the ORM."""
    async with AsyncSession(engine) as session:
        found = await session.get_one(File, number)
    assert found.size == number
    return 1


async def several(engine: AsyncEngine, number: int) -> int:
    """Statements on several tables, each of which the transaction has not used before."""
    async with engine.begin() as connection:
        await connection.execute(select(folders).where(folders.c.id == number))
        await connection.execute(select(files).where(files.c.id == number))
        await connection.execute(select(func.count()).where(files.c.id == number))
        await connection.execute(update(files).where(files.c.id == number).values(size=number))
        await connection.execute(insert(visits).values(file_id=number))
    return 5


async def same(engine: AsyncEngine, number: int) -> int:
    """One statement, again and again."""
    async with engine.connect() as connection:
        for _ in range(10):
            await connection.execute(select(files).where(files.c.id == number))
    return 10


REQUESTS: tuple[Request, ...] = (row, get, several, same)


def engines(url: str) -> dict[str, AsyncEngine]:
    """The three ways; their pools are alike."""
    ours = Database(url)
    plain = url.replace("postgresql://", "postgresql+asyncpg://")
    pool = {
        "pool_size": ours.pool_size,
        "max_overflow": ours.pool_max_overflow,
        "pool_timeout": ours.pool_timeout_s,
        "pool_pre_ping": True,
        "hide_parameters": True,
    }
    uncached = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return {
        DEFAULTS: create_async_engine(plain, **pool),
        OURS: ours.engine("app"),
        OFF: create_async_engine(plain, connect_args=uncached, **pool),
    }


async def took_s(engine: AsyncEngine, request: Request, number: int) -> float:
    """How long a query of one request took."""
    began_s = time.perf_counter()
    queries = await request(engine, 1 + number % ROWS)
    return (time.perf_counter() - began_s) / queries


async def measure(running: Running, rounds: int) -> dict[str, dict[str, list[float]]]:
    """How long a query took in each round, by request and way."""
    url = await fresh(running, "caches")
    connection = await asyncpg.connect(url)
    await connection.execute(SEED)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    made = engines(url)
    ways = list(made)
    found: dict[str, dict[str, list[float]]] = {}
    for request in REQUESTS:
        times: dict[str, list[float]] = {way: [] for way in made}
        gc.collect()
        for number in range(-WARM_UP, rounds):
            # No way is always the first.
            first = number % len(ways)
            for way in ways[first:] + ways[:first]:
                query_s = await took_s(made[way], request, number)
                if number >= 0:
                    times[way].append(query_s)
        found[request.__name__] = times
    for engine in made.values():
        await engine.dispose()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1500, help="of each way; 1500 by default")
    options = parser.parse_args()
    print(f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=memory) as directory,
        server(Path(directory)) as running,
    ):
        found = asyncio.run(measure(running, options.rounds))
    print(
        f"{'queries a second':<17}"
        + "".join(f"{way:>20}" for way in (DEFAULTS, OURS, OFF))
        + f"{'ratio':>8}\n{'':<17}"
        + f"{'median / best':>20}" * 3
    )
    met = True
    for request, times in found.items():
        ratio = statistics.median(times[DEFAULTS]) / statistics.median(times[OURS])
        met = met and ratio >= TO_REACH
        cells = (f"{1 / statistics.median(t):,.0f} / {1 / min(t):,.0f}" for t in times.values())
        print(f"{request:<17}" + "".join(f"{cell:>20}" for cell in cells) + f"{ratio:>8.2f}")
    print(
        f"to reach: {TO_REACH:g} times the defaults: {'met' if met else 'MISSED'}; "
        f"load at the end {os.getloadavg()[0]:.1f}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
