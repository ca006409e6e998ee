"""Measures what is known of a revision before it runs: by this project, and by other tools.

    python benchmarks/foresight.py [--no-peers] [--rounds N]

The cases are those of tests/hazards: revisions that hurt a database in use, and revisions that do
the same well. A bad one is found where something is said of it, a good one is a false alarm where
something is. The peers are installed for it, those that can be (see peers.py); a case that one
crashes at, or that Alembic cannot write as SQL for it, it has not found. `alembic check` compares a
database that the revision has run on with models that are that database, so whatever it says is a
false alarm.

Then a chain of 100 revisions is upgraded and traced. The exit code is 1 where a trace takes more
than three times as long, where a bad case is not found, or more than 2 % of the good ones are false
alarms. trace_scale.py measures large schemas.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from warnings import catch_warnings, simplefilter

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from peers import PEERS, Answer, write
from projects import MEMORY, ROOT
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SAWarning

from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.trace.trace import trace

sys.path.insert(0, str(ROOT / "tests"))

from harness.databases import Databases, connect, engine
from harness.runs import Chain
from harness.server import Server, forget_configuration, own_server
from hazards.bench import Bench
from hazards.cases import HERE, Case, cases

MAJOR = 18
HUNDRED = ["CREATE TABLE t (c1 integer)"] + [
    f"ALTER TABLE t ADD COLUMN c{number} integer" for number in range(2, 101)
]
RATIO = 3.0
FALSE_ALARMS = 0.02


async def ours(bench: Bench, case: Case) -> Answer:
    """Whether the case's rule is found in a bad case, or one that a good case does not name."""
    since_s = time.perf_counter()
    findings = {finding.rule for finding in (await bench.of(case)).findings}
    took_s = time.perf_counter() - since_s
    if case.is_bad:
        return Answer(case.rule in findings, took_s=took_s)
    return Answer(bool(findings - {rule for _, _, rule in case.expected()}), took_s=took_s)


async def check(bench: Bench, case: Case) -> Answer:
    """Whether `alembic check` says something once the case has run."""
    chain, since_s = bench.chain(case.paths), time.perf_counter()
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        try:
            await upgrade(bench.target(made, chain))
        except Exception:
            return Answer(None, "crashed", time.perf_counter() - since_s)
        async with made.connect() as connection:
            differs = await connection.run_sync(_differs)
    return Answer(differs, took_s=time.perf_counter() - since_s)


def _differs(connection: Connection) -> bool:
    models = MetaData()
    with catch_warnings():
        simplefilter("ignore", SAWarning)  # of options that reflection gives and a Table refuses
        models.reflect(connection)
        return bool(compare_metadata(MigrationContext.configure(connection), models))


def report(name: str, found: Sequence[tuple[Case, Answer]]) -> tuple[float, float]:
    """Print a line of the table; give recall and false alarms."""
    bad = [bool(answer.found) for case, answer in found if case.is_bad]
    good = [bool(answer.found) for case, answer in found if not case.is_bad]
    reasons = Counter(answer.reason for _, answer in found if answer.found is None)
    took_s = sum(answer.took_s for _, answer in found)
    print(
        f"| {name} | {sum(bad)} of {len(bad)} | {sum(good)} of {len(good)} | "
        f"{reasons['crashed']} | {reasons['no SQL']} | {took_s:.1f} s |",
        flush=True,
    )
    return sum(bad) / len(bad), sum(good) / len(good)


async def peers(bench: Bench, asked: Sequence[Case], folder: Path) -> None:
    """A line for each peer that can be installed."""
    places = [(case, folder / f"case{number}") for number, case in enumerate(asked)]
    for case, place in places:
        write(place, HERE / "base.py", case.paths)
    for peer in PEERS:
        if reason := await asyncio.to_thread(peer.install, folder):
            print(f"| {peer.package} | not installed: {reason} |")
            continue
        async with bench.clone(rows=True) as database:
            found = [
                (case, await asyncio.to_thread(peer.ask, folder, place, database.url))
                for case, place in places
            ]
        report(f"{peer.package} {peer.version}", found)


async def hundred(databases: Databases, folder: Path, rounds: int) -> float:
    """How much longer a trace of 100 revisions takes than an upgrade by them."""
    chain = Chain(folder / "hundred")
    for number, sql in enumerate(HUNDRED, start=1):
        identifier, down = f"{number:04}", f"{number - 1:04}" if number > 1 else None
        chain.add(f"op.execute('{sql}')", identifier=identifier, down=down or "", lock=False)
    chain.lock()
    took: dict[str, list[float]] = {"upgrade": [], "trace": []}
    for number in range(rounds + 1):
        for what, times in took.items():
            database = await databases.empty()
            async with engine(database.access, "migrate") as made:
                target = Target.of(made, chain.ini)
                since_s = time.perf_counter()
                if what == "upgrade":
                    await upgrade(target)
                else:
                    said = await trace(target, chain.versions, start=())
                    if said.failure is not None or len(said.statements) != len(HUNDRED):
                        raise SystemExit(f"the trace stopped: {said.failure}")
                if number:
                    times.append(time.perf_counter() - since_s)
            await databases.drop(database)
    plain, traced = (statistics.median(times) for times in took.values())
    print(f"100 revisions: upgrade {plain:.2f} s, trace {traced:.2f} s, {traced / plain:.2f} x")
    return traced / plain


async def run(url: str, server: Server, folder: Path, rounds: int, others: bool) -> bool:
    """All of it; whether what is to be reached is."""
    admin = await connect(url)
    databases = Databases(server, admin, prefix=f"foresight_{uuid.uuid4().hex[:8]}")
    bench = await Bench.set_up(databases, folder)
    asked = [case for case in cases() if case.holds(MAJOR)]
    print(f"{len(asked)} cases on PostgreSQL {MAJOR}")
    print("| tool | found | false alarms | crashed | no SQL | seconds |\n|---|---|---|---|---|---|")
    recall, alarms = report("this project", [(case, await ours(bench, case)) for case in asked])
    report("alembic check", [(case, await check(bench, case)) for case in asked])
    if others:
        await peers(bench, asked, folder)
    ratio = await hundred(databases, folder, rounds)
    await databases.drop_all()
    await admin.close()
    return recall == 1.0 and alarms <= FALSE_ALARMS and ratio <= RATIO


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the long chain; 5 by default")
    parser.add_argument("--no-peers", action="store_true", help="install no other tool")
    options = parser.parse_args()
    forget_configuration()
    embedded = own_server(uuid.uuid4().hex, MAJOR)
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, embedded.use() as running:
        url = running.url("postgres")
        reached = asyncio.run(
            run(url, Server(url, embedded), Path(folder), options.rounds, not options.no_peers)
        )
    print("met" if reached else "MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
