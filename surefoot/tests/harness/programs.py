"""Starts programs that refuse to run as root as the user that embedded servers run as."""

from __future__ import annotations

import os
import signal
import subprocess
import warnings
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
    parent = os.getpid()

    def prepare() -> None:
        identity.enter()
        die_with_parent(parent, signal.SIGKILL)

    with warnings.catch_warnings():
        # Python 3.12 and newer warn of a fork beside other threads; these children take no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        identity = choose_identity(folder / "data", found.bindir)
        identity.own(folder)
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            cwd="/",
            preexec_fn=prepare,  # noqa: PLW1509 - as above
            stdout=output,
            stderr=output,
        )
