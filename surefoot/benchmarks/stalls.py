"""Runs a command while others read and write, and says how long it made them wait.

    python benchmarks/stalls.py alembic upgrade head
    python benchmarks/stalls.py --fill 2000000         rows in the table `files`, before

    files <-- 4 clients that read a row, 4 that write one, over and over
          <-- the command, whose output and exit code are this program's

A stall is the latency of one request. The database is the one that the database name, and the
clients do not know what the command does.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from app.db.engine import migration_database
from surefoot import Database

CLIENTS = 4
# Between two requests of a client: the machine is to be busy, not full.
PAUSE_S = 0.01
WARM_UP_S = 1.0
READ = "SELECT path, size_bytes, media_type FROM files WHERE volume_id = 1 AND id = $1"
WRITE = "UPDATE files SET last_seen_at = now() WHERE volume_id = 1 AND id = $1"
FILL = """
INSERT INTO files (volume_id, path, size_bytes, modified_at, mode, media_type)
SELECT 1, 'photos/' || n || '.jpg', n, now(), 420, 'image/jpeg' FROM generate_series(1, $1) n
"""


@dataclass
class Clients:
    """Those who ask one thing, until they are stopped."""

    statement: str
    latencies_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    async def run(self, database: Database, rows: int) -> None:
        """One client; a request that fails is counted, and the next is sent."""
        connection = await connect(database)
        while not self.stopping:
            began_s = time.monotonic()
            try:
                await connection.fetch(self.statement, random.randint(1, rows))
            except asyncpg.PostgresError as error:
                self.failures.append(str(error))
            self.latencies_s.append(time.monotonic() - began_s)
            await asyncio.sleep(PAUSE_S)
        await connection.close()


async def connect(database: Database) -> asyncpg.Connection[asyncpg.Record]:
    return await database.connect("app")


async def fill(database: Database, rows: int) -> None:
    """A volume, and that many files in it."""
    connection = await connect(database)
    await connection.execute("INSERT INTO volumes (name, root) VALUES ('photos', '/photos')")
    await connection.execute(FILL.replace("$1", str(rows)))
    await connection.execute("VACUUM ANALYZE files")
    await connection.close()
    print(f"{rows:,} files")


async def run(database: Database, command: Sequence[str]) -> int:
    """The command under load. Returns its exit code."""
    connection = await connect(database)
    rows = await connection.fetchval("SELECT count(*) FROM files")
    await connection.close()
    readers, writers = Clients(READ), Clients(WRITE)
    tasks = [
        asyncio.create_task(clients.run(database, rows))
        for clients in (readers, writers)
        for _ in range(CLIENTS)
    ]
    await asyncio.sleep(WARM_UP_S)
    for clients in (readers, writers):
        clients.latencies_s.clear()
    process = await asyncio.create_subprocess_exec(*command)
    code = await process.wait()
    for clients in (readers, writers):
        clients.stopping = True
    await asyncio.gather(*tasks)
    for name, clients in (("reads", readers), ("writes", writers)):
        print(
            f"{name}: {len(clients.latencies_s)} answered, {len(clients.failures)} failed, "
            f"longest stall {max(clients.latencies_s):.2f} s"
        )
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fill", type=int, metavar="ROWS", help="put rows into the table first")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run under load")
    options = parser.parse_args()
    database = migration_database()
    if options.fill:
        asyncio.run(fill(database, options.fill))
    if not options.command:
        return 0
    sys.stdout.flush()
    return asyncio.run(run(database, options.command))


if __name__ == "__main__":
    raise SystemExit(main())
