"""Measures what this project's environment costs over Alembic's stock async template.

    python benchmarks/overhead.py [--rounds N] [--durable] [--fresh]

    nothing to do      the database is at head of one revision, and of a hundred
    one revision       an empty table is made
    100, 1,000         each adds a column to it, from an empty database
    100 pending        the same, on a database that has the table

Whole processes, `python -m alembic upgrade head`, on a server of the benchmark's own: interpreter
and imports count. The two take turns, and each round swaps who is first, so that what else the
machine does meets both. Stock runs all revisions in one transaction and keeps one id; this project
holds a mutex and bounds the waits for locks, gives each revision a transaction of its own where the
database is not empty, and writes a ledger row with it. `--fresh` leaves out the first two.

The exit code is 1 where a target is missed, of wall time or of CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from projects import MEMORY, Project, Took, fresh, ours, server, stock

from surefoot.embedded import Running

TABLE = "op.create_table('t', sa.Column('id', sa.Integer(), primary_key=True))"
COLUMN = "op.add_column('t', sa.Column('c{}', sa.Integer()))"
THOUSAND = [TABLE, *(COLUMN.format(number) for number in range(2, 1001))]
HUNDRED = THOUSAND[:100]


@dataclass(frozen=True)
class Case:
    """A command, and how much longer than stock it may take."""

    name: str
    bodies: Sequence[str]
    # The revision that each database has before it is measured.
    before: str | None = None
    target_ratio: float | None = None
    # Of the rounds that are asked for.
    part: float = 1.0


CASES = (
    Case("nothing to do, of 1", [TABLE], "head", 0.8),
    Case("nothing to do, of 100", HUNDRED, "head", 0.8),
    Case("one revision", [TABLE]),
    Case("100 revisions", HUNDRED, target_ratio=0.9),
    Case("1,000 revisions", THOUSAND, target_ratio=0.6, part=0.6),
    Case("100 pending", [*HUNDRED, COLUMN.format(101)], "0001", 1.05),
)


def measure(case: Case, projects: Sequence[Project], running: Running, rounds: int) -> bool:
    """Print both medians and their ratio; whether it is within the target."""
    took: dict[str, list[Took]] = {project.name: [] for project in projects}
    urls = {}
    for project in projects:
        project.write(case.bodies)
    # The first round compiles the revisions and fills the caches of the disk; it does not count.
    for number in range(round(rounds * case.part) + 1):
        for project in projects if number % 2 else projects[::-1]:
            if number == 0 or case.before != "head":
                name = f"of_{'us' if project.is_ours else 'stock'}"
                urls[project.name] = asyncio.run(fresh(running, name))
                if case.before is not None:
                    upgrade(project, urls[project.name], case.before)
            result = upgrade(project, urls[project.name])
            if number:
                took[project.name].append(result)
    walls = [[each.wall_s for each in took[project.name]] for project in projects]
    cpus = [[each.cpu_s for each in took[project.name]] for project in projects]
    ratio = statistics.median(walls[1]) / statistics.median(walls[0])
    cpu_ratio = statistics.median(cpus[1]) / statistics.median(cpus[0])
    met = case.target_ratio is None or max(ratio, cpu_ratio) <= case.target_ratio
    target = "" if case.target_ratio is None else f"<= {case.target_ratio:.2f}"
    verdict = "" if case.target_ratio is None else "met" if met else "MISSED"
    shown = "".join(f"{statistics.median(w):>9.3f} s ({min(w):.3f}-{max(w):.3f})" for w in walls)
    print(
        f"{case.name:<22}{shown}{ratio:>8.2f}{cpu_ratio:>10.2f}  {target:<8}{verdict}", flush=True
    )
    return met


def upgrade(project: Project, url: str, to: str = "head") -> Took:
    """`alembic upgrade`, which works."""
    result = project.alembic("upgrade", to, url=url)
    if result.code:
        raise SystemExit(f"{project.name} failed with {result.code}:\n{result.said}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each case; 7 by default")
    parser.add_argument(
        "--durable",
        action="store_true",
        help="the server syncs to the disk of the temporary folder",
    )
    parser.add_argument("--fresh", action="store_true", help="only runs that have something to do")
    options = parser.parse_args()
    in_memory = MEMORY if MEMORY.is_dir() and not options.durable else None
    print(
        f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        "medians of whole processes (shortest-longest)"
    )
    print(f"{'':<22}{'stock':>11}{'this project':>26}{'':<14}{'ratio':>6}{'its CPU':>10}  target")
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        projects = (stock(folder / "stock"), ours(folder / "ours"))
        with server(folder, durable=options.durable) as running:
            cases = [each for each in CASES if each.before != "head" or not options.fresh]
            met = [measure(case, projects, running, options.rounds) for case in cases]
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
