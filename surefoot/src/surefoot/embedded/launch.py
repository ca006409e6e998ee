"""launch() runs the supervisor in the background and waits for its one line.

The supervisor is nobody's child for long: what was started here forks and ends at once, so that
the command that happens to be first has neither a child to wait for nor one to forget.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from surefoot.embedded.place import Place, Spec, State

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
# What the server and its programs need; passwords and PG… variables of a shell stay out.
PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)


def launch(place: Place, spec: Spec, *, until: float) -> State:
    """Start a server under a supervisor, and return when it lets connections in.

    On failure: ServerStartFailed, also when the monotonic clock shows `until`.
    """
    said = _run_supervisor(place, spec, until)
    if "up" not in said:
        raise place.failed(said["failed"], said.get("tail"))
    return State(**said["up"])


def _run_supervisor(place: Place, spec: Spec, until: float) -> dict[str, Any]:
    """What the supervisor says once the server is up, or will not be."""
    reads, writes = os.pipe()
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
            # -S: the standard library is enough for it, and reading site-packages takes time.
            [
                sys.executable,
                "-S",
                "-m",
                "surefoot.embedded.supervisor",
                spec.directory,
                str(writes),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=PACKAGE_ROOT,
            env={
                **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
                "PYTHONPATH": str(PACKAGE_ROOT),
                "LC_ALL": "C",
                "TZ": "UTC",
            },
            pass_fds=(writes,),
            start_new_session=True,
        )
        os.close(writes)
        writes = -1
        process.communicate(json.dumps(asdict(spec)).encode())
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([reads], [], [], max(0.0, until - time.monotonic()))[0]:
                return {"failed": "it was not up in time"}
            part = os.read(reads, 65536)
            if not part:
                return {"failed": "its supervisor ended without a word"}
            text += part
        answer: dict[str, Any] = json.loads(text)
        return answer
    finally:
        for file in (reads, writes, log):
            if file >= 0:
                os.close(file)
