"""Measures `surefoot lock` on a long chain beside one plain Alembic upgrade of that chain.

    python benchmarks/lock_scale.py [--revisions N] [--rounds N] [--newest]

    plain              `alembic upgrade head` of Alembic's stock async template, from base
    baseline at head   `surefoot lock` where nothing is known, and the baseline is the newest
    baseline before it the same, and the newest is judged
    no baseline        the same without one: every revision is traced, judged and fingerprinted
    one new file       `surefoot lock` where all but the newest are known, and a template is kept
    nothing new        `surefoot lock` where all are known
    alembic revision   its hook traces the new file and completes it

`--newest` measures `lock` after one new file at 300 revisions, beside stock's upgrade of that file
on a copy of the database before it, which is counted, too; and the wall time of `lint` of the
newest of 1,000.

Whole processes, `lock` with a scratch server of its own, kept in a folder of the benchmark and
removed before a case in which nothing is known. Before each runs a plain upgrade on the server of
the benchmark. The figures are medians; the time of the CPU is that of the process and of its
server. A revision of the chain creates a table with its indexes and a foreign key, or adds columns,
a check, an enum, an index, or renames and retypes columns: about one table for three revisions.

The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from projects import MEMORY, ROOT, SUREFOOT, Project, fresh, ours, server, stock

from surefoot.chain.lockfile import baseline, read_lock, with_known, write_lock
from surefoot.chain.revisions import Revision, read_revisions, with_past
from surefoot.embedded import Running
from surefoot.scratch.kept_server import folder, kept_servers

TO_REACH = 1.5
# Of the newest revision: times the upgrade and the copy; seconds.
NEWEST_TO_REACH, LINT_TO_REACH_S = 1.2, 3.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# As the scripts that are installed; the process is called by the name of its command.
RUN = {
    "surefoot": SUREFOOT,
    "alembic": "from alembic.config import main; main()",
}
LOCK, REVISION = ("surefoot", "lock"), ("alembic", "revision", "-m", "more")
HOOK = "revision_environment = true\n[post_write_hooks]\nhooks = finish\nfinish.type = surefoot\n"


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


class Servers:
    """The CPU time of the scratch servers of this machine that begin while the block lasts."""

    def __init__(self) -> None:
        self._pids: dict[int, float] = {}
        self._before = set(self._found())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def cpu_s(self) -> float:
        return sum(self._pids.values())

    def __enter__(self) -> Servers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for pid in set(self._found()) - self._before:
                self._pids[pid] = max(self._pids.get(pid, 0.0), spent_s(pid))

    def _found(self) -> Iterator[int]:
        for place in {MEMORY, Path(tempfile.gettempdir())}:
            for path in place.glob("surefoot-scratch-*/data/postmaster.pid"):
                yield from read(path)
        for path in folder().glob("*/server/data/postmaster.pid"):
            yield from read(path)


def read(path: Path) -> Iterator[int]:
    """The process id in the file of a server."""
    with suppress(OSError, ValueError):
        yield int(path.read_text("utf-8").split()[0])


def spent_s(pid: int) -> float:
    """The CPU time of a server: of its own process, of those that have ended, and of the rest."""
    found = 0.0
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
        for each in (str(pid), *children):
            fields = Path(f"/proc/{each}/stat").read_text("utf-8").rpartition(") ")[2].split()
            found += sum(map(int, fields[11 : 15 if each == str(pid) else 13])) * TICK_S
    return found


def timed(running: Running, project: Project, *command: str, url: str) -> tuple[float, float]:
    """Wall time and CPU time of a command that works."""
    before_s, began_s, spent = spent_s(running.state.postgres_pid), time.perf_counter(), os.times()
    servers = Servers()
    if not project.is_ours:
        stock = project.alembic(*command[1:], url=url)
        code, said = stock.code, stock.said
    else:
        with servers:
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
    # The library says with 1 that it found something.
    if code > (1 if project.is_ours else 0):
        raise SystemExit(f"{' '.join(command)} failed with {code}:\n{said}")
    wall_s, now = time.perf_counter() - began_s, os.times()
    own_s = now.children_user + now.children_system - spent.children_user - spent.children_system
    return wall_s, own_s + servers.cpu_s + spent_s(running.state.postgres_pid) - before_s


@dataclass(frozen=True)
class Case:
    """A command, and what revisions.lock knows before it."""

    name: str
    command: Sequence[str]
    before: Callable[[], object] = lambda: None
    target_ratio: float | None = TO_REACH
    rounds: int | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--revisions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3, help="of each case; 3 by default")
    parser.add_argument("--newest", action="store_true", help="only lock and lint of the newest")
    given = parser.parse_args()
    in_memory = MEMORY if MEMORY.is_dir() else None
    print(f"{given.revisions} revisions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        place = Path(directory)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        plain, project = stock(place / "stock"), ours(place / "ours")
        if given.newest:
            with server(place) as running:
                return newest(plain, project, running, given.rounds)
        (project.versions.parent / "script.py.mako").write_bytes(
            (plain.versions.parent / "script.py.mako").read_bytes()
        )
        ini = project.folder / "alembic.ini"
        ini.write_text(ini.read_text("utf-8") + HOOK, "utf-8")
        for each in (plain, project):
            each.write(bodies(given.revisions))
        lock = project.versions.parent / "revisions.lock"
        unknown = read_revisions(project.versions)
        at_head, at_former = (with_past(unknown, [each.id]) for each in (unknown[-1], unknown[-2]))
        cases = (
            Case("baseline at head", LOCK, lambda: start_over(lock, at_head)),
            Case("baseline before it", LOCK, lambda: start_over(lock, at_former), None, 1),
            Case("one new file after a baseline", LOCK, lambda: forget_newest(lock)),
            Case("nothing new", LOCK),
            Case("no baseline", LOCK, lambda: start_over(lock, unknown), None, 1),
            Case("one new file, no baseline", LOCK, lambda: forget_newest(lock)),
            Case("lint of the newest", ("surefoot", "lint", unknown[-1].id), target_ratio=None),
            Case(
                "alembic revision", ("alembic", "revision", "-m", "x"), target_ratio=None, rounds=1
            ),
        )
        with server(place) as running:
            missed = [not measure(each, plain, project, running, given.rounds) for each in cases]
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return int(any(missed))


def newest(plain: Project, project: Project, running: Running, rounds: int) -> int:
    """Print what the newest revision costs; 1 where a target is missed."""
    met = True
    for size, command in ((300, "lock"), (1000, "lint")):
        for each in (plain, project):
            each.write(bodies(size))
        lock = project.versions.parent / "revisions.lock"
        known = with_past(read_revisions(project.versions), [f"{size - 1:04}"])
        start_over(lock, known)
        url = asyncio.run(fresh(running, "before"))
        timed(running, plain, "alembic", "upgrade", f"{size - 1:04}", url=url)
        ours_url = asyncio.run(fresh(running, "ours"))
        timed(running, project, "surefoot", "lock", url=ours_url)
        arguments = ("lock",) if command == "lock" else ("lint", f"{size:04}")
        took: list[tuple[float, ...]] = []
        for _ in range(rounds + 1):
            before_s, began_s = spent_s(running.state.postgres_pid), time.perf_counter()
            url = asyncio.run(fresh(running, "copy", "before"))
            copied_s = time.perf_counter() - began_s
            copied_cpu_s = spent_s(running.state.postgres_pid) - before_s
            wall_s, cpu_s = timed(running, plain, "alembic", "upgrade", "head", url=url)
            if command == "lock":
                forget_newest(lock)
            ours_s = timed(running, project, "surefoot", *arguments, url=ours_url)
            took.append((*ours_s, wall_s + copied_s, cpu_s + copied_cpu_s))
        wall_s, cpu_s, plain_s, plain_cpu_s = map(statistics.median, zip(*took[1:], strict=True))
        ratio, name = cpu_s / plain_cpu_s, f"{command} of the newest of {size:,}"
        target = f"of CPU {ratio:.2f} x <= {NEWEST_TO_REACH}"
        is_met = max(ratio, wall_s / plain_s) <= NEWEST_TO_REACH
        if command == "lint":
            target, is_met = f"<= {LINT_TO_REACH_S:.1f} s", wall_s <= LINT_TO_REACH_S
        print(
            f"{name:<30}{wall_s:>7.2f} s ({cpu_s:.2f} s of CPU), copy and upgrade {plain_s:.2f} s "
            f"({plain_cpu_s:.2f} s): {wall_s / plain_s:.2f} x, {target}"
            f"{'' if is_met else ' MISSED'}",
            flush=True,
        )
        met = met and is_met
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return int(not met)


def measure(case: Case, plain: Project, project: Project, running: Running, rounds: int) -> bool:
    """Print the medians beside those of plain upgrades in between; whether the bound is kept."""
    took: list[tuple[float, ...]] = []
    # The first of several compiles the files.
    for _ in range(1 + (case.rounds or rounds)):
        url = asyncio.run(fresh(running, "plain"))
        beside = timed(running, plain, "alembic", "upgrade", "head", url=url)
        if not case.rounds or not took:
            case.before()
            url = asyncio.run(fresh(running, "ours"))
            took.append((*timed(running, project, *case.command, url=url), *beside))
    wall_s, cpu_s, plain_s, plain_cpu_s = (
        statistics.median(figures) for figures in zip(*took[-rounds:], strict=True)
    )
    ratio = cpu_s / plain_cpu_s
    met = case.target_ratio is None or ratio <= case.target_ratio
    bound = "" if case.target_ratio is None else f"  <= {case.target_ratio}"
    print(
        f"{case.name:<30}{wall_s:>7.2f} s ({cpu_s:.2f} s of CPU), plain {plain_s:.2f} s "
        f"({plain_cpu_s:.2f} s): {wall_s / plain_s:.2f} x, of CPU {ratio:.2f} x{bound}"
        f"{'' if met else ' MISSED'}",
        flush=True,
    )
    return met


def start_over(lock: Path, revisions: Sequence[Revision]) -> None:
    """Write a revisions.lock of revisions of which nothing is known, and keep no server."""
    write_lock(lock, revisions)
    for each in kept_servers():
        each.remove()


def forget_newest(lock: Path) -> None:
    """Let revisions.lock be as it was before the newest file came."""
    files = with_past(read_revisions(lock.parent / "versions"), baseline(lock))
    write_lock(lock, with_known(files, read_lock(lock))[:-1])


if __name__ == "__main__":
    sys.exit(main())
