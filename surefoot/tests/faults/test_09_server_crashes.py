"""PostgreSQL crashes in the middle of a revision, and recovers."""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from harness.chains import short
from harness.databases import Database, connect, execute, occupy
from harness.points import passed
from harness.private import PrivateServer
from harness.runs import Chain, Launcher, Points
from harness.states import check_finished, check_left, state_of, states, wait_until
from surefoot.embedded import Running

SAMPLE = 1
# A commit has to survive a crash of the server; a crash of the machine is not tested.
KEEPS = {"synchronous_commit": "on"}


async def up_again(url: str) -> None:
    """Wait until the server lets us in."""
    for _ in range(500):
        try:
            connection = await connect(url)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.02)
            continue
        await connection.close()
        return
    raise AssertionError("the server did not come back")


@dataclass(frozen=True)
class Crashing:
    """A chain on a server that is brought down."""

    chain: Chain
    launcher: Launcher
    server: Running

    async def empty(self, name: str) -> Database:
        await up_again(self.server.url("postgres"))
        await execute(self.server.url("postgres"), f"CREATE DATABASE {name} TEMPLATE template0")
        return Database(name, self.server.url(name))

    async def points(self) -> list[int]:
        """The points of an undisturbed run, one for each that the server can tell apart."""
        database = await self.empty("undisturbed")
        run = await self.launcher.start(
            self.chain, "upgrade", "head", url=database.url, points=Points(0)
        )
        result = await run.end()
        assert result.code == 0, result.err
        return [n for n, place in enumerate(passed(run.log), 1) if " before " in place]

    async def crash_at(self, points: Sequence[int], outside: set[str]) -> None:
        """The same command finishes after a crash at each of the points."""
        expected = await states(self.chain, await self.empty("expected"))
        for point in points:
            database = await self.empty(f"at_{point}")
            run = await self.launcher.start(
                self.chain,
                *("upgrade", "head"),
                url=database.url,
                points=Points(point, backend=True),
            )
            result = await run.end(timeout_s=30)
            place = passed(run.log)[point - 1]
            assert result.code in (0, 75), f"crash at {place}: {result.err}"
            assert "Traceback" not in result.err
            await up_again(database.url)
            ids = self.chain.ids
            try:
                left = await state_of(database)
                check_left(left, expected, outside)
                if result.code == 0:  # only where everything was committed
                    check_finished(left, expected[ids[-1],], ids)
                again = await self.launcher.alembic(self.chain, "upgrade", "head", url=database.url)
                assert again.code == 0, again.err
                check_finished(await state_of(database), expected[ids[-1],], ids)
            except AssertionError as error:
                raise AssertionError(f"crash at {place}, then: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_a_crash_leaves_before_or_after(
    chain: Chain, launcher: Launcher, private_server: PrivateServer, every: bool
) -> None:
    """A crash of the session's process takes the whole server through its recovery."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    outside = short(chain)
    crashing = Crashing(chain, launcher, private_server(**KEEPS))
    points = await crashing.points()
    chosen = points if every else random.Random(seed).sample(points, SAMPLE)
    print(f"{len(chosen)} of {len(points)} points")
    await crashing.crash_at(chosen, outside)


@pytest.mark.slow
async def test_a_server_that_stays_away_is_said_to(
    chain: Chain, launcher: Launcher, private_server: PrivateServer
) -> None:
    """Its main process is brought down in the middle of a statement, and nobody starts it."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.execute('CREATE TABLE half (id int)')\nop.execute('SELECT pg_sleep(60)')")
    server = private_server(**KEEPS)
    database = await Crashing(chain, launcher, server).empty("killed")
    await occupy(database)
    run = await launcher.start(chain, "upgrade", "head", url=database.url)
    connection = await connect(database.url)
    await wait_until(
        connection,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
    )
    os.kill(server.state.postgres_pid, signal.SIGQUIT)
    result = await run.end(timeout_s=10)
    assert result.code == 75, result.err
    assert "ERROR [connection-lost]  the connection was lost in 0002: " in result.err
    assert "  done: 0001\n  kept of 0002: nothing\n" in result.err
    away = await launcher.alembic(chain, "upgrade", "head", url=database.url)
    assert away.code == 75, away.err
    assert "ERROR [database-unreachable]  " in away.err
