"""A soak: random chains of revisions against random faults, each case checked and replayable.

    python -m soak --cases 300 --seed 1      seeds 1 to 300
    python -m soak --replay 217              that case alone, with its files kept

The exit code is 1 where a case ended elsewhere than the same command without a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import queue
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from harness.server import forget_configuration, own_server, sweep, temporary_folder
from soak.bench import CRASHING, GROUP_CASES, CrashingServer
from soak.cases import Found
from soak.worker import work

PROGRESS_CASES = 25
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# The time that a worker may take to end its runs.
ENDS_WITHIN_S = 20.0


def main() -> int:
    arguments = _arguments()
    forget_configuration()
    sweep()
    # Whoever ends it wants its servers and folders gone.
    for number in SIGNALS:
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    if arguments.replay is not None:
        seeds = [arguments.replay]
    else:
        seeds = list(range(arguments.seed, arguments.seed + arguments.cases))
    groups: dict[int, list[int]] = {}
    for seed in seeds:
        groups.setdefault(seed // GROUP_CASES, []).append(seed)
    print(f"soak: {len(seeds)} cases from seed {seeds[0]}, {arguments.workers} workers", flush=True)
    kept = Path(tempfile.mkdtemp(prefix="surefoot-soak-"))
    started_s = time.monotonic()
    found = []
    embedded = own_server(uuid.uuid4().hex, arguments.pg_major)
    with contextlib.ExitStack() as ends:
        ends.callback(_remove_if_empty, kept)
        url = ends.enter_context(embedded.use()).url("postgres")
        folder = ends.enter_context(temporary_folder())
        cases = _run(list(groups.items()), arguments, url, folder, kept)
        for one in ends.enter_context(contextlib.closing(cases)):
            found.append(one)
            if one.wrong is not None:
                print(f"\nseed {one.seed}: {one.fault} on {one.journey}\n{one.wrong}")
                print(f"files: {kept / str(one.seed)}\nreplay: --replay {one.seed}\n", flush=True)
            if len(found) % PROGRESS_CASES == 0:
                _progress(found, len(seeds), started_s)
    wrong = _summary(found, time.monotonic() - started_s)
    return 1 if wrong or len(found) < len(seeds) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--replay", type=int, help="one seed")
    parser.add_argument("--workers", type=int, default=2)
    major = int(os.environ.get("SUREFOOT_TEST_PG_MAJOR", "18"))
    parser.add_argument("--pg-major", type=int, default=major)
    return parser.parse_args()


def _run(
    groups: list[tuple[int, list[int]]],
    arguments: argparse.Namespace,
    url: str,
    folder: Path,
    kept: Path,
) -> Generator[Found, None, None]:
    """The outcome of each case, as it comes."""
    context = multiprocessing.get_context("spawn")
    taken = context.Value("i", 0)
    results: Any = context.Queue()
    workers = min(arguments.workers, len(groups))
    processes = []
    places = [folder / str(number) for number in range(workers)]
    for place in places:
        place.mkdir()
        options = (groups, taken, results, url, arguments.pg_major, place, kept)
        processes.append(context.Process(target=work, args=options, daemon=True))
    try:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes) or not results.empty():
            with contextlib.suppress(queue.Empty):
                yield results.get(timeout=0.5)
    finally:
        _end(processes)
        for place in places:
            CrashingServer(place / CRASHING, arguments.pg_major).stop()


def _end(processes: Sequence[Any]) -> None:
    """End the workers that still work."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    started = [process for process in processes if process.pid is not None]
    for process in started:
        process.terminate()
    until_s = time.monotonic() + ENDS_WITHIN_S
    for process in started:
        process.join(max(0.0, until_s - time.monotonic()))
        process.kill()
        process.join()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _progress(found: Sequence[Found], of: int, started_s: float) -> None:
    seconds = time.monotonic() - started_s
    wrong = sum(one.wrong is not None for one in found)
    print(
        f"{len(found)} of {of} cases, {wrong} wrong, {seconds:.0f} s, "
        f"{len(found) / seconds:.1f} a second",
        flush=True,
    )


def _summary(found: Sequence[Found], seconds: float) -> int:
    """Print what was found; how many cases are wrong."""
    wrong = [one.seed for one in found if one.wrong is not None]
    print(f"\n{'fault':<22}{'cases':>6}{'s each':>8}  states, exit codes of the disturbed runs")
    for name in sorted({one.fault.partition(",")[0] for one in found}):
        of = [one for one in found if one.fault.partition(",")[0] == name]
        states = Counter(state for one in of for state in one.states)
        codes = Counter(code for one in of for code in one.codes[:-1])
        each_s = sum(one.seconds for one in of) / len(of)
        print(f"{name:<22}{len(of):>6}{each_s:>8.2f}  {_counted(states)}; {_counted(codes)}")
    states = Counter(state for one in found for state in one.states)
    twice = sum("," in one.fault for one in found)
    print(f"\nstates found: {_counted(states)}; {twice} cases with two faults")
    print(
        f"{len(found)} cases in {seconds:.0f} s, {len(found) / seconds:.1f} a second, "
        f"{len(wrong)} wrong{': seeds ' + ', '.join(map(str, wrong)) if wrong else ''}"
    )
    return len(wrong)


def _counted(counter: Counter[Any]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(counter.items(), key=str))


if __name__ == "__main__":
    sys.exit(main())
