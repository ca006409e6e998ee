"""A backfill is killed while others write the same rows, and goes on where it was."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.backfills import Filling
from harness.databases import Database, Databases, connect, execute
from harness.forks import Result
from harness.points import passed
from harness.private import PrivateServer
from harness.proxy import Network
from harness.runs import Chain, Launcher, Points, Run
from harness.states import wait_until
from harness.writers import TABLE, Writers
from surefoot.backfill.state import State
from surefoot.project import Project

ROWS, SAMPLE = 2000, 2
MANY_ROWS, MANY_POINTS = 500_000, 200
# A commit has to survive a crash of the server.
KEEPS = {"synchronous_commit": "on"}
SESSIONS = "pg_stat_activity WHERE application_name LIKE '%backfill%'"
BODY = """
after = "0001"
table = "files"
todo = "wide IS NULL"
batch_rows = ({0}, {1})
"""
SQL = BODY + 'sets = {{"wide": "size", "times": "times + 1"}}\n'
PYTHON = (
    BODY
    + """
reads = ("size", "times")
writes = ("wide", "times")
rows_per_call = 20
concurrency = 4

async def fill(self, rows):
    await asyncio.sleep(0)
    return [{{"wide": row["size"], "times": row["times"] + 1}} for row in rows]
"""
)
WAYS = {"sql": SQL, "python": PYTHON}


@dataclass(frozen=True)
class Case:
    """A table with a backfill, to be copied for each kill."""

    chain: Chain
    launcher: Launcher
    rows: int

    @staticmethod
    async def make(
        folder: Path, launcher: Launcher, database: Database, way: str, rows: int, most: int
    ) -> Case:
        """The table with its rows, in a database to which nobody is connected."""
        chain = Chain(folder / "chain")
        chain.add(TABLE)
        made = await launcher.alembic(chain, "upgrade", "head", url=database.url)
        assert made.code == 0, made.err
        fill = f"SELECT n, n % 1000 FROM generate_series(0, {rows - 1}) n"
        connection = await connect(database.url)
        await connection.execute(f"INSERT INTO files (id, size) {fill}")
        await connection.execute("VACUUM ANALYZE files")
        Filling(chain, database, connection).write("wide", WAYS[way].format(most // 5, most))
        await connection.close()
        return Case(chain, launcher, rows)

    async def start(self, url: str, workers: int, points: Points | None = None) -> Run:
        """A process that runs the backfill."""
        return await self.launcher.start(
            self.chain,
            *("backfill", "run", "wide", "--execute", "--workers", str(workers)),
            url=url,
            points=points,
            program="surefoot",
        )

    async def end(self, url: str, workers: int) -> Result:
        """Run it to its end."""
        result = await (await self.start(url, workers)).end()
        assert result.code == 0, result.err
        return result

    async def check(self, url: str, writers: Writers) -> None:
        """Let it reach its end without writers, and look at every row.

        On failure: AssertionError.
        """
        await self.end(url, 1)
        connection = await connect(url)
        try:
            wrong = "SELECT count(*) FROM files WHERE times <> 1 OR wide IS DISTINCT FROM size"
            assert await connection.fetchval(wrong) == 0
            await writers.check(connection)
            project = Project.read(self.chain.ini)
            progress = await State(connection, project.version_table, "wide").read()
            assert progress is not None
            rows = await connection.fetchval("SELECT sum(times) FROM files")
            if not writers.unknown:
                # Each change is counted once, so no batch was repeated.
                assert progress.changed == rows + writers.times_of_deleted - writers.inserted
            versions = (
                "SELECT md5(string_agg(id || '.' || xmin || ctid, ',' ORDER BY id)) FROM files"
            )
            before = await connection.fetchval(versions)
            await self.end(url, 2)
            assert await connection.fetchval(versions) == before
        finally:
            await connection.close()

    async def kill_at(
        self, point: int, database: Database, chance: random.Random, processes: int, workers: int
    ) -> str:
        """Kill a process at a point, go on with another number of workers; the point's place."""
        url = database.url
        async with Writers(url, self.rows, chance.randrange(1 << 30)).at_work() as writers:
            # Between batches, or so long after a message that the server is at work on it.
            after_s = chance.choice([0, 0, chance.uniform(0, 0.03)])
            points = Points(point, messages=True, after_s=after_s)
            runs = [await self.start(url, workers, points)]
            runs += [await self.start(url, workers) for _ in range(processes - 1)]
            killed, *others = [await run.end() for run in runs]
            places = passed(runs[0].log)
            was_killed = killed.code == -signal.SIGKILL
            assert was_killed or killed.code == 0, killed.err
            assert all(other.code == 0 for other in others), others
            await self.end(url, chance.choice([1, 2, 3]))
        await self.check(url, writers)
        return (
            f"{'killed' if was_killed else 'ended'} at {point} of {len(places)} ({after_s:.3f} s)"
        )


def kill_points(case_points: int, count: int, chance: random.Random) -> Sequence[int]:
    """Points behind the connection of the first session."""
    return [chance.randrange(5, case_points) for _ in range(count)]


