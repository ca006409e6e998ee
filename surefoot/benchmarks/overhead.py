"""Measures what this project's environment costs over Alembic's stock async template.

    python benchmarks/overhead.py [--rounds N] [--durable]

    nothing to do      the database is at head of one revision, and of a hundred
    one revision       an empty table is made
    100 revisions      each adds a column to it

Whole processes, `python -m alembic upgrade head`, on a server of the benchmark's own: interpreter
and imports count. The two take turns, and each round swaps who is first, so that what else the
machine does meets both. Stock runs all revisions in one transaction and keeps one id; this project
runs each in its own, under a lock timeout and a mutex, and writes a ledger row with it.

The exit code is 1 where a target is missed.
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
HUNDRED = [TABLE, *(COLUMN.format(number) for number in range(2, 101))]


@dataclass(frozen=True)
class Case:
    """A command, and how much longer than stock it may take."""

    name: str
    bodies: Sequence[str]
    # Run once before it is measured.
    done_before: bool
    target_ratio: float | None = None


CASES = (
    Case("nothing to do, of 1", [TABLE], True, 0.8),
    Case("nothing to do, of 100", HUNDRED, True, 0.8),
    Case("one revision", [TABLE], False),
    Case("100 revisions", HUNDRED, False, 1.25),
)


def measure(case: Case, projects: Sequence[Project], running: Running, rounds: int) -> bool:
    """Print both medians and their ratio; whether it is within the target."""
    took: dict[str, list[Took]] = {project.name: [] for project in projects}
    urls = {}
    for project in projects:
        project.write(case.bodies)
    # The first round compiles the revisions and fills the caches of the disk; it does not count.
    for number in range(rounds + 1):
        for project in projects if number % 2 else projects[::-1]:
            if number == 0 or not case.done_before:
                name = f"of_{'us' if project.is_ours else 'stock'}"
                urls[project.name] = asyncio.run(fresh(running, name))
            if number == 0 and case.done_before:
                upgrade(project, urls[project.name])
            result = upgrade(project, urls[project.name])
            if number:
                took[project.name].append(result)
    walls = [[each.wall_s for each in took[project.name]] for project in projects]
    cpus = [[each.cpu_s for each in took[project.name]] for project in projects]
    ratio = statistics.median(walls[1]) / statistics.median(walls[0])
    cpu_ratio = statistics.median(cpus[1]) / statistics.median(cpus[0])
    met = case.target_ratio is None or ratio <= case.target_ratio
    target = "" if case.target_ratio is None else f"<= {case.target_ratio:.2f}"
    verdict = "" if case.target_ratio is None else "met" if met else "MISSED"
    shown = "".join(f"{statistics.median(w):>9.3f} s ({min(w):.3f}-{max(w):.3f})" for w in walls)
    print(
        f"{case.name:<22}{shown}{ratio:>8.2f}{cpu_ratio:>10.2f}  {target:<8}{verdict}", flush=True
    )
    return met


def upgrade(project: Project, url: str) -> Took:
    """`alembic upgrade head`, which works."""
    result = project.alembic("upgrade", "head", url=url)
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
            met = [measure(case, projects, running, options.rounds) for case in CASES]
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
