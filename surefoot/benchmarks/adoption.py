"""Measures what a whole history of another team costs under the environment, beside plain Alembic.

    python benchmarks/adoption.py [--rounds N] [--lengths 100 300]

A generated project (tests/histories), from empty to head: under its own env.py, on asyncpg with one
transaction for each revision, and adopted. Counted is CPU time: of the process, from its start to
its end, and of all processes of the server. The two take turns, and each round swaps who is first.

The exit code is 1 where the ratio of the medians is above the target.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from projects import MEMORY, PATIENCE_S, ROOT, fresh, server

sys.path.insert(0, str(ROOT / "tests"))

from histories.history import History, Manner
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import heads, with_past
from surefoot.embedded import Running
from surefoot.project import Project

MANNER = Manner("usual", 100)
TARGET = 1.10
TICKS_S = os.sysconf("SC_CLK_TCK")


def server_cpu_s(running: Running) -> float:
    """The CPU time of the server and of its processes, those that have ended among them."""
    total, pid = 0.0, running.state.postgres_pid
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended, and its parent counts it
        if stat.parent.name == str(pid):
            total += sum(map(int, fields[11:15]))  # its own, and of its children that ended
        elif fields[1] == str(pid):
            total += sum(map(int, fields[11:13]))
    return total / TICKS_S


def upgrade(history: History, running: Running, name: str) -> float:
    """The CPU seconds of `alembic upgrade head` on an empty database."""
    url = asyncio.run(fresh(running, name))
    before, used = resource.getrusage(resource.RUSAGE_CHILDREN), server_cpu_s(running)
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=history.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": url},
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{history.folder.name} failed:\n{done.stderr}")
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return own + server_cpu_s(running) - used


def measure(length: int, folder: Path, running: Running, rounds: int) -> bool:
    """Print both medians and their ratio; whether it is within the target."""
    manner = replace(MANNER, length=length)
    plain = History(manner, folder / f"plain-{length}", plain=True)
    adopted = History(manner, folder / f"adopted-{length}", plain=False)
    project = Project.read(adopted.folder / "alembic.ini")
    revisions = project.revisions()
    write_lock(project.lock, with_past(revisions, heads(revisions)))
    took: dict[History, list[float]] = {plain: [], adopted: []}
    # The first round compiles the revisions; it does not count.
    for number in range(rounds + 1):
        for history in (plain, adopted) if number % 2 else (adopted, plain):
            used_s = upgrade(history, running, history.folder.name)
            if number:
                took[history].append(used_s)
    theirs, ours = statistics.median(took[plain]), statistics.median(took[adopted])
    met = ours / theirs <= TARGET
    shown = "".join(
        f"{statistics.median(used):9.3f} s ({min(used):.3f}-{max(used):.3f})"
        for used in took.values()
    )
    verdict = "met" if met else "MISSED"
    print(f"{length:>4} revisions{shown}{ours / theirs:8.3f} <= {TARGET:.2f} {verdict}", flush=True)
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each length; 7 by default")
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 300])
    options = parser.parse_args()
    in_memory = MEMORY if MEMORY.is_dir() else None
    print(f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}; medians of CPU time")
    print(f"{'':<14}{'plain Alembic':>24}{'adopted':>26}{'ratio':>8}", flush=True)
    with tempfile.TemporaryDirectory(prefix="surefoot-benchmark-", dir=in_memory) as directory:
        folder = Path(directory)
        with server(folder) as running:
            met = [measure(each, folder, running, options.rounds) for each in options.lengths]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
