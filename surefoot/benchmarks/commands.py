"""Measures the commands that find nothing to do or only look, on a long chain, beside stock.

    python benchmarks/commands.py [--only NAME] [--rounds N]

    nothing    `alembic upgrade head` of a database at head
    loading    a process that loads Alembic's command and ends, before any env.py; no target
    surefoot   `surefoot upgrade` of it, beside stock's `alembic upgrade head`
    driver     the same, beside a script that imports asyncpg, connects and asks one query
    current    `alembic current`
    history    `alembic history`
    heads      `alembic heads`, which runs no env.py: the code is Alembic's own in both
    check      `alembic check`, the models are the database
    memory     `alembic upgrade head` from base: the most memory that the process had, in MB
    files      our own part at 6,000 revisions beside 1,000: the files read, parsed and ordered, the
               lock compared, read and written

Whole processes on a chain of 1,000 revisions that make ten tables of a hundred columns. The two
take turns, and each round swaps who is first. CPU time is that of the process, without its server.
Stock is the async template of the installed Alembic. It has the models in `target_metadata`, for
`check`.

The exit code is 1 where a target is missed: the ratio of the medians of the CPU time, or of the
memory. What else the machine does changes the wall time more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from projects import MEMORY, PATIENCE_S, ROOT, SUREFOOT, Project, fresh, ours, server, stock

from surefoot.chain.known import known_revisions
from surefoot.chain.lockfile import is_written_from, read_lock, write_lock
from surefoot.chain.revisions import parsed, read_revisions
from surefoot.chain.source import source_codes
from surefoot.embedded import Running

SIZE, LONG = 1_000, 6_000
COLUMNS = 100
ROUNDS = 5
MODELS = f"""\
import sqlalchemy as sa

