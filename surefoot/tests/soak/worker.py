"""A worker of the soak: takes one group of cases after the other, and gives back what it found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import traceback
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness.databases import Databases, connect
from harness.forks import end_forks
from harness.runs import Launcher
from harness.server import Server, own_server
from soak.bench import CRASHING, Bench, CrashingServer, Group
from soak.cases import Found, run_case
from surefoot.embedded.identity import die_with_parent

# Cases that a worker has under way: most of one is waiting for processes and locks.
AT_ONCE = 4
# A group's number, and the seeds of its cases.
Numbered = tuple[int, Sequence[int]]


def work(
    groups: Sequence[Numbered],
    taken: Any,
    results: Any,
    url: str,
    major: int,
    folder: Path,
    kept: Path,
) -> None:
    """A worker process. SIGTERM ends it where it is, and the runs that it has started."""
    die_with_parent(os.getppid(), signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(_work_on(groups, taken, results, url, major, folder, kept))
    finally:
        results.close()
        results.join_thread()


async def _work_on(
    groups: Sequence[Numbered],
    taken: Any,
    results: Any,
    url: str,
    major: int,
    folder: Path,
    kept: Path,
) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _leave)
    admin = await connect(url)
    server = Server(url, own_server("soak", major))
    databases = Databases(server, admin, prefix=f"soak_{uuid.uuid4().hex[:8]}")
    crashing = CrashingServer(folder / CRASHING, major)
    slots = asyncio.Semaphore(AT_ONCE)
    try:
        bench = Bench(databases, Launcher(), folder, crashing)

        async def take() -> None:
            while (group := _next(groups, taken)) is not None:
                number, seeds = group
                await _group(bench, number, seeds, slots, results, kept)

        # One group is prepared while the cases of another one run.
        await asyncio.gather(take(), take())
    finally:
        end_forks()
        crashing.stop()
        await admin.close()


def _next(groups: Sequence[Numbered], taken: Any) -> Numbered | None:
    """The first group that no worker has taken, which is this one's then."""
    with taken.get_lock():
        index: int = taken.value
        taken.value += 1
    return groups[index] if index < len(groups) else None


def _leave() -> NoReturn:
    """No case is brought to its end: the databases go with their server."""
    end_forks()
    os._exit(128 + signal.SIGTERM)


async def _group(
    bench: Bench,
    number: int,
    seeds: Sequence[int],
    slots: asyncio.Semaphore,
    results: Any,
    kept: Path,
) -> None:
    """The cases of one chain; one of them stands for all where it does not even run undisturbed."""
    try:
        group = await Group.make(bench, number)
    except Exception as error:
        _keep(bench.folder / f"chain-{number}", [], kept / str(seeds[0]))
        wrong = f"the chain does not run undisturbed: {error}\n{traceback.format_exc()}"
        results.put(Found(seeds[0], "none", f"group {number}", wrong=wrong))
        return

    async def one(seed: int) -> None:
        async with slots:
            found = await run_case(bench, group, seed)
            if found.wrong is not None:
                _keep(group.chain.folder, found.runs, kept / str(seed))
            for output in found.runs:
                for path in Path(output).parent.glob(f"{Path(output).name}.*"):
                    path.unlink()
            results.put(found)

    await asyncio.gather(*map(one, seeds))
    await group.drop(bench)


def _keep(chain: Path, runs: Sequence[str], place: Path) -> None:
    """Copy a chain and what its runs said to where they stay."""
    place.mkdir(parents=True)
    shutil.copytree(chain, place / "chain", ignore=shutil.ignore_patterns("__pycache__"))
    for output in runs:
        for path in Path(output).parent.glob(f"{Path(output).name}.*"):
            shutil.copy(path, place)
