"""Measures what a plan costs beside creating the schema that it is tried on.

    python benchmarks/trace_scale.py [--tables N --pending N]...

A schema of many tables is created in revisions of 100 tables, on a scratch server, alone and then
as part of a plan: its pending revisions are traced with sample rows, upwards and downwards. The
memory is that of the scratch server's folder and of this process, at their highest. The exit code
is 1 where the plan of a size is over its bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from projects import ROOT

from surefoot.connect.database import Database
from surefoot.linting.chain_lint import lint
from surefoot.planning.plan import ROWS
from surefoot.project import Project
from surefoot.run.commands import upgrade
from surefoot.scratch import scratch
from surefoot.target import Target

sys.path.insert(0, str(ROOT / "tests"))

from harness.runs import Chain

PER_REVISION = 100
TABLE = (
    "CREATE TABLE table_{0:04} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "name text NOT NULL, at timestamptz NOT NULL DEFAULT now(), size bigint, "
    "parent bigint REFERENCES table_{1:04}, note varchar(200), flag boolean NOT NULL DEFAULT false)"
)
# Tables, pending revisions; the most seconds beside the schema's creation, and the most bytes.
SIZES = {(2000, 3): (10.0, 300 * 2**20), (300, 100): (30.0, 300 * 2**20)}
NOWHERE = Database("postgresql://nobody@localhost/nowhere")


def chain_of(folder: Path, tables: int, pending: int) -> tuple[Chain, list[str]]:
    """The chain, and the ids of its pending revisions."""
    chain = Chain(folder)
    ids: list[str] = []
    for first in range(0, tables, PER_REVISION):
        numbers = range(first, min(first + PER_REVISION, tables))
        # Each refers to the first of its hundred.
        sql = [TABLE.format(n, first) for n in numbers]
        ids.append(
            chain.add(
                f"for sql in {sql!r}:\n    op.execute(sql)",
                lock=False,
                identifier=f"{len(ids) + 1:04}",
                down=ids[-1] if ids else "",
            )
        )
    created = len(ids)
    for number in range(pending):
        name = f"table_{number * tables // pending:04}"
        ids.append(
            chain.add(
                f"op.add_column({name!r}, sa.Column('more', sa.Integer))\n"
                f"op.execute('ALTER TABLE {name} ALTER COLUMN note TYPE varchar(100)')",
                f"op.drop_column({name!r}, 'more')",
                lock=False,
                identifier=f"{len(ids) + 1:04}",
                down=ids[-1],
            )
        )
    chain.lock()
    return chain, ids[created:]


class Folders:
    """The largest size of the folders of scratch servers of this process, while the block lasts."""

    def __init__(self) -> None:
        self.bytes = 0
        self._before = set(self._found())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Folders:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            new = set(self._found()) - self._before
            if new:
                done = subprocess.run(
                    ["du", "-sk", *new], capture_output=True, text=True, check=False
                )
                sizes = [int(line.split()[0]) * 1024 for line in done.stdout.splitlines()]
                self.bytes = max(self.bytes, sum(sizes))

    def _found(self) -> list[Path]:
        return [
            path
            for parent in (Path("/dev/shm"), Path(tempfile.gettempdir()))
            for path in parent.glob("surefoot-scratch-*")
        ]


async def created(project: Project, start: str) -> float:
    """The seconds that the schema takes."""
    async with scratch(NOWHERE, project) as engine:
        began_s = time.monotonic()
        await upgrade(Target.of(engine, project), start)
        return time.monotonic() - began_s


async def planned(project: Project, pending: list[str]) -> tuple[float, int]:
    """The seconds of a plan, without the start of its server, and the bytes of the server."""
    with Folders() as folders:
        async with scratch(NOWHERE, project):
            pass
        began_s = time.monotonic()
        linted = await lint(project, NOWHERE, pending, rows=ROWS, back=True)
        took_s = time.monotonic() - began_s
    failure = linted.trace.failure or (linted.trace.back and linted.trace.back.failure)
    if failure:
        raise failure
    return took_s, folders.bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int)
    parser.add_argument("--pending", type=int, default=3)
    given = parser.parse_args()
    sizes = SIZES if given.tables is None else {(given.tables, given.pending): (1e9, 2**60)}
    print("| tables | pending | schema | plan | more | scratch server | process |")
    print("|---|---|---|---|---|---|---|")
    over = False
    for (tables, pending), (most_s, most_bytes) in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/nowhere")
            chain, ids = chain_of(Path(folder) / "chain", tables, pending)
            project = Project.read(chain.ini)
            start = f"{int(ids[0]) - 1:04}"
            schema_s = asyncio.run(created(project, start))
            plan_s, size = asyncio.run(planned(project, ids))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        more_s = plan_s - schema_s
        over = over or more_s > most_s or size > most_bytes
        print(
            f"| {tables} | {pending} | {schema_s:.1f} s | {plan_s:.1f} s | {more_s:.1f} s | "
            f"{size // 2**20} MB | {memory} MB |",
            flush=True,
        )
    sys.exit(over)


if __name__ == "__main__":
    main()
