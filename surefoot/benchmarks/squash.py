"""Measures a fresh upgrade that begins with a squash, beside Alembic's stock async template.

    python benchmarks/squash.py [--rounds N] [--durable]

    columns   1,000 revisions: a table, and a column each
    tables    1,000 revisions: 100 tables, each with columns, an index, a check and rows

Whole processes, `python -m alembic upgrade head` on an empty database: interpreter and imports
count. Stock runs the revisions; this project begins with squashed.sql, which reaches the head and
was proved before on the same server. The two take turns. `alembic --version` beside them is what
loading Alembic alone takes, which no environment can save; `surefoot upgrade` does not load it.

The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overhead import COLUMN, TABLE
from projects import MEMORY, SUREFOOT, Project, Took, fresh, ours, server, stock

from surefoot.embedded import Running

COUNT = 1000
TARGET = 0.15
_OF_TABLE = (
    "op.create_table('t{}', sa.Column('id', sa.Integer(), primary_key=True))",
    *(f"op.add_column('t{{}}', sa.Column('c{number}', sa.Text()))" for number in range(1, 6)),
    "op.create_index('t{0}_c1', 't{0}', ['c1'])",
    'op.execute("ALTER TABLE t{} ADD CONSTRAINT short CHECK (length(c2) < 9)")',
    "op.execute(\"INSERT INTO t{} (c1) VALUES ('a'), ('b')\")",
    "op.drop_column('t{}', 'c5')",
)
CHAINS: Mapping[str, Sequence[str]] = {
    "columns": [TABLE, *(COLUMN.format(number) for number in range(2, COUNT + 1))],
    "tables": [each.format(number) for number in range(COUNT // 10) for each in _OF_TABLE],
}


@dataclass(frozen=True)
class Row:
    """A fresh upgrade of one chain: what stock took, and what this project took."""

    name: str
    stock: Sequence[Took]
    squashed: Sequence[Took]
    # `alembic --version`.
    loading: Sequence[Took]

    def ratio(self, of: str) -> float:
        """Of the medians of `wall_s` or `cpu_s`, this project's over stock's."""
        ours, theirs = (
            statistics.median(getattr(each, of) for each in took)
            for took in (self.squashed, self.stock)
        )
        return float(ours / theirs)

    @property
    def is_met(self) -> bool:
        return self.ratio("wall_s") <= TARGET


def measured(folder: Path, running: Running, rounds: int) -> Sequence[Row]:
    """Measure each chain; the folder is for projects."""
    rows = []
    for name, bodies in CHAINS.items():
        projects = stock(folder / f"stock-{name}"), ours(folder / f"ours-{name}")
        for project in projects:
            project.write(bodies)
        squash(projects[1], asyncio.run(fresh(running, "scratch")))
        loading: list[Took] = []
        without: list[Took] = []
        took: dict[str, list[Took]] = {project.name: [] for project in projects}
        # The first round compiles the revisions and fills caches; it does not count.
        for number in range(rounds + 1):
            for project in projects if number % 2 else projects[::-1]:
                url, word = (
                    asyncio.run(fresh(running, "fresh")),
                    "SQUASH" if project.is_ours else "",
                )
                result = worked(project.alembic("upgrade", "head", url=url), word)
                if number:
                    took[project.name].append(result)
            loading.append(worked(projects[1].alembic("--version", url=running.url("postgres"))))
            url = asyncio.run(fresh(running, "fresh"))
            without.append(worked(projects[1].python("-c", SUREFOOT, "upgrade", url=url), "SQUASH"))
        theirs, squashed = (took[each.name] for each in projects)
        rows.append(Row(name, theirs, squashed, loading[1:]))
        rows.append(Row(f"{name}, surefoot", theirs, without[1:], loading[1:]))
    return rows


def worked(took: Took, word: str = "") -> Took:
    """The process, which ended well and said the word. On failure: SystemExit."""
    if took.code or word not in took.said:
        raise SystemExit(f"it ended with {took.code}, and should say {word!r}:\n{took.said}")
    return took


def squash(project: Project, url: str) -> None:
    """`surefoot squash head`, proved on the server of that database."""
    module = project.folder / "env_database.py"
    text = module.read_text("utf-8").replace(
        "limits=", 'scratch_url=os.environ["SCRATCH"], limits='
    )
    module.write_text(text, "utf-8")
    worked(project.python("-c", SUREFOOT, "squash", "head", url=url, SCRATCH=url))
    module.write_text(text.replace('scratch_url=os.environ["SCRATCH"], ', ""), "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each chain; 3 by default")
    parser.add_argument(
        "--durable",
        action="store_true",
        help="the server syncs to the disk of the temporary folder",
    )
    options = parser.parse_args()
    in_memory = MEMORY if MEMORY.is_dir() and not options.durable else None
    print(
        f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"{COUNT} revisions on an empty database, medians of whole processes (shortest)"
    )
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        with server(folder, durable=options.durable) as running:
            rows = measured(folder, running, options.rounds)
    print(
        f"{'':<20}{'':<6}{'stock':>18}{'squashed':>18}{'loading alone':>18}{'ratio':>8}"
        f"  target <= {TARGET}"
    )
    for row in rows:
        for kind in ("wall_s", "cpu_s"):
            cells = [
                [getattr(each, kind) for each in of]
                for of in (row.stock, row.squashed, row.loading)
            ]
            shown = "".join(f"{statistics.median(c):>11.2f} s ({min(c):.2f})" for c in cells)
            verdict = ("met" if row.is_met else "MISSED") if kind == "wall_s" else ""
            print(f"{row.name:<20}{kind[:-2]:<6}{shown}{row.ratio(kind):>8.3f}  {verdict}")
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
