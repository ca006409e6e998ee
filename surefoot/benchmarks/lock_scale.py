"""Measures `surefoot lock` on a long chain beside one plain Alembic upgrade of that chain.

    python benchmarks/lock_scale.py [--revisions N] [--rounds N]

    plain              `alembic upgrade head` of Alembic's stock async template, from base
    baseline at head   `surefoot lock` where no revision is known, and the baseline is the newest
    no baseline        the same without one: every revision is traced and judged too
    one new file       `surefoot lock` where all but the newest are known, with and without baseline
    nothing new        `surefoot lock` where all are known
    alembic revision   its hook formats, traces and completes the new file

Whole processes on the server of the benchmark. Time of the CPU is that of the process and of the
server. A revision of the chain creates a table with its indexes and a foreign key, or adds columns,
a check, an enum, an index, or renames and retypes columns: about one table for three revisions.

The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from projects import MEMORY, ROOT, Project, fresh, ours, server, stock

from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions, with_past
from surefoot.embedded import Running

TO_REACH = 1.5
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# As the scripts that are installed; the process is called by the name of its command.
RUN = {
    "surefoot": "from surefoot.cli import main; main()",
    "alembic": "from alembic.config import main; main()",
}
DATABASE = """\
import os

from sqlalchemy import MetaData

from surefoot import Database

metadata = MetaData()
database = Database(os.environ["DATABASE_URL"], scratch_url=os.environ["DATABASE_URL"])
"""
HOOK = "[post_write_hooks]\nhooks = finish\nfinish.type = surefoot\n"


def bodies(count: int) -> Sequence[str]:
    """The bodies of the revisions."""
    return [_body(number) for number in range(count)]


def _body(number: int) -> str:
    table = f"table_{number // 3:03}"
    if number % 3 == 0:
        parent = f", sa.ForeignKey('table_{number // 6:03}.id')" if number else ""
        return f"""\
            op.create_table(
                {table!r},
                sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
                sa.Column("name", sa.String(200), nullable=False),
                sa.Column("email", sa.Text()),
                sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),
                sa.Column("price", sa.Numeric(12, 2)),
                sa.Column("parent", sa.BigInteger(){parent}),
                sa.UniqueConstraint("name", name="uq_{table}_name"),
            )
            op.create_index("ix_{table}_parent", {table!r}, ["parent"])
            """
    if number % 3 == 1:
        return f"""\
            op.add_column({table!r}, sa.Column("note", sa.String(100)))
            op.add_column({table!r}, sa.Column("size", sa.Integer(), server_default="0"))
            op.create_check_constraint("ck_{table}_size", {table!r}, "size >= 0")
            op.create_index("ix_{table}_at", {table!r}, ["at", "size"])
            """
    return (
        f"""\
            kind = sa.Enum("new", "used", "gone", name="kind_{number}")
            kind.create(op.get_bind())
            op.add_column({table!r}, sa.Column("kind", kind, server_default="new"))
            """,
        f"""\
            op.alter_column({table!r}, "note", type_=sa.String(300))
            op.alter_column({table!r}, "email", new_column_name="mail")
            """,
        f"""\
            op.execute("UPDATE {table} SET note = name WHERE note IS NULL")
            op.drop_constraint("ck_{table}_size", {table!r})
            op.create_check_constraint("ck_{table}_size", {table!r}, "size >= 0 AND size < 1000")
            """,
    )[number // 3 % 3]


def server_s(running: Running) -> float:
    """The CPU time of the server: of its own process, of those that have ended, and of the rest."""
    pid, found = running.state.postgres_pid, 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    for each in (pid, *children):
        try:
            fields = Path(f"/proc/{each}/stat").read_text("utf-8").rpartition(") ")[2].split()
        except OSError:
            continue
        found += sum(map(int, fields[11:15] if each == pid else fields[11:13])) * TICK_S
    return found


def timed(running: Running, project: Project, *command: str, url: str) -> tuple[float, float]:
    """Wall time and CPU time of a command that works."""
    before_s, began_s, spent = server_s(running), time.perf_counter(), os.times()
    if not project.is_ours:
        stock = project.alembic(*command[1:], url=url)
        code, said = stock.code, stock.said
    else:
        done = subprocess.run(
            [sys.executable, "-c", RUN[command[0]], *command[1:]],
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        code, said = done.returncode, done.stdout + done.stderr
    if "NOT LINTED" in said:
        raise SystemExit(said)
    if code > 1:
        raise SystemExit(f"{' '.join(command)} failed with {code}:\n{said}")
    wall_s, now = time.perf_counter() - began_s, os.times()
    own_s = now.children_user + now.children_system - spent.children_user - spent.children_system
    return wall_s, own_s + server_s(running) - before_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--revisions", type=int, default=300)
    parser.add_argument("--only", help="the case of this name, beside plain")
    given = parser.parse_args()
    chain = bodies(given.revisions)
    missed = False
    in_memory = MEMORY if MEMORY.is_dir() else None
    print(f"{given.revisions} revisions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        plain, project = stock(folder / "stock"), ours(folder / "ours")
        ini = project.folder / "alembic.ini"
        ini.write_text(ini.read_text("utf-8") + HOOK, "utf-8")
        (project.folder / "env_database.py").write_text(DATABASE, "utf-8")
        plain.write(chain)
        project.write(chain)
        lock = project.versions.parent / "revisions.lock"
        revisions = read_revisions(project.versions)
        newest = revisions[-1].id

        with server(folder) as running:
            url = asyncio.run(fresh(running, "plain"))
            # The first time compiles the files.
            timed(running, plain, "alembic", "upgrade", "head", url=url)
            url = asyncio.run(fresh(running, "plain"))
            plain_s, cpu_s = timed(running, plain, "alembic", "upgrade", "head", url=url)
            print(f"{'plain':<34}{plain_s:>8.2f} s{cpu_s:>8.2f} s of CPU", flush=True)

            def case(name: str, *command: str, bound: float | None = TO_REACH) -> None:
                nonlocal missed
                if given.only and given.only not in name:
                    return
                wall_s, spent_s = timed(running, project, *command, url=url)
                ratio, spent = wall_s / plain_s, spent_s / cpu_s
                met = bound is None or spent <= bound
                missed = missed or not met
                bounded = "" if bound is None else f"  <= {bound} {'met' if met else 'MISSED'}"
                print(
                    f"{name:<34}{wall_s:>8.2f} s{spent_s:>8.2f} s of CPU"
                    f"{ratio:>8.2f} x{spent:>8.2f} x of CPU{bounded}",
                    flush=True,
                )

            url = asyncio.run(fresh(running, "postgres_"))
            write_lock(lock, with_past(revisions, [newest]))
            case("baseline at head", "surefoot", "lock")
            case("nothing new, baseline at head", "surefoot", "lock")
            forget_newest(lock)
            case("one new file, baseline before it", "surefoot", "lock")
            write_lock(lock, revisions)
            case("no baseline", "surefoot", "lock", bound=None)
            forget_newest(lock)
            case("one new file, no baseline", "surefoot", "lock")
            case("lint of the newest", "surefoot", "lint", newest, bound=None)
            case("alembic revision", "alembic", "revision", "-m", "more", bound=None)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return int(missed)


def forget_newest(lock: Path) -> None:
    """Take what is known of the newest revision out of revisions.lock."""
    *lines, newest = lock.read_text("utf-8").splitlines()
    kept = [
        line.replace(newest.split()[0], lines[-1].split()[0])
        if line.startswith("baseline")
        else line
        for line in lines
    ]
    lock.write_text("\n".join(kept) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