async def undisturbed(case: Case, databases: Databases, like: Database, workers: int) -> int:
    """The number of points of a run to its end."""
    database = await databases.copy(like)
    run = await case.start(database.url, workers, Points(0, messages=True))
    result = await run.end()
    assert result.code == 0, result.err
    await databases.drop(database)
    return len(passed(run.log))


async def kill_often(
    case: Case, databases: Databases, like: Database, *, count: int, processes: int, workers: int
) -> None:
    """Kill it at a seeded sample of points, each on a copy of the table."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    last = await undisturbed(case, databases, like, workers)
    for point in kill_points(last, count, chance):
        database = await databases.copy(like)
        try:
            print(await case.kill_at(point, database, chance, processes, workers))
        except AssertionError as error:
            databases.keep(database)
            raise AssertionError(f"killed at {point}, then: {error}") from error
        await databases.drop(database)


@pytest.mark.parametrize(
    ("way", "processes", "workers", "count"),
    [
        ("sql", 1, 1, SAMPLE),
        *(
            pytest.param(way, processes, workers, MANY_POINTS // 4, marks=pytest.mark.slow)
            for way in WAYS
            for processes, workers in ((1, 1), (2, 2))
        ),
    ],
)
async def test_a_backfill_is_killed_and_goes_on(
    tmp_path: Path,
    launcher: Launcher,
    databases: Databases,
    empty_database: Database,
    way: str,
    processes: int,
    workers: int,
    count: int,
) -> None:
    """Between two batches, in one, and in its commit: each row is changed once."""
    case = await Case.make(tmp_path, launcher, empty_database, way, ROWS, 250)
    await kill_often(
        case, databases, empty_database, count=count, processes=processes, workers=workers
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_a_large_one_is_killed_again_and_again(
    tmp_path: Path, launcher: Launcher, databases: Databases, empty_database: Database, way: str
) -> None:
    """Many kills of one run over a large table, with 1 to 4 workers by turns.

    After 200 kills it goes on to its end: the look at all rows of a very large table takes longer
    than a process lives here.
    """
    rows = int(os.environ.get("SUREFOOT_TEST_BACKFILL_ROWS", MANY_ROWS))
    case = await Case.make(tmp_path, launcher, empty_database, way, rows, rows // 50)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, url, killed = random.Random(seed), empty_database.url, 0
    async with Writers(url, rows, seed).at_work() as writers:
        while True:
            # Before the first batch there are about 100.
            points = Points(
                chance.randrange(80, 300), messages=True, after_s=chance.uniform(0, 0.1)
            )
            workers = chance.choice([1, 2, 4])
            run = await case.start(url, workers, points if killed < MANY_POINTS else None)
            result = await run.end()
            if result.code == 0:
                break
            assert result.code == -signal.SIGKILL, result.err
            killed += 1
    print(f"killed {killed} times")
    assert killed > 3
    await case.check(url, writers)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sql", pytest.param("python", marks=pytest.mark.slow)])
async def test_the_server_crashes(
    tmp_path: Path, launcher: Launcher, private_server: PrivateServer, way: str
) -> None:
    """A crash of one of its sessions takes the server through its recovery; the run goes on."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, server = random.Random(seed), private_server(**KEEPS)
    await execute(server.url("postgres"), "CREATE DATABASE crashing TEMPLATE template0")
    database = Database("crashing", server.url("crashing"))
    case = await Case.make(tmp_path, launcher, database, way, ROWS, 50)
    async with Writers(database.url, ROWS, seed).at_work() as writers:
        run = await case.start(database.url, 2)
        watcher = await connect(database.url)
        some = f"SELECT count(*) >= {chance.randrange(1, ROWS // 2)} FROM files WHERE times = 1"
        await wait_until(watcher, some)
        pids = await watcher.fetch(f"SELECT pid FROM {SESSIONS}")
        await watcher.close()
        assert pids
        os.kill(chance.choice(pids)[0], signal.SIGKILL)
        result = await run.end()
        assert result.code == 0, result.err
    await case.check(database.url, writers)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_its_network_goes_dead(
    tmp_path: Path, launcher: Launcher, databases: Databases, empty_database: Database, way: str
) -> None:
    """SIGTERM ends the client, the server its sessions, and another run goes on."""
    case = await Case.make(tmp_path, launcher, empty_database, way, ROWS, 50)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, url = random.Random(seed), empty_database.url
    async with Writers(url, ROWS, seed).at_work() as writers:
        async with Network(url).up() as network:
            run = await case.start(network.url, 2)
            watcher = await connect(url)
            some = f"SELECT count(*) >= {chance.randrange(1, ROWS // 2)} FROM files WHERE times = 1"
            await wait_until(watcher, some)
            network.cut()
            await asyncio.sleep(0.2)
            run.signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            run.signal(signal.SIGTERM)
            result = await run.end(timeout_s=10)
            assert result.code == 143, result.err
            assert "Traceback" not in result.err
        await wait_until(watcher, f"SELECT count(*) = 0 FROM {SESSIONS}")
        await watcher.close()
        await case.end(url, 3)
    await case.check(url, writers)
