"""Measures the engine of a service beside the same engine with the caches of its libraries.

    python benchmarks/caches.py [--rounds N] [--seconds S]

    defaults       SQLAlchemy's engine with the same pool, and the statement caches of asyncpg and
                   SQLAlchemy as they come: fast, and requests fail after a change of the schema
    this project   `Database.engine("app")`
    caches off     the defaults without either cache: safe, and each statement is parsed

One client on one connection of the pool, of which each request takes a connection and a
transaction: `row` selects a row by SQLAlchemy Core, `get` one by the ORM, `several` runs five
statements on three tables, two of which write, and `same` runs one statement ten times. The ways
take turns, round by round, in one process; rounds are short and many, so that what else the machine
does meets all of them.

The exit code is 1 where the median of this project's queries a second is less than 0.95 times that
of the defaults.
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


async def per_second(engine: AsyncEngine, request: Request, seconds: float) -> float:
    """The queries a second of one client."""
    count, began_s = 0, time.perf_counter()
    while (now_s := time.perf_counter()) - began_s < seconds:
        count += await request(engine, 1 + count % ROWS)
    return count / (now_s - began_s)


async def measure(
    running: Running, rounds: int, seconds: float
) -> dict[str, dict[str, list[float]]]:
    """The queries a second of each round, by request and way."""
    url = await fresh(running, "caches")
    connection = await asyncpg.connect(url)
    await connection.execute(SEED)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    made = engines(url)
    found: dict[str, dict[str, list[float]]] = {}
    for request in REQUESTS:
        took = found[request.__name__] = {way: [] for way in made}
        for engine in made.values():
            await per_second(engine, request, seconds)
        for number in range(rounds):
            # No way is always the first.
            order = list(made)[number % len(made) :] + list(made)[: number % len(made)]
            for way in order:
                gc.collect()
                took[way].append(await per_second(made[way], request, seconds))
    for engine in made.values():
        await engine.dispose()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="of each way; 40 by default")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a round; 0.2 by default")
    options = parser.parse_args()
    print(f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=memory) as directory,
        server(Path(directory)) as running,
    ):
        found = asyncio.run(measure(running, options.rounds, options.seconds))
    print(
        f"{'queries a second':<17}"
        + "".join(f"{way:>22}" for way in (DEFAULTS, OURS, OFF))
        + f"{'ratio':>8}\n{'':<17}"
        + f"{'min / median':>22}" * 3
    )
    met = True
    for request, took in found.items():
        ratio = statistics.median(took[OURS]) / statistics.median(took[DEFAULTS])
        met = met and ratio >= TO_REACH
        cells = (f"{min(r):,.0f} / {statistics.median(r):,.0f}" for r in took.values())
        print(f"{request:<17}" + "".join(f"{cell:>22}" for cell in cells) + f"{ratio:>8.2f}")
    print(
        f"to reach: {TO_REACH:g} times the defaults: {'met' if met else 'MISSED'}; "
        f"load at the end {os.getloadavg()[0]:.1f}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
