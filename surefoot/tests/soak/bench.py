"""The bench: servers, databases and chains that cases are run on.

A Group is one chain with the states of its undisturbed runs; GROUP_CASES cases share it, so that
what does not depend on the fault is done once. A case is its seed: the chain is of the seed's
group, and command and fault are of the seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import asyncpg

from harness.databases import Database, Databases, connect, engine
from harness.points import passed
from harness.runs import Chain, Launcher, Points
from harness.server import Server
from harness.states import State, state_of
from soak.checks import Journey, check_end, check_result
from soak.generator import Step, build
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.embedded import EmbeddedServer, Running
from surefoot.errors import ServerStartFailed
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target

GROUP_CASES = 32
# The folder, in a worker's, of the server that is killed again and again.
CRASHING = "crashing"
READY_WITHIN_S = 30.0
CRASHES_WITHIN_S = 3.0


@dataclass
class Bench:
    """The servers and folders of one worker."""

    databases: Databases
    launcher: Launcher
    folder: Path
    crashing: CrashingServer
    # Databases are made and dropped through one connection.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def copy(self, of: Database | None) -> AsyncIterator[Database]:
        """A database of a case's own, with what another holds."""
        async with self.lock:
            made = await (self.databases.copy(of) if of else self.databases.empty())
        try:
            yield made
        finally:
            async with self.lock:
                await self.databases.drop(made)


@dataclass
class Group:
    """One chain, the databases that its runs begin with, and what the runs come to."""

    chain: Chain
    steps: Sequence[Step]
    journeys: list[Journey] = field(default_factory=list)
    starts: dict[int, Database] = field(default_factory=dict)
    # Of the schema after so many revisions.
    fingerprints: list[str] = field(default_factory=list)

    @classmethod
    async def make(cls, bench: Bench, number: int) -> Group:
        """Generate a chain, and run it without a fault. On failure: Wrong."""
        rng = Random(f"group {number}")
        folder = bench.folder / f"chain-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        chain = Chain(folder)
        group = cls(chain, build(chain, rng))
        pairs = _pairs(group.steps, rng)
        try:
            up = await group._walk_up(bench, {start for start, _ in pairs})
            group.fingerprints = [state.catalog.fingerprint() for state in up.values()]
            group._lock()
            down = {
                start: await group._walk_down(bench, start, min(e for s, e in pairs if s == start))
                for start in {start for start, end in pairs if end < start}
            }
            for start, end in pairs:
                expected = up if start < end else down[start]
                journey = Journey(start, end, group.steps, expected)
                group.journeys.append(await group._count(bench, journey))
        except BaseException:
            await group.drop(bench, keep_files=True)
            raise
        return group

    async def drop(self, bench: Bench, *, keep_files: bool = False) -> None:
        """Its databases are no longer needed, nor are its files."""
        async with bench.lock:
            for database in self.starts.values():
                await bench.databases.drop(database)
        if not keep_files:
            shutil.rmtree(self.chain.folder, ignore_errors=True)

    def _lock(self) -> None:
        """Write the lock as `surefoot lock` does, with the fingerprints that a stamp asks for."""
        revisions = read_revisions(self.chain.versions)
        taken = zip(revisions, self.fingerprints[1:], strict=True)
        write_lock(self.chain.lock_path, [replace(one, fingerprint=of) for one, of in taken])

    async def _walk_up(self, bench: Bench, starts: set[int]) -> dict[tuple[str, ...], State]:
        async with bench.copy(None) as walked:
            found: dict[tuple[str, ...], State] = {(): await state_of(walked)}
            async with engine(walked.access, "migrate") as opened:
                for number, step in enumerate(self.steps, 1):
                    await upgrade(Target.of(opened, self.chain.ini), step.id)
                    found[step.id,] = await state_of(walked)
                    if number in starts:
                        async with bench.lock:
                            self.starts[number] = await bench.databases.copy(walked)
        return found

    async def _walk_down(self, bench: Bench, start: int, end: int) -> dict[tuple[str, ...], State]:
        """The way down is one of its own: what a revision dropped comes back without its rows."""
        async with bench.copy(self.starts[start]) as walked:
            before = (self.steps[start - 1].id,)
            found: dict[tuple[str, ...], State] = {before: await state_of(walked)}
            async with engine(walked.access, "migrate") as opened:
                for number in range(start - 1, end - 1, -1):
                    heads = (self.steps[number - 1].id,) if number else ()
                    target = heads[0] if heads else "base"
                    await downgrade(Target.of(opened, self.chain.ini), target)
                    found[heads] = await state_of(walked)
        return found

    async def _count(self, bench: Bench, journey: Journey) -> Journey:
        """The points that an undisturbed run comes to."""
        async with bench.copy(self.starts.get(journey.start)) as database:
            run = await bench.launcher.start(
                self.chain, *journey.command, url=database.url, points=Points(0)
            )
            check_result(await run.end(), [0], journey)
            await check_end(await state_of(database), journey, database)
        return Journey(journey.start, journey.end, self.steps, journey.expected, passed(run.log))


