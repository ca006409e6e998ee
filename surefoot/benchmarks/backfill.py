"""Measures ways to change every row of a table, on copies of one table, with and without writers.

    python benchmarks/backfill.py [--rows N] [--batch-seconds S] [--max-rows-per-second N]

    update        one UPDATE of all rows: the limit for the time, and its stalls
    offset        a loop that finds its rows by OFFSET, on the first rows only
    keyset        a loop as people write it by hand: 5,000 rows, id > last ORDER BY id LIMIT
    sql 1, 2, 4   this project with so many workers, whose batches are SQL
    python 1, 2, 4   the same with the values of an async function

First nobody else is at work. Then four clients, a process of their own, update single rows all the
time, and are told apart by the way that runs meanwhile. A stall is the time of one such UPDATE.
Beside them this project runs throttled, by the parameters above, and only for some seconds. The
p99 of writers alone and beside `sql 1` is the median of seven turns each, as that of one turn may
be half as long again as that of the next.
The server looks every second whether autovacuum has something to do: a table of this size is
changed faster than it usually looks. Growth is that of the table with its index.

The single UPDATE runs twice while nobody else is at work, as a machine is not always as fast, and
its rate is the mean. The exit code is 1 where a target is missed: rows a second of `sql`
at least 0.8 times those of the single UPDATE, and of `python` 0.5 times, by the better of one and
two workers; beside `sql 1` a p99 of the writers of at most 1.5 times that of writers alone, and no
stall above 100 ms; growth by `sql 1` at most half of that by the single UPDATE; a batch of nothing
in at most 3 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from projects import MEMORY, fresh, ours, server

from surefoot import Backfill, Database
from surefoot.backfill.batch import Batches
from surefoot.backfill.checks import admitted
from surefoot.backfill.files import named
from surefoot.backfill.pace import PLANNED_ROWS
from surefoot.backfill.run import run
from surefoot.embedded import Running
from surefoot.project import Project

CLIENTS, PAUSE_S, BUSY_S, TURN_S, TURNS = 4, 0.005, 15.0, 8.0, 7
BY_HAND, OFFSET_ROWS = 5000, 50_000
NOTHING_TIMES = 200
SEED = """
CREATE TABLE files (
    id bigint PRIMARY KEY, path text NOT NULL, size int NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(), wide bigint);
INSERT INTO files (id, path, size)
SELECT n, 'photos/2026/' || n || '.jpg', n % 1000 FROM generate_series(1, {rows}) n;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
"""
CLASS = """
from surefoot import Backfill


class It(Backfill):
    after = "0001"
    table = "files"
    todo = "wide IS NULL"
"""
SQL = CLASS + '    sets = {"wide": "size"}\n'
PYTHON = (
    CLASS
    + """    reads = ("size",)
    writes = ("wide",)

    async def fill(self, rows):
        return [{"wide": row["size"]} for row in rows]
