"""Measures the requests that are served while ten changes of models are applied.

    python benchmarks/changes_under_load.py [--rows N] [CHANGE ...]

    orders, customers  <--  4 clients that read a row of each, 4 that write one
                       <--  the revisions that autogenerate writes for a change, one after another

The changes are those of tests/integration/golden_changes.py. Before a revision that requires
backfills these are run, and from the first contract revision on the clients are those of the next
release. A stall is the latency of one request.

The exit code is 1 where a request fails, or where one waits for longer than the lock timeout and
50 ms in a change whose revisions do not say that they rewrite a table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from projects import MEMORY, ROOT, SUREFOOT, Project, fresh, ours, server

from surefoot import Limits
from surefoot.autogenerate.change import WINDOW
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions

sys.path.insert(0, str(ROOT / "tests"))
from integration.golden_changes import CHANGES, ENV, Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENTS, PAUSE_S, WARM_UP_S, SLACK_S = 4, 0.02, 1.0, 0.05
ROWS = """
INSERT INTO customers (name, email)
SELECT 'n' || n, n || '@example.org' FROM generate_series(1, {0}) n;
INSERT INTO orders (customer_id, state, placed_on, note)
SELECT n, 'paid', DATE '2026-01-01' + n % 300, 'x' FROM generate_series(1, {0}) n;
"""
# The value that a generated backfill leaves to a person, as SQL.
VALUES = {
    "require-a-product": "1",
    "split-the-name": "name",
    "drop-the-state-sent": "state::text::order_state_new",
}
PREPARE = {"require-a-product": "INSERT INTO products VALUES (DEFAULT)"}
# The table of orders in the next release.
RENAMED = {"rename-orders": "purchases"}


@dataclass
class Clients:
    """Requests of a release, which may be replaced."""

    orders: str = "orders"
    latencies_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    async def run(self, url: str, rows: int, *, writes: bool) -> None:
        """One client; a request that fails is kept, and the next is sent."""
        path = {"search_path": "public, sales"}
        connection = await asyncpg.connect(url, server_settings=path, statement_cache_size=0)
        while not self.stopping:
            read = f"SELECT id, customer_id FROM {self.orders} WHERE id = $1"
            write = f"UPDATE {self.orders} SET placed_on = placed_on WHERE id = $1"
            other = ("SELECT id, email FROM customers", "UPDATE customers SET email = email")[
                writes
            ]
            for statement in (write if writes else read, f"{other} WHERE id = $1"):
                began_s = time.monotonic()
                try:
                    await connection.execute(statement, random.randint(1, rows))
                except asyncpg.PostgresError as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                self.latencies_s.append(time.monotonic() - began_s)
                await asyncio.sleep(PAUSE_S)
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="of each table")
    parser.add_argument("changes", nargs="*", metavar="CHANGE", help="all by default")
    given = parser.parse_args()
    chosen = [each for each in CHANGES if not given.changes or each.name in given.changes]
    in_memory = MEMORY if MEMORY.is_dir() else None
    print(f"{given.rows:,} rows, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<28}{'revisions':>10}{'requests':>10}{'failed':>8}{'longest stall':>15}")
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        with server(folder) as running:
            met = []
            for each in chosen:
                url = asyncio.run(fresh(running, "shop"))
                project = prepared(folder / each.name, each, url, given.rows)
                met.append(asyncio.run(measure(project, each, url, given.rows)))
    return 0 if all(met) else 1


def prepared(folder: Path, change: Change, url: str, rows: int) -> Project:
    """The shop before the change, with its rows, and the revisions of the change as files."""
    project = ours(folder)
    project.write([])
    (folder / "alembic" / "env.py").write_text(ENV, "utf-8")
    template = ROOT / "tests" / "sample" / "alembic" / "script.py.mako"
    (folder / "alembic" / "script.py.mako").write_bytes(template.read_bytes())
    ini = folder / "alembic.ini"
    hook = "\n[post_write_hooks]\nhooks = finish\nfinish.type = surefoot\n"
    naming = "revision_environment = true\nfile_template = %%(rev)s_%%(slug)s\n"
    ini.write_text(ini.read_text("utf-8") + naming + hook, "utf-8")
    (folder / "shop.py").write_text(change.before, "utf-8")
    works(project, url, "revision", "--autogenerate", "-m", "Begin")
    if change.first:
        asyncio.run(execute(url, "CREATE SCHEMA sales"))
    works(project, url, "upgrade", "head")
    asyncio.run(execute(url, ROWS.format(rows), PREPARE.get(change.name, "SELECT"), "ANALYZE"))
    (folder / "shop.py").write_text(change.after, "utf-8")
    works(project, url, *change.options, "revision", "--autogenerate", "-m", change.message)
    for path in (folder / "alembic" / "backfills").glob("*.py"):
        written = path.read_text("utf-8")
        if ": ..." in written:
            value = f': "{VALUES[change.name]}"'
            path.write_text(written.replace(": ...", value), "utf-8")
    write_lock(folder / "alembic" / "revisions.lock", read_revisions(project.versions))
    return project


async def measure(project: Project, change: Change, url: str, rows: int) -> bool:
    """Apply the revisions under load and print the latencies; whether they are within bounds."""
    revisions = read_revisions(project.versions)[1:]
    sources = [path.read_text("utf-8") for path in sorted(project.versions.glob("*.py"))[1:]]
    done: set[str] = set()
    async with requests(url, rows) as clients:
        released = False
        for revision in revisions:
            for name in sorted({*revision.requires_backfill} - done):
                done.add(name)
                command = ("-c", SUREFOOT, "backfill", "run", name, "--execute")
                await asyncio.to_thread(runs, project, url, *command)
            if revision.phase == "contract" and not released:
                released = True
                clients.orders = RENAMED.get(change.name, "orders")
                await asyncio.sleep(WARM_UP_S)
            await asyncio.to_thread(works, project, url, "upgrade", revision.id)
    stall_s, rewrites = (
        max(clients.latencies_s),
        any(WINDOW in " ".join(s.split()) for s in sources),
    )
    met = not clients.failures and (rewrites or stall_s <= Limits.lock_timeout_s + SLACK_S)
    print(
        f"{change.name:<28}{len(revisions):>10}{len(clients.latencies_s):>10,}"
        f"{len(clients.failures):>8}{stall_s:>13.3f} s{'  rewrites a table' if rewrites else ''}"
        f"{'' if met else '  MISSED'}",
        flush=True,
    )
    for failure in sorted({*clients.failures})[:3]:
        print(f"  {failure}")
    return met


@asynccontextmanager
async def requests(url: str, rows: int) -> AsyncIterator[Clients]:
    """Clients that ask while the block lasts, and have asked for a while before."""
    clients = Clients()
    tasks = [
        asyncio.create_task(clients.run(url, rows, writes=writes))
        for writes in (False, True)
        for _ in range(CLIENTS)
    ]
    await asyncio.sleep(WARM_UP_S)
    clients.latencies_s.clear()
    try:
        yield clients
    finally:
        clients.stopping = True
        await asyncio.gather(*tasks)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def works(project: Project, url: str, *arguments: str) -> None:
    """An Alembic command that works."""
    runs(project, url, "-m", "alembic", *arguments)


def runs(project: Project, url: str, *arguments: str) -> None:
    """A process that works."""
    took = project.python(*arguments, url=url)
    if took.code:
        raise SystemExit(f"{' '.join(arguments)} failed with {took.code}:\n{took.said}")


if __name__ == "__main__":
    sys.exit(main())