def _pairs(steps: Sequence[Step], rng: Random) -> list[tuple[int, int]]:
    """Where the commands of a group begin and end."""
    count = len(steps)
    start = rng.randrange(count)
    low, high = sorted(rng.sample(range(count + 1), 2))
    pairs = [(0, count), (start, count), (count, rng.randrange(count)), (low, high)]
    outside = [number for number, step in enumerate(steps) if step.up_outside]
    if outside:
        number = rng.choice(outside)
        pairs += [(number, min(number + 2, count)), (number + 1, max(number - 1, 0))]
    # The same one again would only be run undisturbed again.
    return list(dict.fromkeys(pairs))


class CrashingServer:
    """A server that is killed and started again, on which one case runs at a time."""

    def __init__(self, folder: Path, major: int) -> None:
        self._embedded = EmbeddedServer(
            folder,
            major=major,
            durable=False,
            database="postgres",
            # A commit that was answered is one that a crash does not undo.
            options={"synchronous_commit": "on", "max_wal_size": "256MB"},
        )
        self._running: Running | None = None
        self._use = contextlib.ExitStack()
        self.lock = asyncio.Lock()

    @property
    def postmaster_pid(self) -> int:
        assert self._running is not None
        return self._running.state.postgres_pid

    @asynccontextmanager
    async def crashes(self) -> AsyncIterator[None]:
        """The block may crash it; after the block it is up again."""
        assert self._running is not None
        canary = await connect(self._running.url("postgres"))
        yield
        # One process is dead; what the others' death takes is up to the postmaster.
        until_s = time.monotonic() + CRASHES_WITHIN_S
        while not canary.is_closed() and time.monotonic() < until_s:
            await asyncio.sleep(0.01)
        if canary.is_closed():
            await self.ready()
        else:
            await canary.close()

    async def ready(self) -> None:
        """Start it where it does not run, and wait until it lets connections in."""
        use = contextlib.ExitStack()
        self._running = await asyncio.to_thread(use.enter_context, self._embedded.use())
        self._use.close()
        self._use = use
        until_s = time.monotonic() + READY_WITHIN_S
        while not await self._lets_in() and time.monotonic() < until_s:
            await asyncio.sleep(0.02)

    async def _lets_in(self) -> bool:
        assert self._running is not None
        try:
            connection = await connect(self._running.url("postgres"))
            await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """An empty database for a case."""
        await self.ready()
        assert self._running is not None
        server = Server(self._running.url("postgres"), self._embedded)
        admin = await connect(server.url)
        made = await Databases(server, admin, f"soak_{uuid.uuid4().hex[:8]}").empty()
        await admin.close()
        try:
            yield made
        finally:
            admin = await connect(server.url)
            await Databases(server, admin, "").drop(made)
            await admin.close()

    def stop(self) -> None:
        """End it for good."""
        self._use.close()
        with contextlib.suppress(ServerStartFailed):
            self._embedded.stop(now=True)