"""
)
Way = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """Latencies of the writers."""

    count: int
    p99_s: float
    longest_s: float


@dataclass(frozen=True)
class Took:
    """One way over the table; CPU is that of the server."""

    rows: int
    wall_s: float
    cpu_s: float
    growth: int
    wal: int
    writers: Told | None = None

    @property
    def rate(self) -> float:
        return self.rows / self.wall_s


# -- the ways ------------------------------------------------------------------------------------


async def update(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE files SET wide = size WHERE wide IS NULL")
    await connection.close()


async def offset(url: str) -> None:
    connection = await asyncpg.connect(url)
    for at in range(0, OFFSET_ROWS, BY_HAND):
        rows = f"SELECT id FROM files ORDER BY id OFFSET {at} LIMIT {BY_HAND}"
        await connection.execute(
            f"UPDATE files SET wide = size WHERE id IN ({rows}) AND wide IS NULL"
        )
    await connection.close()


async def keyset(url: str) -> None:
    connection, last = await asyncpg.connect(url), 0
    rows = f"SELECT id FROM files WHERE id > $1 ORDER BY id LIMIT {BY_HAND}"
    while ids := [row[0] for row in await connection.fetch(rows, last)]:
        await connection.execute(
            "UPDATE files SET wide = size WHERE id = ANY ($1) AND wide IS NULL", ids
        )
        last = ids[-1]
    await connection.close()


def this_project(
    project: Project,
    name: str,
    workers: int,
    parameters: Mapping[str, float],
    *,
    seconds: float | None = None,
) -> Way:
    """The parameters are those of `surefoot backfill run`; it is stopped after so many seconds."""

    async def way(url: str) -> None:
        stop = asyncio.Event()
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        found = await run(
            named(project, name),
            Database(url),
            project,
            workers=workers,
            parameters=parameters,
            stop=stop,
        )
        if not found.is_complete and not stop.is_set():
            raise SystemExit(f"{name} is not complete")

    return way


# -- the writers, in a process of their own --------------------------------------------------------


async def write(url: str, rows: int) -> None:
    """Update single rows until stdin ends; then print the latencies."""
    over, seconds = asyncio.Event(), list[float]()

    async def client() -> None:
        connection = await asyncpg.connect(url)
        query = "UPDATE files SET seen_at = now() WHERE id = $1"
        while not over.is_set():
            began_s = time.perf_counter()
            await connection.execute(query, random.randint(1, rows))
            seconds.append(time.perf_counter() - began_s)
            await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.5))
        await connection.close()

    tasks = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    # The first requests connect and prepare.
    await asyncio.sleep(0.5)
    seconds.clear()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    over.set()
    await asyncio.gather(*tasks)
    p99 = statistics.quantiles(seconds, n=100)[98]
    print(json.dumps([len(seconds), p99, max(seconds)]), flush=True)


@asynccontextmanager
async def writers(url: str, rows: int) -> AsyncIterator[list[Told]]:
    """Writers for the block; behind it the list has their latencies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(__file__, "--write", url, "--rows", str(rows)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    told = list[Told]()
    try:
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise SystemExit("the writers have died")
        yield told
        out, _ = await process.communicate(b"")  # which closes it
        told.append(Told(*json.loads(out)))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# -- the comparison --------------------------------------------------------------------------------


def server_cpu_s(pid: int) -> float:
    """Of the server's processes, those that have ended among them."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if stat.parent.name == str(pid):
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


async def measure(
    running: Running, way: Way, rows: int | None, *, table_rows: int, load: bool
) -> Took:
    """One way over a copy of the table, which changes so many rows if they are known."""
    url = await fresh(running, "copy", "seed")
    connection = await asyncpg.connect(url)
    size = "SELECT pg_total_relation_size('files')"
    await connection.execute("CHECKPOINT")
    before = await connection.fetchval(size)
    lsn = await connection.fetchval("SELECT pg_current_wal_lsn()")
    pid, told = running.state.postgres_pid, None
    cpu_s, began_s = server_cpu_s(pid), time.perf_counter()
    if load:
        async with writers(url, table_rows) as told:
            began_s = time.perf_counter()
            await way(url)
            wall_s = time.perf_counter() - began_s
    else:
        await way(url)
        wall_s = time.perf_counter() - began_s
    cpu_s = server_cpu_s(pid) - cpu_s
    wal = await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::bigint", lsn)
    growth = await connection.fetchval(size) - before
    changed = await connection.fetchval("SELECT count(*) FROM files WHERE wide = size")
    await connection.close()
    if changed != (rows or changed):
        raise SystemExit(f"{changed:,} rows are changed, not {rows:,}")
    return Took(changed, wall_s, cpu_s, growth, wal, told[0] if told else None)


async def alone(running: Running, rows: int) -> Told:
    """The writers while nobody else is at work."""
    url = await fresh(running, "copy", "seed")
    async with writers(url, rows) as told:
        await asyncio.sleep(TURN_S)
    return told[0]


async def nothing(running: Running, project: Project) -> float:
    """The median time of a batch whose rows need nothing, in the table of the last way."""
    database = Database(running.url("copy"))
    statements = await admitted(named(project, "sql"), database, project, {})
    connection = await database.connect("backfill")
    batches = Batches(connection, statements, asyncio.Semaphore(1))
    ranges = f"SELECT id, high FROM {project.version_table.backfills[1]} ORDER BY id LIMIT 1"
    ((number, high),) = await connection.fetch(ranges)
    seconds = []
    for _ in range(NOTHING_TIMES):
        began_s = time.perf_counter()
        part = await batches.look(None, high, PLANNED_ROWS, number)
        await batches.run(part)
        seconds.append(time.perf_counter() - began_s)
    await connection.close()
    return statistics.median(seconds)


def row(name: str, took: Took) -> None:
    line = f"{name:<10}{took.rate:>10,.0f} rows/s{took.wall_s:>8.1f} s{took.cpu_s:>7.1f} s CPU"
    line += f"  growth {took.growth / 1e6:>5.0f} MB  WAL {took.wal / 1e6:>5.0f} MB"
    if of := took.writers:
        line += f"  writers: p99 {of.p99_s * 1000:.1f} ms, longest {of.longest_s * 1000:.0f} ms"
        line += f" of {of.count:,}"
    print(line, flush=True)


async def compare(running: Running, project: Project, options: argparse.Namespace) -> int:
    """All ways; the exit code."""
    rows = options.rows
    connection = await asyncpg.connect(await fresh(running, "seed"))
    await connection.execute(SEED.format(rows=rows))
    await connection.execute("VACUUM ANALYZE files")
    await connection.close()
    beside = {
        "batch_s": options.batch_seconds,
        "max_rows_per_second": options.max_rows_per_second,
    }

    async def all_of(
        parameters: Mapping[str, float], *, load: bool, seconds: float | None = None
    ) -> dict[str, Took]:
        ways: dict[str, tuple[Way, int | None]] = {
            "update": (update, rows),
            "offset": (offset, min(OFFSET_ROWS, rows)),
            "keyset": (keyset, rows),
        }
        for name in ("python", "sql"):
            for count in (4, 2, 1):
                way = this_project(project, name, count, parameters, seconds=seconds)
                ways[f"{name} {count}"] = way, None if seconds else rows
            if name == "python" and not load:
                ways["update 2"] = (update, rows)
        found = {}
        for name, (way, of) in ways.items():
            found[name] = await measure(running, way, of, table_rows=rows, load=load)
            row(name, found[name])
        return found

    print(f"nobody else at work; offset: the first {OFFSET_ROWS:,} rows")
    idle = await all_of({}, load=False)
    batch_of_nothing_s = await nothing(running, project)
    print("beside the writers: " + ", ".join(f"{k} {v:g}" for k, v in beside.items()))
    await all_of(beside, load=True, seconds=BUSY_S)
    p99_s: dict[str, list[float]] = {"alone": [], "sql 1": []}
    longest_s = []
    for _ in range(TURNS):
        quiet = await alone(running, rows)
        way = this_project(project, "sql", 1, beside, seconds=TURN_S)
        took = await measure(running, way, None, table_rows=rows, load=True)
        assert took.writers is not None
        p99_s["alone"].append(quiet.p99_s)
        p99_s["sql 1"].append(took.writers.p99_s)
        longest_s.append(took.writers.longest_s)
    for name, found in p99_s.items():
        told = ", ".join(f"{each * 1000:.2f}" for each in found)
        print(f"p99 of {CLIENTS} writers, {name}: {told} ms")
    missed = 0

    def target(label: str, value: float, limit: float, *, at_least: bool = False) -> None:
        nonlocal missed
        met = value >= limit if at_least else value <= limit
        missed += not met
        sign = "at least" if at_least else "at most"
        print(f"{label:<52}{value:>9.2f}  {sign} {limit:<6g}  {'met' if met else 'MISSED'}")

    of_update = statistics.mean(idle[name].rate for name in ("update", "update 2"))
    for name, least in (("sql", 0.8), ("python", 0.5)):
        best = max(idle[f"{name} {n}"].rate for n in (1, 2))
        ratio = best / of_update
        target(f"{name}: rows/s beside the single UPDATE", ratio, least, at_least=True)
    p99 = {name: statistics.median(found) for name, found in p99_s.items()}
    target("writers: p99 beside sql, of that alone", p99["sql 1"] / p99["alone"], 1.5)
    target("writers: longest stall beside sql, ms", max(longest_s) * 1000, 100)
    grown = idle["sql 1"].growth / max(idle["update"].growth, 1)
    target("growth by sql, of that by the single UPDATE", grown, 0.5)
    target("a batch of nothing, ms", batch_of_nothing_s * 1000, 3)
    return int(missed > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="1,000,000 by default")
    parser.add_argument(
        "--batch-seconds",
        type=float,
        default=Backfill.batch_s,
        help="of a batch beside the writers",
    )
    parser.add_argument(
        "--max-rows-per-second", type=float, default=10_000, help="beside the writers"
    )
    parser.add_argument("--write", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        asyncio.run(write(options.write, options.rows))
        return 0
    print(f"{options.rows:,} rows; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    in_memory = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        made = ours(folder / "ours")
        backfills = made.versions.parent / "backfills"
        backfills.mkdir()
        (backfills / "sql.py").write_text(SQL, "utf-8")
        (backfills / "python.py").write_text(PYTHON, "utf-8")
        made.write(["pass"])
        project = Project.read(made.folder / "alembic.ini")
        with server(folder, autovacuum_naptime="1s") as running:
            return asyncio.run(compare(running, project, options))


if __name__ == "__main__":
    raise SystemExit(main())
