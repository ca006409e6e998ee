"""Runs the benchmarks of speed one after the other, each beside its peer in the same run.

    python benchmarks/table.py [NAME …]

Every part prints its figures, ratios and targets; see its own description. Without a name all run,
in at most a quarter of an hour on two cores. The exit code is 1 where a target is missed, and the
last lines say in which part.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PARTS = {
    "fresh": ("overhead.py", "--fresh", "--rounds", "5"),
    "commands": ("commands.py", "--rounds", "5"),
    "squash": ("squash.py",),
    "lock": ("lock_scale.py", "--newest"),
    "startup": ("startup.py",),
    "service": ("caches.py",),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PARTS)}")
    names = parser.parse_args().names or list(PARTS)
    if unknown := sorted({*names} - {*PARTS}):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    said = []
    missed = False
    for name in names:
        print(f"== {name}", flush=True)
        began_s = time.monotonic()
        code = subprocess.run([sys.executable, *_command(name)], cwd=FOLDER, check=False).returncode
        missed = missed or code != 0
        verdict = {0: "met", 1: "MISSED"}.get(code, f"failed with {code}")
        said.append(f"{name:<10}{verdict:<8}{time.monotonic() - began_s:>6.0f} s")
    print("", *said, sep="\n")
    return int(missed)


def _command(name: str) -> list[str]:
    script, *arguments = PARTS[name]
    return [str(FOLDER / script), *arguments]


if __name__ == "__main__":
    raise SystemExit(main())
