"""Starts programs that refuse to run as root as the user that embedded servers run as."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from surefoot.embedded.binaries import find_binaries
from surefoot.embedded.identity import choose_identity, die_with_parent


def start(
    command: Sequence[str | Path], folder: Path, *, output: int | None = None
) -> subprocess.Popen[bytes]:
    """A child that owns `folder`, dies with this process, and writes to `output` if given."""
    found = find_binaries(None)
    assert found is not None
    identity = choose_identity(folder / "data", found.bindir)
    identity.own(folder)
    parent = os.getpid()

    def prepare() -> None:
        identity.enter()
        die_with_parent(parent, signal.SIGKILL)

    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        stdout=output,
        stderr=output,
    )
