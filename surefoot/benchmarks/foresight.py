"""Measures what is known of a revision before it runs: by this project, by squawk, by Alembic.

    python benchmarks/foresight.py [--rounds N]

The cases are those of tests/hazards: revisions that hurt a database in use, and revisions that do
the same well. A bad one is known where something is said of it, a good one is a false alarm where
something is. squawk reads what `alembic upgrade --sql` writes, without what it says of every file
(timeouts, robust statements); `alembic check` compares a database that the revision has run on with
models that are that database, so whatever it says is a false alarm.

Then a chain of 100 revisions is upgraded and traced. The exit code is 1 where a trace takes more
than three times as long, where a bad case is not known, or more than 2 % of the good ones are false
alarms.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from projects import MEMORY, ROOT
from sqlalchemy import Connection, MetaData

from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.trace.trace import trace

sys.path.insert(0, str(ROOT / "tests"))

from harness.databases import Databases, connect, engine
from harness.runs import Chain
from harness.server import Server, forget_configuration, own_server
from hazards.bench import Bench
from hazards.cases import Case, cases

MAJOR = 18
SQUAWK = Path(sys.executable).with_name("squawk")
# Findings that it reports of every file that is not written for it.
OF_EVERY_FILE = {"require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts"}
HUNDRED = ["CREATE TABLE t (c1 integer)"] + [
    f"ALTER TABLE t ADD COLUMN c{number} integer" for number in range(2, 101)
]
RATIO = 3.0
FALSE_ALARMS = 0.02


async def ours(bench: Bench, case: Case) -> bool:
    """Whether this project says something that the case does not name."""
    findings = {finding.rule for finding in (await bench.of(case)).findings}
    if case.is_bad:
        return case.rule in findings
    return bool(findings - {rule for _, _, rule in case.expected()})


def squawk(bench: Bench, case: Case) -> bool | None:
    """Whether squawk says something of the SQL; None where Alembic cannot write it."""
    chain = bench.chain(case.paths)
    buffer = io.StringIO()
    config = Config(chain.ini, output_buffer=buffer)
    with redirect_stderr(io.StringIO()):
        try:
            command.upgrade(config, f"{chain.ids[0]}:head", sql=True)
        except (Exception, SystemExit):
            return None
    arguments = [str(SQUAWK), "--reporter", "json", f"--pg-version={MAJOR}"]
    done = subprocess.run(
        [*arguments, "--stdin-filepath", "r.sql"],
        input=buffer.getvalue(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = {each["rule_name"] for each in json.loads(done.stdout or "[]")}
    return bool(said - OF_EVERY_FILE)


async def check(bench: Bench, case: Case) -> bool | None:
    """Whether `alembic check` says something once the case has run; None where it does not run."""
    chain = bench.chain(case.paths)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        try:
            await upgrade(bench.target(made, chain))
        except Exception:
            return None
        async with made.connect() as connection:
            return await connection.run_sync(_differs)


def _differs(connection: Connection) -> bool:
    models = MetaData()
    models.reflect(connection)
    return bool(compare_metadata(MigrationContext.configure(connection), models))


def report(name: str, found: Sequence[tuple[Case, bool | None]]) -> tuple[float, float]:
    """Print and give recall and false alarms; what could not be asked counts as unknown."""
    bad = [bool(said) for case, said in found if case.is_bad]
    good = [bool(said) for case, said in found if not case.is_bad]
    unasked = sum(said is None for _, said in found)
    recall, alarms = sum(bad) / len(bad), sum(good) / len(good)
    print(
        f"{name:<16}{sum(bad):>4} of {len(bad)} known ({recall:>4.0%})"
        f"{sum(good):>6} of {len(good)} false alarms ({alarms:>4.1%}){unasked:>6} not asked",
        flush=True,
    )
    return recall, alarms


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


async def run(url: str, server: Server, folder: Path, rounds: int) -> bool:
    """All of it; whether what is to be reached is."""
    admin = await connect(url)
    databases = Databases(server, admin, prefix=f"foresight_{uuid.uuid4().hex[:8]}")
    bench = await Bench.set_up(databases, folder)
    asked = [case for case in cases() if case.holds(MAJOR)]
    print(f"{len(asked)} cases on PostgreSQL {MAJOR}")
    recall, alarms = report("this project", [(case, await ours(bench, case)) for case in asked])
    report("squawk alone", [(case, squawk(bench, case)) for case in asked])
    report("alembic check", [(case, await check(bench, case)) for case in asked])
    ratio = await hundred(databases, folder, rounds)
    await databases.drop_all()
    await admin.close()
    return recall == 1.0 and alarms <= FALSE_ALARMS and ratio <= RATIO


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the long chain; 5 by default")
    options = parser.parse_args()
    forget_configuration()
    embedded = own_server(uuid.uuid4().hex, MAJOR)
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, embedded.use() as running:
        url = running.url("postgres")
        reached = asyncio.run(run(url, Server(url, embedded), Path(folder), options.rounds))
    print("met" if reached else "MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
