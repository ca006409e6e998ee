"""A case: a command, a fault at a point of it, what it left, and the same command again.

Which command, which fault and where follow from the seed. A point is a statement or a commit, not
a time; only what waits for a lock, and what comes a few milliseconds after a point, depends on the
machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

import asyncpg

from harness.databases import Database, connect
from harness.proxy import Network
from harness.runs import Points, Result, Run
from harness.states import State, gone, state_of
from soak.bench import Bench, Group
from soak.checks import (
    Journey,
    Wrong,
    check_end,
    check_result,
    classify,
    died_when_done,
)
from soak.records import ledger_lost, offline, stamp_refused, stamped
from surefoot.errors import DatabaseUnreachable, LockBlocked, MutexHeld

SIGNALS: Mapping[int, int] = {signal.SIGTERM: 143, signal.SIGINT: 130}
# An error with words; which one depends on where the server ended the session.
ANY_ERROR = (1, 2, 3, 4, 75)
QUICK = {
    "SUREFOOT_TEST_LOCK_TIMEOUT_S": "0.1",
    "SUREFOOT_TEST_PATIENT_LOCK_TIMEOUT_S": "0.3",
}
SHORT = {**QUICK, "SUREFOOT_TEST_LOCK_BUDGET_S": "0.6"}
# The server ends a session that says nothing for so long.
IDLE = {"SUREFOOT_TEST_IDLE_IN_TRANSACTION_TIMEOUT_S": "0.4"}
OVER_IDLE_S = 0.6
STALLED_WITHIN_S = 5.0
MODES = ("ACCESS SHARE", "ROW EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE")
_STALLED = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE '%migrate%' AND wait_event_type = 'Lock'"
)


@dataclass
class Found:
    """The outcome of a case."""

    seed: int
    fault: str
    journey: str = ""
    states: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    seconds: float = 0.0
    wrong: str | None = None
    runs: list[str] = field(default_factory=list)


@dataclass
class Case:
    """A case under way."""

    bench: Bench
    group: Group
    journey: Journey
    rng: Random
    database: Database
    found: Found
    # Whether the first run is typed so: another one would begin elsewhere, and lead further.
    relative: bool = False

    async def start(self, *command: str, url: str = "", **options: object) -> Run:
        """The command of the journey, or another one."""
        first = self.journey.relative if self.relative and not self.found.runs else None
        words = command or first or self.journey.command
        run = await self.bench.launcher.start(
            self.group.chain, *words, url=url or self.database.url, **options
        )
        self.found.runs.append(str(run.output))
        return run

    async def end(self, run: Run, allowed: Sequence[int]) -> Result:
        result = await run.end(timeout_s=90)
        self.found.codes.append(result.code)
        check_result(result, allowed, self.journey)
        return result

    async def stops(self, run: Run, number: int, *also: int) -> None:
        """Wait for the end of a run that was told to stop, or had done its work before."""
        result = await run.end(timeout_s=90)
        self.found.codes.append(result.code)
        if not died_when_done(result, number):
            check_result(result, (SIGNALS[number], 0, *also), self.journey)

    def points(self, **options: object) -> Points:
        """One of the points by chance, or a moment after it."""
        after_s = self.rng.choice((0.0, 0.0, self.rng.uniform(0.0005, 0.02)))
        at = self.rng.randint(1, len(self.journey.points))
        return Points(at, after_s=after_s, **options)  # type: ignore[arg-type]  # passed on

    async def again(self) -> None:
        """The same command, and nothing happens to it."""
        await self.end(await self.start(), [0])
        await check_end(await self.state(), self.journey, self.database)

    async def state(self) -> State:
        """The present state of the database, when nobody works on it."""
        await gone(self.database)
        return await state_of(self.database)

    async def look(self) -> None:
        """Check the present state of the database, and note which one it is."""
        self.found.states.append(classify(await self.state(), self.journey))

    @asynccontextmanager
    async def blocker(self, statements: str) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that stands in the way for as long as the block, or until it is ended."""
        connection = await connect(self.database.url, "blocker")
        try:
            try:
                await connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {statements}")
            except asyncpg.UndefinedTableError:
                # A fault before this one came after a revision that drops or renames it.
                await connection.execute("ROLLBACK; BEGIN; SELECT 1")
            yield connection
        finally:
            await connection.close()

    async def stalled(self, run: Run) -> None:
        """Wait until the run waits for a lock, or has ended."""
        connection = await connect(self.database.url, "watcher")
        try:
            until_s = time.monotonic() + STALLED_WITHIN_S
            while not run.has_ended and time.monotonic() < until_s:
                if await connection.fetchval(_STALLED):
                    return
                await asyncio.sleep(0.01)
        finally:
            await connection.close()

    def signal(self, run: Run, number: int) -> None:
        """Send it a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            run.signal(number)

    def table(self) -> str | None:
        """A table that a run finds when it starts."""
        start = self.journey.start
        names = self.group.steps[start - 1].tables if start else ()
        if not names:
            return None
        return self.rng.choice((*names, *names, *names, "alembic_version"))


Fault = Callable[[Case], Awaitable[None]]


async def killed(case: Case) -> None:
    """The client is killed."""
    await case.end(await case.start(points=case.points()), (-signal.SIGKILL, 0))


async def told_to_stop(case: Case) -> None:
    """The client gets SIGTERM or SIGINT."""
    number = case.rng.choice(list(SIGNALS))
    run = await case.start(points=case.points(signal=number))
    await case.stops(run, number)


async def terminated(case: Case) -> None:
    """The server ends the session: pg_terminate_backend()."""
    run = await case.start(points=case.points(signal=signal.SIGTERM, backend=True))
    await case.end(run, (0, *ANY_ERROR))


async def cancelled(case: Case) -> None:
    """Somebody cancels the statement: pg_cancel_backend()."""
    points = case.points(signal=signal.SIGINT, backend=True)
    # Between two statements it cancels nothing, and most are over in no time: one of several hits.
    sent = case.rng.random() < 0.7
    after_s = case.rng.uniform(0.00002, 0.0003) if sent else case.rng.uniform(0.0002, 0.004)
    points = replace(points, times=case.rng.choice((1, 6, 12)), sent=sent, after_s=after_s)
    run = await case.start(points=points)
    await case.end(run, (0, *ANY_ERROR))


async def stalled_and_hit(case: Case) -> None:
    """The run waits for an old transaction, and something happens to it there."""
    async with case.blocker(_old_transaction(case)) as blocker:
        run = await case.start()
        await case.stalled(run)
        what = case.rng.randrange(4)
        if run.has_ended:
            await case.end(run, [0])
        elif what == 0:
            run.signal(signal.SIGKILL)
            await case.end(run, (-signal.SIGKILL, 0))
        elif what == 1:
            number = case.rng.choice(list(SIGNALS))
            run.signal(number)
            await case.stops(run, number)
        else:
            await _ask(case, "pg_terminate_backend(pid)" if what == 2 else "pg_cancel_backend(pid)")
            if what == 3:
                # Between two attempts there is nothing to cancel: it waits for the transaction.
                blocker.terminate()
            await case.end(run, (0, *ANY_ERROR))
        # Nothing of it goes on while the old transaction lasts.
        await gone(case.database)


async def blocked_for_a_while(case: Case) -> None:
    """A lock is in the way, and goes in time."""
    async with case.blocker(_lock(case)) as blocker:
        run = await case.start(env=QUICK)
        for_s = case.rng.uniform(0.1, 1.2)
        asyncio.get_running_loop().call_later(for_s, blocker.terminate)
        await case.end(run, [0])


async def blocked_for_good(case: Case) -> None:
    """A lock is in the way, and does not go within the budget."""
    async with case.blocker(_lock(case)):
        await case.end(await case.start(env=SHORT), (0, LockBlocked.exit_code))


async def two_at_once(case: Case) -> None:
    """Nothing happens but that others do the same."""
    runs = [await case.start() for _ in range(case.rng.choice((2, 2, 3)))]
    for run in runs:
        await case.end(run, [0])


async def two_and_one_killed(case: Case) -> None:
    """One is killed, or loses its session, while another one waits for it."""
    backend = case.rng.random() < 0.3
    number = signal.SIGTERM if backend else signal.SIGKILL
    hit = await case.start(points=case.points(signal=number, backend=backend))
    other = await case.start()
    await case.end(hit, (0, -signal.SIGKILL, *ANY_ERROR))
    await case.end(other, [0])


async def two_and_one_frozen(case: Case) -> None:
    """One stands still somewhere, and goes on when another one has given up."""
    hit = await case.start(points=case.points(signal=signal.SIGSTOP))
    # A stopped process may have the mutex, a lock, or a snapshot that an index build waits for.
    other = await case.start(env={**SHORT, "SUREFOOT_TEST_MUTEX_WAIT_S": "0.4"})
    await case.end(other, (0, MutexHeld.exit_code))
    while not hit.has_ended:
        with contextlib.suppress(ProcessLookupError):
            hit.signal(signal.SIGCONT)
        await asyncio.sleep(0.02)
    await case.end(hit, [0])


async def cut_off(case: Case) -> None:
    """The network goes dead, and the client is told to stop or killed."""
    async with Network(case.database.url).up() as network:
        points = case.points(signal=signal.SIGSTOP)
        run = await case.start(url=network.url, env=IDLE, points=points)
        await run.stops()
        if case.rng.random() < 0.5:
            network.cut()
            case.signal(run, signal.SIGCONT)
        else:
            case.signal(run, signal.SIGCONT)
            await asyncio.sleep(case.rng.uniform(0, 0.01))
            network.cut()
        await asyncio.sleep(case.rng.choice((0.05, OVER_IDLE_S)))
        number = case.rng.choice((signal.SIGKILL, *SIGNALS))
        case.signal(run, number)
        # The server may have ended the session before the network was cut.
        unreachable = DatabaseUnreachable.exit_code
        if number == signal.SIGKILL:
            await case.end(run, (-signal.SIGKILL, 0, unreachable))
        else:
            await case.stops(run, number, unreachable)


async def stopped(case: Case) -> None:
    """The client stands still for longer than the server waits, and goes on or is killed."""
    run = await case.start(env=IDLE, points=case.points(signal=signal.SIGSTOP))
    await run.stops()
    await asyncio.sleep(OVER_IDLE_S)
    number = case.rng.choice((signal.SIGKILL, signal.SIGCONT))
    case.signal(run, number)
    await case.end(run, (-signal.SIGKILL, 0) if number == signal.SIGKILL else (0, *ANY_ERROR))


async def crashed(case: Case) -> None:
    """PostgreSQL dies: one of its processes, or all."""
    what = case.rng.randrange(3)
    server = case.bench.crashing
    if what == 0:
        points = case.points(signal=signal.SIGKILL, backend=True)
    else:
        number = (signal.SIGQUIT, signal.SIGKILL)[what - 1]
        points = case.points(signal=number, pid=server.postmaster_pid)
    async with server.crashes():
        if case.rng.random() < 0.5:
            # In the middle of a wait for an old transaction.
            async with case.blocker(_old_transaction(case)):
                run = await case.start()
                await case.stalled(run)
                if not run.has_ended:
                    await _kill_backend(case) if what == 0 else _kill(points)
                await case.end(run, (0, *ANY_ERROR))
        else:
            run = await case.start(points=points)
            await case.end(run, (0, *ANY_ERROR))


FAULTS: Sequence[tuple[Fault, int]] = (
    (killed, 22),
    (told_to_stop, 12),
    (terminated, 12),
    (cancelled, 8),
    (stalled_and_hit, 12),
    (blocked_for_a_while, 7),
    (blocked_for_good, 7),
    (two_at_once, 4),
    (two_and_one_killed, 8),
    (two_and_one_frozen, 5),
    (crashed, 8),
    (cut_off, 7),
    (stopped, 4),
    (stamp_refused, 5),
    (stamped, 7),
    (offline, 9),
    (ledger_lost, 7),
)
# Two of them in a row are no other fault than one.
REPEATED = (killed, told_to_stop, terminated, cancelled, stalled_and_hit)
REPEATED_SHARE = 0.2
WAITING = (stalled_and_hit, crashed)
# One run, at least at first.
ALONE = (*REPEATED, blocked_for_a_while, blocked_for_good, cut_off, stopped, crashed)
RELATIVE_SHARE = 0.5
# They begin with a version table and a ledger.
RECORDED = (stamp_refused, stamped)


async def run_case(bench: Bench, group: Group, seed: int) -> Found:
    """One case, from a fresh database to the undisturbed end. The result lists each deviation."""
    rng = Random(f"case {seed}")
    (fault,) = rng.choices(*zip(*FAULTS, strict=True))
    journeys = group.journeys
    if fault in WAITING:
        # Where there is one that begins with a step that an old transaction holds up.
        begin = [one for one in journeys if one.path[0].is_outside(down=one.down)]
        journeys = begin or journeys
    elif fault in RECORDED:
        journeys = [one for one in journeys if one.start]
    elif fault is offline:
        fit = [one for one in journeys if all(step.in_scripts for step in one.path)]
        # Another fault, where no script does what the chain does.
        fault, journeys = (offline, fit) if fit else (killed, journeys)
    journey = rng.choice(journeys)
    relative = fault in ALONE and Random(f"words {seed}").random() < RELATIVE_SHARE
    found = Found(seed, fault.__name__ + (", relative" if relative else ""), str(journey))
    started_s = time.monotonic()
    try:
        if fault is crashed:
            async with bench.crashing.lock, bench.crashing.database() as database:
                case = Case(bench, group, journey, rng, database, found, relative)
                if journey.start:
                    up = Journey(0, journey.start, group.steps, {})
                    result = await bench.launcher.alembic(
                        group.chain, *up.command, url=database.url
                    )
                    check_result(result, [0], up)
                await _disturb(case, fault)
        else:
            async with bench.copy(group.starts.get(journey.start)) as database:
                case = Case(bench, group, journey, rng, database, found, relative)
                await _disturb(case, fault)
    except Wrong as wrong:
        found.wrong = str(wrong)
    except Exception:
        found.wrong = traceback.format_exc()
    found.seconds = time.monotonic() - started_s
    return found


async def _disturb(case: Case, fault: Fault) -> None:
    await fault(case)
    await case.look()
    if fault in REPEATED and case.rng.random() < REPEATED_SHARE:
        second = case.rng.choice(REPEATED)
        case.found.fault += f", {second.__name__}"
        await second(case)
        await case.look()
    await case.again()


def _lock(case: Case) -> str:
    table = case.table()
    if table is None:
        return "SELECT 1"
    return f"LOCK TABLE {table} IN {case.rng.choice(MODES)} MODE"


def _old_transaction(case: Case) -> str:
    """A session that an index build waits for: a snapshot, a reader or a writer of its table."""
    step = case.journey.path[0]
    start = case.journey.start
    tables = case.group.steps[start - 1].tables if start else ()
    if step.table not in tables:
        return "SELECT 1"
    read = f"SELECT count(*) FROM {step.table}"
    return case.rng.choice((read, read, f"LOCK TABLE {step.table} IN ROW EXCLUSIVE MODE; {read}"))


async def _ask(case: Case, function: str) -> Sequence[int]:
    """Call a function for the run that waits; the processes that were meant."""
    connection = await connect(case.database.url, "watcher")
    try:
        rows = await connection.fetch(
            f"SELECT pid, {function} FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE '%migrate%' AND wait_event_type = 'Lock'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]


async def _kill_backend(case: Case) -> None:
    for pid in await _ask(case, "1"):
        _kill(Points(0, pid, signal.SIGKILL))


def _kill(points: Points) -> None:
    assert points.pid is not None
    os.kill(points.pid, points.signal)