metadata = sa.MetaData()
for number in range({SIZE // COLUMNS}):
    columns = [sa.Column(f"c{{each}}", sa.Integer()) for each in range(1, {COLUMNS})]
    sa.Table(f"t{{number}}", metadata, sa.Column("id", sa.Integer(), primary_key=True), *columns)
"""
DRIVER = """\
import asyncio
import gc
import os

import asyncpg


async def ask() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.fetchval("SELECT 1")
    await connection.close()


asyncio.run(ask())
"""
# It starts a process and tells what it took. It is small itself: a process that was forked counts
# the memory of its parent as its own.
STARTER = """\
import os, sys, time
began_s = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
wall_s = time.perf_counter() - began_s
print(os.waitstatus_to_exitcode(status), wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@dataclass(frozen=True)
class Took:
    """The cost of one process."""

    wall_s: float
    cpu_s: float
    memory_mb: float


@dataclass(frozen=True)
class Row:
    """A measurement of both: medians, and the smallest in brackets; in seconds, or in MB."""

    name: str
    stock: str
    ours: str
    wall_ratio: float | None
    # Of the CPU time, or of what the row measures.
    ratio: float
    # None where a row only says what a part of another one costs.
    target: float | None

    @property
    def is_met(self) -> bool:
        return self.target is None or self.ratio <= self.target

    def __str__(self) -> str:
        wall = "" if self.wall_ratio is None else f"{self.wall_ratio:.2f}"
        verdict = "met" if self.is_met else "MISSED"
        target = "" if self.target is None else f"  <= {self.target:.2f}  {verdict}"
        return f"{self.name:<10}{self.stock:>34}{self.ours:>34}{wall:>7}{self.ratio:>7.2f}{target}"


@dataclass(frozen=True)
class Case:
    """A command of each, and how much more ours may take."""

    stock: Sequence[str]
    ours: Sequence[str]
    target: float | None
    rounds: int = ROUNDS
    from_base: bool = False


_ALEMBIC = ("-m", "alembic")
_UPGRADE = (*_ALEMBIC, "upgrade", "head")
_SUREFOOT = ("-c", SUREFOOT, "upgrade")
CASES = {
    "nothing": Case(_UPGRADE, _UPGRADE, 0.50),
    "loading": Case(_UPGRADE, ("-c", "import alembic.config"), None),
    "surefoot": Case(_UPGRADE, _SUREFOOT, 0.35),
    "driver": Case(("driver.py",), _SUREFOOT, 1.5, rounds=9),
    "current": Case((*_ALEMBIC, "current"), (*_ALEMBIC, "current"), 1.0),
    "history": Case((*_ALEMBIC, "history"), (*_ALEMBIC, "history"), 1.0),
    # The same code on both sides: what differs is chance.
    "heads": Case((*_ALEMBIC, "heads"), (*_ALEMBIC, "heads"), 1.05),
    "check": Case((*_ALEMBIC, "check"), (*_ALEMBIC, "check"), 1.5),
    "memory": Case(_UPGRADE, _UPGRADE, 1.1, rounds=1, from_base=True),
}
FILES = "files"
NAMES = (*CASES, FILES)
FILES_TARGET = 7.0


def rows(only: str | None = None, rounds: int | None = None) -> Iterator[Row]:
    """The measurements, each as it ends; `only` that of a name. On failure: SystemExit."""
    in_memory = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        if only != FILES:
            with server(folder) as running:
                yield from _commands(folder, running, only, rounds)
        if only in (None, FILES):
            yield _files(folder)


def _commands(
    folder: Path, running: Running, only: str | None, rounds: int | None
) -> Iterator[Row]:
    projects = stock(folder / "stock"), ours(folder / "ours")
    urls = [asyncio.run(fresh(running, f"of_{each.folder.name}")) for each in projects]
    for project, url in zip(projects, urls, strict=True):
        prepare(project, url)
    sides = [(each.folder, url) for each, url in zip(projects, urls, strict=True)]
    first = [started(_UPGRADE, *side) for side in sides]
    for name, case in CASES.items():
        if only not in (None, name):
            continue
        if case.from_base:
            # The first of each compiled its files, as the first upgrade of a release does.
            yield _row(name, case, [[each] for each in first])
            continue
        took: list[list[Took]] = [[], []]
        count = case.rounds if rounds is None else rounds
        # The first round fills the caches of the disk; it does not count.
        for number in range(count + 1):
            for which in (0, 1) if number % 2 else (1, 0):
                result = started((case.stock, case.ours)[which], *sides[which])
                if number:
                    took[which].append(result)
        yield _row(name, case, took)


def prepare(project: Project, url: str) -> None:
    """Both projects have the revisions, the models and the URL."""
    (project.folder / "env_models.py").write_text(MODELS, "utf-8")
    (project.folder / "driver.py").write_text(DRIVER, "utf-8")
    env, ini = project.versions.parent / "env.py", project.folder / "alembic.ini"
    if project.is_ours:
        ini.write_text(f"{ini.read_text('utf-8')}revision_environment = true\n", "utf-8")
    else:
        imported = "from env_models import metadata as target_metadata"
        text = env.read_text("utf-8").replace("target_metadata = None", imported)
        env.write_text(text, "utf-8")
        setting = "sqlalchemy.url = " + url.replace("://", "+asyncpg://").replace("%", "%%")
        lines = ini.read_text("utf-8").splitlines()
        changed = [setting if line.startswith("sqlalchemy.url") else line for line in lines]
        ini.write_text("\n".join(changed) + "\n", "utf-8")
    project.write(bodies(SIZE))


def bodies(size: int) -> list[str]:
    """Revisions that make tables of a hundred columns, a column each."""
    return [
        f"op.add_column('t{number // COLUMNS}', sa.Column('c{number % COLUMNS}', sa.Integer()))"
        if number % COLUMNS
        else f"op.create_table('t{number // COLUMNS}',"
        " sa.Column('id', sa.Integer(), primary_key=True))"
        for number in range(size)
    ]


def started(arguments: Sequence[str], folder: Path, url: str) -> Took:
    """One process of Python, from its start to its end. On failure: SystemExit."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-S", "-c", STARTER, sys.executable, *arguments],
        cwd=folder,
        env=environment,
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    code, *figures = done.stdout.splitlines()[-1].split()
    if code != "0":
        raise SystemExit(f"{arguments} in {folder.name}: {code}\n{done.stdout}{done.stderr}")
    wall_s, cpu_s, memory_kb = map(float, figures)
    return Took(wall_s, cpu_s, memory_kb / 1024)


def _row(name: str, case: Case, took: Sequence[Sequence[Took]]) -> Row:
    if case.from_base:
        memory = [statistics.median(each.memory_mb for each in side) for side in took]
        told = [f"{each:.0f} MB" for each in memory]
        return Row(name, told[0], told[1], None, memory[1] / memory[0], case.target)
    walls, cpus = ([[get(t) for t in side] for side in took] for get in (_wall_s, _cpu_s))
    wall, cpu = ([statistics.median(side) for side in of] for of in (walls, cpus))
    told = [
        f"{wall[n]:.2f} ({min(walls[n]):.2f}), CPU {cpu[n]:.2f} ({min(cpus[n]):.2f}) s"
        for n in (0, 1)
    ]
    return Row(name, told[0], told[1], wall[1] / wall[0], cpu[1] / cpu[0], case.target)


def _wall_s(took: Took) -> float:
    return took.wall_s


def _cpu_s(took: Took) -> float:
    return took.cpu_s


def _files(folder: Path) -> Row:
    """Reading, ordering and locking the files: the CPU time of this process at both sizes."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as both command lines have it
    took_s = []
    for size in (SIZE, LONG):
        project = ours(folder / f"of_{size}")
        project.write(bodies(size))
        took_s.append(min(_spent_s(lambda at=project: _read(at)) for _ in range(3)))  # type: ignore[misc]
    told = [f"{each:.2f} s at {size:,}" for each, size in zip(took_s, (SIZE, LONG), strict=True)]
    return Row(FILES, told[0], told[1], None, took_s[1] / took_s[0], FILES_TARGET)


def _read(project: Project) -> None:
    parsed.cache_clear()
    lock = project.versions.parent / "revisions.lock"
    codes = source_codes(project.versions)
    revisions = read_revisions(project.versions)
    if not is_written_from(lock, codes) or read_lock(lock) != known_revisions(lock, codes):
        raise SystemExit("the lock differs from the files")
    write_lock(lock, revisions)


def _spent_s(work: Callable[[], None]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=NAMES, help="one of the measurements")
    parser.add_argument("--rounds", type=int, help=f"of each command; about {ROUNDS} by default")
    options = parser.parse_args()
    print(f"{SIZE:,} revisions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<10}{'stock':>34}{'this project':>34}{'wall':>7}{'ratio':>7}  target")
    met = True
    for row in rows(options.only, options.rounds):
        print(row, flush=True)
        met = met and row.is_met
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
