"""Upgrades called from a loop that runs already, which goes on meanwhile."""

import asyncio
import os
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg
import pytest
from starlette.applications import Starlette

from harness.databases import Database, engine
from harness.runs import Chain
from harness.server import LIBRARY, SAMPLE
from surefoot.errors import AutocommitRefused, ConfigurationInvalid
from surefoot.run.commands import upgrade
from surefoot.run.locks import mutex
from surefoot.target import Target

LONGEST_PAUSE_S = 0.05
HELD_S = 1.5
# The interval in which a thread gives way to another one; a thread that is later waits for a core.
LATE_S = 0.005
IMPORTABLE = [str(LIBRARY / folder) for folder in ("src", "tests")]


@dataclass
class Pulse:
    """When something that wanted to go on every millisecond was kept from it, and how long."""

    pauses: list[tuple[float, float]] = field(default_factory=list)

    def longest_s(self, machine: "Pulse") -> float:
        """The longest pause, without what the whole machine was busy with something else."""
        return max(
            end - begin - sum(max(0.0, min(end, b) - max(begin, a)) for a, b in machine.pauses)
            for begin, end in self.pauses
        )


@asynccontextmanager
async def beating() -> AsyncIterator[tuple[Pulse, Pulse]]:
    """A task of the loop, and a thread beside it, that beat during the block."""
    loop, machine, over = Pulse(), Pulse(), threading.Event()

    async def beat() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            loop.pauses.append((begin, time.perf_counter()))

    def tick() -> None:
        while not over.is_set():
            begin = time.perf_counter()
            time.sleep(0.001)
            if (end := time.perf_counter()) - begin > LATE_S:
                machine.pauses.append((begin, end))

    thread = threading.Thread(target=tick)
    thread.start()
    task = asyncio.create_task(beat())
    try:
        yield loop, machine
    finally:
        over.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        thread.join()


@pytest.fixture
def small(chain: Chain) -> Chain:
    """A chain of one revision."""
    chain.add("op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))")
    return chain


@pytest.fixture
async def held(watcher: asyncpg.Connection) -> asyncpg.Connection:
    """The mutex in somebody else's hands."""
    await watcher.execute(f"SELECT pg_advisory_lock({mutex.key()})")
    return watcher


@pytest.mark.slow
async def test_waiting_for_the_mutex_leaves_the_loop_free(
    small: Chain, empty_database: Database, held: asyncpg.Connection
) -> None:
    """While an upgrade waits, no other task is kept waiting for more than 50 ms."""
    async with engine(empty_database.access, "migrate") as made:
        waiting = asyncio.create_task(upgrade(Target.of(made, small.ini)))
        await asyncio.sleep(0.5)  # connected, and waiting
        async with beating() as (loop, machine):
            await asyncio.sleep(HELD_S)
        assert not waiting.done()
        await held.execute("SELECT pg_advisory_unlock_all()")
        report = await asyncio.wait_for(waiting, 10)
    assert [step.revision for step in report.steps] == ["0001"]
    assert len(loop.pauses) > HELD_S / LONGEST_PAUSE_S
    assert loop.longest_s(machine) <= LONGEST_PAUSE_S


async def test_a_lifespan_can_upgrade(small: Chain, empty_database: Database) -> None:
    """A Starlette application serves when the upgrade is done."""

    @asynccontextmanager
    async def lifespan(service: Starlette) -> AsyncIterator[None]:
        async with engine(empty_database.access, "migrate") as made:
            service.state.report = await upgrade(Target.of(made, small.ini))
        yield

    service = Starlette(lifespan=lifespan)
    async with service.router.lifespan_context(service):
        assert service.state.report.after == ("0001",)


async def test_a_test_of_pytest_asyncio_can_upgrade(
    small: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """In a task of the test's own loop, twice."""
    async with engine(empty_database.access, "migrate") as made:
        first = await upgrade(Target.of(made, small.ini))
        second = await upgrade(Target.of(made, small.ini))
    assert (len(first.steps), len(second.steps)) == (1, 0)
    assert await watcher.fetchval("SELECT to_regclass('t') IS NOT NULL")


async def test_upgrades_do_not_fill_the_path_of_modules(
    small: Chain, empty_database: Database
) -> None:
    """Alembic puts the same folder in front at each, also where it is there."""
    async with engine(empty_database.access, "migrate") as made:
        await upgrade(Target.of(made, small.ini))
        before = [*sys.path]
        await upgrade(Target.of(made, small.ini))
    assert sys.path == before
    assert str(small.folder) in before


async def test_a_listener_that_nothing_awaits_is_refused(
    small: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """It had heard of no event."""

    async def listen(_event: object) -> None:
        """Would be called, and not run."""

    async with engine(empty_database.access, "migrate") as made:
        with pytest.raises(ConfigurationInvalid, match="listen cannot be used: it is an async"):
            await upgrade(Target.of(made, small.ini), listen=listen)  # type: ignore[arg-type]
    assert await watcher.fetchval("SELECT to_regclass('t') IS NULL")


async def test_an_engine_in_autocommit_is_refused(
    small: Chain, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its revisions were blamed for committing by themselves, and the ledger had a failed one."""
    async with engine(empty_database.access, "migrate") as made:
        target = Target.of(made.execution_options(isolation_level="AUTOCOMMIT"), small.ini)
        with pytest.raises(AutocommitRefused) as refused:
            await upgrade(target)
        assert refused.value.exit_code == 3
        assert refused.value.render() == (
            f"REFUSED [autocommit]  the connection to '{empty_database.name}' is in AUTOCOMMIT: "
            "a part of a failed revision would stay\n"
            '  help: connect with `Database(…).engine("migrate")`, or without '
            'isolation_level="AUTOCOMMIT"'
        )
        assert await watcher.fetchval("SELECT to_regclass('alembic_version') IS NULL")
        report = await upgrade(Target.of(made, small.ini))
    assert report.after == ("0001",)


UVLOOP = """
import asyncio, sys
from pathlib import Path
import uvloop
from harness.environment import database
from surefoot.errors import AutocommitRefused
from surefoot.run.commands import upgrade
from surefoot.target import Target

async def main():
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    engine = database().engine("migrate")
    target = Target.of(engine, Path(sys.argv[1]))
    reports = await asyncio.gather(*(upgrade(target) for _ in range(4)))
    await engine.dispose()
    print(sorted(len(report.steps) for report in reports))

uvloop.run(main())
"""


@pytest.mark.slow
async def test_uvloop_can_upgrade(small: Chain, empty_database: Database) -> None:
    """Four upgrades of one database under uvloop: one applies."""
    pytest.importorskip("uvloop", reason="uvloop is not installed")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(UVLOOP), str(small.ini)),
        cwd=SAMPLE,
        env={"DATABASE_URL": empty_database.url, "PYTHONPATH": os.pathsep.join(IMPORTABLE)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode(), err.decode()) == (0, "[0, 0, 0, 1]\n", "")
