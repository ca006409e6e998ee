"""Measures the start-up check beside the way in which services usually ask Alembic.

    python benchmarks/startup.py [--rounds N]

    usual          ScriptDirectory reads the revision files, MigrationContext the revision table,
                   and the heads of both are compared, in the service's own process
    this project   revisions.lock is read, and one statement compares revision table and ledger with
                   it: `Build.read` and the check
    check alone    what a service that runs asks each second, its build read once

Chains of 10, 100, 1,000 and 3,000 revisions, each applied to a database of its own, as a ledger and
a revision table hold it. Every measurement is on a connection that is open and was used before; the
two take turns in one process, in which both have done their imports. Alembic executes every
revision file to read it; Python keeps the compiled files, so that only the first round compiles.

The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from projects import MEMORY, Project, fresh, ours, server
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from surefoot import Database
from surefoot.chain.lockfile import read_lock
from surefoot.embedded import Running
from surefoot.ledger.appending import append
from surefoot.ledger.table import Entry, Ledger
from surefoot.startup.check import Build, autocommitting, check_on

SIZES = (10, 100, 1_000, 3_000)
RATIO_AT = 1_000
TO_REACH_RATIO = 50.0
ALONE_AT = 3_000
TO_REACH_ALONE_MS = 2.0


@dataclass(frozen=True)
class Took:
    """Medians of one chain, in milliseconds."""

    revisions: int
    usual_ms: float
    ours_ms: float
    alone_ms: float

    @property
    def ratio(self) -> float:
        return self.usual_ms / self.ours_ms


async def measure(folder: Path, running: Running, size: int, rounds: int) -> Took:
    """The three ways on one chain."""
    project = ours(folder / str(size))
    project.write(["pass"] * size)
    lock_path = project.versions.parent / "revisions.lock"
    url = await fresh(running, f"chain_{size}")
    await record(url, project)
    config = Config(str(project.folder / "alembic.ini"))
    build = Build.read(lock_path)
    engine = Database(url).engine("watch")
    async with autocommitting(engine).connect() as connection:

        async def usual() -> None:
            heads = await connection.run_sync(current)
            if heads != set(ScriptDirectory.from_config(config).get_heads()):
                raise SystemExit(f"the database is at {heads}")

        async def whole() -> None:
            await checked(connection, Build.read(lock_path))

        async def alone() -> None:
            await checked(connection, build)

        ways: Sequence[Callable[[], Awaitable[None]]] = (usual, whole, alone)
        took_ms: list[list[float]] = [[] for _ in ways]
        for number in range(rounds + 1):
            for way, times in zip(ways, took_ms, strict=True):
                # The next one does not clean up after it.
                gc.collect()
                began_s = time.perf_counter()
                await way()
                if number:
                    times.append((time.perf_counter() - began_s) * 1e3)
    await engine.dispose()
    return Took(size, *map(statistics.median, took_ms))


def current(connection: Connection) -> set[str]:
    """The revisions in the revision table, as Alembic reads them."""
    return set(MigrationContext.configure(connection).get_current_heads())


async def checked(connection: AsyncConnection, build: Build) -> None:
    """The start-up check. On failure: SystemExit."""
    verdict = await check_on(connection, build)
    if verdict.state != "current":
        raise SystemExit(str(verdict))


async def record(url: str, project: Project) -> None:
    """Leave in the database what an upgrade to head leaves there; the revisions do nothing."""
    revisions = read_lock(project.versions.parent / "revisions.lock")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    await connection.execute("INSERT INTO alembic_version VALUES ($1)", revisions[-1].id)
    await connection.close()
    engine = Database(url).engine("migrate")

    def write(sync: Connection) -> None:
        ledger = Ledger()
        ledger.create(sync)
        for revision in revisions:
            entry = Entry(revision.id, "upgrade", revision.phase, "applied", revision.sha256)
            append(sync, ledger, entry)

    async with engine.begin() as opened:
        await opened.run_sync(write)
    async with autocommitting(engine).connect() as opened:
        await opened.exec_driver_sql("ANALYZE")
    await engine.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each way; 15 by default")
    options = parser.parse_args()
    print(
        f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        "medians on a warm connection"
    )
    print(f"{'revisions':>9}{'usual':>13}{'this project':>16}{'ratio':>8}{'check alone':>15}")
    found = []
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=memory) as directory,
        server(Path(directory)) as running,
    ):
        for size in SIZES:
            took = asyncio.run(measure(Path(directory), running, size, options.rounds))
            found.append(took)
            print(
                f"{took.revisions:>9,}{took.usual_ms:>10.2f} ms{took.ours_ms:>13.2f} ms"
                f"{took.ratio:>8.1f}{took.alone_ms:>12.2f} ms",
                flush=True,
            )
    ratio = next(took.ratio for took in found if took.revisions == RATIO_AT)
    alone_ms = next(took.alone_ms for took in found if took.revisions == ALONE_AT)
    met = ratio >= TO_REACH_RATIO and alone_ms <= TO_REACH_ALONE_MS
    print(
        f"to reach: {TO_REACH_RATIO:g} times faster at {RATIO_AT:,}, and {TO_REACH_ALONE_MS:g} ms "
        f"alone at {ALONE_AT:,}: {'met' if met else 'MISSED'}; load at the end "
        f"{os.getloadavg()[0]:.1f}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
