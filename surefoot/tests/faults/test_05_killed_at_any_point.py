"""The client is killed before and after every statement and every commit."""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.chains import long, short
from harness.databases import Database, Databases, engine, occupy
from harness.points import passed
from harness.runs import Chain, Launcher, Points
from harness.states import State, check_finished, check_left, gone, state_of, states, wait_until
from surefoot.ledger.table import unfinished
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target

AT_ONCE = 3
SAMPLE = 5
Expected = Mapping[tuple[str, ...], State]


def project(chain: Chain) -> set[str]:
    """The project's own revisions."""
    assert len(chain.ids) > 5
    return set()


@dataclass(frozen=True)
class Case:
    """A command on a chain, and the states that its database may be found in."""

    chain: Chain
    launcher: Launcher
    databases: Databases
    expected: Expected
    outside: set[str]
    down: bool = False
    # Whether the database is empty, where revisions share a transaction.
    is_new: bool = False

    @property
    def command(self) -> tuple[str, str]:
        return ("downgrade", "base") if self.down else ("upgrade", "head")

    async def database(self) -> Database:
        """One on which the command has everything to do."""
        made = await self.databases.empty()
        if not self.is_new:
            await occupy(made)
        if self.down:
            async with engine(made.access, "migrate") as opened:
                await upgrade(Target.of(opened, self.chain.ini))
        return made

    async def points(self) -> list[int]:
        """The points that an undisturbed run comes to, one for each that the server can tell apart.

        After a statement is before the next one: nothing reaches the server in between.
        """
        database = await self.database()
        run = await self.launcher.start(
            self.chain, *self.command, url=database.url, points=Points(0)
        )
        result = await run.end()
        assert result.code == 0, result.err
        await self.databases.drop(database)
        last = len(passed(run.log))
        return [n for n, p in enumerate(passed(run.log), 1) if " before " in p or n == last]

    async def kill_at(self, point: int, database: Database) -> None:
        """Kill a run at a point, look, and let the same command finish."""
        url = database.url
        run = await self.launcher.start(self.chain, *self.command, url=url, points=Points(point))
        result = await run.end()
        # The observer looks at statements that take long, which is another number of points.
        code = -signal.SIGKILL if point <= len(passed(run.log)) else 0
        assert result.code == code, result.err
        await gone(database)
        try:
            check_left(await state_of(database), self.expected, self.outside)
            again = await self.launcher.alembic(self.chain, *self.command, url=url)
            assert again.code == 0, again.err
            ids = [] if self.down else self.chain.ids
            end = () if self.down else (ids[-1],)
            check_finished(await state_of(database), self.expected[end], ids)
        except AssertionError as error:
            raise AssertionError(f"killed at {passed(run.log)[-1]}, then: {error}") from error

    async def kill_at_all(self, points: Sequence[int]) -> None:
        """Each on a database of its own, some at once."""
        for first in range(0, len(points), AT_ONCE):
            batch = {p: await self.database() for p in points[first : first + AT_ONCE]}
            await asyncio.gather(*(self.kill_at(*item) for item in batch.items()))
            for database in batch.values():
                await self.databases.drop(database)


@pytest.mark.slow
async def test_a_run_is_killed_at_some_points_and_finished(
    chain: Chain, launcher: Launcher, databases: Databases, empty_database: Database
) -> None:
    """A sample of the points of a short chain, for every day."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    outside = short(chain)
    expected = await states(chain, empty_database)
    case = Case(chain, launcher, databases, expected, outside)
    await case.kill_at_all(random.Random(seed).sample(await case.points(), SAMPLE))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "up from nothing", "down"])
@pytest.mark.parametrize("build", [long, project])
async def test_a_run_is_killed_at_every_point_and_finished(
    tmp_path: Path,
    launcher: Launcher,
    databases: Databases,
    empty_database: Database,
    build: Callable[[Chain], set[str]],
    way: str,
) -> None:
    """Before or after a revision each time, and the same in the end as without a kill."""
    down, is_new = way == "down", way == "up from nothing"
    chain = Chain(tmp_path / "chain", of_project=build is project)
    outside = build(chain)
    expected = await states(chain, empty_database)
    if down:
        # Not the same as on the way up where a downgrade cannot give everything back.
        async with engine(empty_database.access, "migrate") as opened:
            for identifier in reversed(chain.ids):
                await downgrade(Target.of(opened, chain.ini), "-1")
                state = await state_of(empty_database)
                assert state.differs(expected[state.heads]) == "", f"down {identifier}"
    case = Case(chain, launcher, databases, expected, outside, down, is_new)
    points = await case.points()
    print(f"{len(points)} points")
    assert len(points) > (1 if is_new else 3) * len(chain.ids)
    await case.kill_at_all(points)


WAITING = {
    "create": ("op.create_index_concurrently('t_n', 't', ['n'])", "INSERT INTO t VALUES (8, 8)"),
    "drop": ("op.drop_index_concurrently('t_id')", "SELECT FROM t"),
    "reindex": ("op.reindex_concurrently('t_id')", "INSERT INTO t VALUES (8, 8)"),
    "detach": ("op.detach_partition_concurrently('p', 'p_1')", "SELECT FROM p"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("step", "statement"), WAITING.values(), ids=WAITING)
async def test_a_step_that_was_killed_in_the_middle_converges(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    step: str,
    statement: str,
) -> None:
    """Killed while it waits for a transaction, with half of it in the catalog."""
    chain.add(
        """
        op.execute("CREATE TABLE t (id int, n int)")
        op.execute("CREATE INDEX t_id ON t (id)")
        op.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
        op.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (1) TO (9)")
        """
    )
    outside = {chain.add(step)}
    expected = await states(chain, empty_database)
    async with engine(empty_database.access, "migrate") as opened:
        await upgrade_again(opened, chain, watcher)
    url = empty_database.url
    await blocker.execute(f"BEGIN; {statement}")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    await wait_until(
        watcher,
        f"SELECT {blocker.get_server_pid()} = ANY (pg_blocking_pids(pid)) FROM pg_stat_activity "
        "WHERE application_name LIKE '%migrate%' AND wait_event_type = 'Lock'",
    )
    run.signal(signal.SIGKILL)
    assert (await run.end()).code == -signal.SIGKILL
    await gone(empty_database)
    await blocker.execute("ROLLBACK")
    left = await state_of(empty_database)
    begun = unfinished(left.ledger)
    assert begun is not None
    assert begun.revision == "0002"
    check_left(left, expected, outside)
    again = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert again.code == 0, again.err
    check_finished(await state_of(empty_database), expected["0002",], chain.ids)


async def upgrade_again(opened: AsyncEngine, chain: Chain, watcher: asyncpg.Connection) -> None:
    """The same database anew, at the first revision."""
    await watcher.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await upgrade(Target.of(opened, chain.ini), "0001")
