"""Measures autogenerate on a large schema beside stock Alembic.

    python benchmarks/autogenerate.py [--tables N] [--rounds N]

    no difference      `alembic check`, the models are the database
    ten columns        `alembic check`, the models have one more in each of ten tables
    ten other names    `alembic check`, each of ten tables has a column of another name
    a revision         `alembic revision --autogenerate` of the ten columns; this project also
                       traces, judges and completes the file, on a scratch database

Whole processes with a database of their own each, which take turns. A table has ten columns, a
foreign key, a unique constraint, a check and an index. Stock compares with its defaults: types and
nullability, and no check, comment or server default.

The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from projects import MEMORY, Project, Took, fresh, ours, server, stock

from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions, with_past

TO_REACH = 2.0
CHANGED = 10
MODELS = """\
import os

import sqlalchemy as sa

metadata = sa.MetaData()
added, renamed = int(os.environ.get("ADDED", 0)), int(os.environ.get("RENAMED", 0))
for number in range({tables}):
    name = f"table_{{number:03}}"
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("label" if number < renamed else "email", sa.Text()),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("price", sa.Numeric(12, 2)),
        sa.Column("size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("day", sa.Date()),
        sa.Column("data", sa.JSON()),
        sa.Column("parent_id", sa.BigInteger()),
        *([sa.Column("rank", sa.Integer())] if number < added else []),
        sa.ForeignKeyConstraint(
            ["parent_id"], [f"table_{{number // 2:03}}.id"], name=f"fk_{{name}}_parent"
        ),
        sa.UniqueConstraint("name", name=f"uq_{{name}}_name"),
        sa.CheckConstraint("size >= 0", name=f"ck_{{name}}_size"),
        sa.Index(f"ix_{{name}}_parent", "parent_id"),
    )
"""


@dataclass(frozen=True)
class Case:
    """A command, and how the models differ from the database."""

    name: str
    command: Sequence[str]
    code: int
    models: dict[str, str] = field(default_factory=dict)
    target_ratio: float | None = TO_REACH


CASES = (
    Case("no difference", ["check"], 0),
    Case("ten columns", ["check"], 1, {"ADDED": str(CHANGED)}),
    Case("ten other names", ["check"], 1, {"RENAMED": str(CHANGED)}),
    Case(
        "a revision",
        ["revision", "--autogenerate", "-m", "Add ranks"],
        0,
        {"ADDED": str(CHANGED)},
        None,
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    in_memory = MEMORY if MEMORY.is_dir() else None
    print(f"{given.tables} tables, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<18}{'stock':>10}{'surefoot':>10}{'ratio':>8}{'of CPU':>8}")
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        projects = stock(folder / "stock"), ours(folder / "ours")
        with server(folder) as running:
            urls = [asyncio.run(fresh(running, f"of_{each.name}")) for each in projects]
            prepare(*projects, urls, given.tables)
            missed = [not measure(each, projects, urls, given.rounds) for each in CASES]
    return int(any(missed))


def prepare(plain: Project, project: Project, urls: Sequence[str], tables: int) -> None:
    """Both databases have the tables, by one revision that stock writes."""
    for each in (plain, project):
        (each.folder / "env_models.py").write_text(MODELS.format(tables=tables), "utf-8")
    env = plain.folder / "alembic" / "env.py"
    imported = "from env_models import metadata as target_metadata"
    env.write_text(env.read_text("utf-8").replace("target_metadata = None", imported), "utf-8")
    template = "script.py.mako"
    (project.versions.parent / template).write_bytes(
        (plain.versions.parent / template).read_bytes()
    )
    run(plain, urls[0], "revision", "--autogenerate", "-m", "The tables")
    (first,) = plain.versions.glob("*.py")
    (project.versions / first.name).write_bytes(first.read_bytes())
    found = read_revisions(project.versions)
    write_lock(project.versions.parent / "revisions.lock", with_past(found, [found[0].id]))
    for each, url in zip((plain, project), urls, strict=True):
        run(each, url, "upgrade", "head")


def measure(case: Case, projects: Sequence[Project], urls: Sequence[str], rounds: int) -> bool:
    """Print both medians and their ratio; whether it is within the target."""
    took: list[list[Took]] = [[], []]
    # The first of several fills the caches.
    for _ in range(1 + rounds):
        for number, (project, url) in enumerate(zip(projects, urls, strict=True)):
            lock = project.versions.parent / "revisions.lock"
            kept = lock.read_bytes() if project.is_ours else b""
            before = {*project.versions.glob("*.py")}
            took[number].append(run(project, url, *case.command, code=case.code, **case.models))
            for path in {*project.versions.glob("*.py")} - before:
                path.unlink()
            if kept:
                lock.write_bytes(kept)
    wall, own_wall, cpu, own_cpu = (
        statistics.median(getattr(each, unit) for each in several[1:])
        for unit in ("wall_s", "cpu_s")
        for several in took
    )
    ratio, of_cpu = own_wall / wall, own_cpu / cpu
    met = case.target_ratio is None or ratio <= case.target_ratio
    bound = "" if case.target_ratio is None else f"  <= {case.target_ratio}"
    print(
        f"{case.name:<18}{wall:>8.2f} s{own_wall:>8.2f} s{ratio:>8.2f}{of_cpu:>8.2f}"
        f"{bound}{'' if met else ' MISSED'}",
        flush=True,
    )
    return met


def run(project: Project, url: str, *command: str, code: int = 0, **models: str) -> Took:
    """A command that works, or finds the difference; stock has another code for that."""
    took = project.alembic(*command, url=url, **models)
    found = "rank" in took.said or "label" in took.said if command == ("check",) else bool(code)
    if bool(took.code) != bool(code) or found != bool(code):
        raise SystemExit(f"{project.name}: {' '.join(command)}: {took.code}\n{took.said}")
    return took


if __name__ == "__main__":
    sys.exit(main())
