"""launch() runs the supervisor in the background and waits for its one line.

The process that is started here forks and ends at once, so the supervisor is not a child of the
command that happened to need it first.
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

from surefoot.embedded.folder import ServerFolder, ServerSpec, ServerState

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
# All that the server needs; passwords and PG… variables of the shell are left out.
PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)


def launch(folder: ServerFolder, spec: ServerSpec, *, until: float) -> ServerState:
    """Start a server under a supervisor, and return when it accepts connections.

    On failure: ServerStartFailed, also when the monotonic clock reaches `until`.
    """
    report = _run_supervisor(folder, spec, until)
    if "up" not in report:
        raise folder.failed(report["failed"], report.get("tail"))
    return ServerState(**report["up"])


def _run_supervisor(folder: ServerFolder, spec: ServerSpec, until: float) -> dict[str, Any]:
    """The supervisor's report: the state of the running server, or why there is none."""
    # -S: the supervisor needs the standard library only, and reading site-packages takes time.
    command = [sys.executable, "-S", "-m", "surefoot.embedded.supervisor"]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": str(PACKAGE_ROOT), "LC_ALL": "C", "TZ": "UTC"}
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603 - this Python, a module of this package
            [*command, json.dumps(asdict(spec))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=PACKAGE_ROOT,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(log)
    process.wait()
    assert process.stdout is not None
    with process.stdout as output:
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([output], [], [], max(0.0, until - time.monotonic()))[0]:
                return {"failed": "it was not up in time"}
            part = os.read(output.fileno(), 65536)
            if not part:
                return {"failed": "its supervisor ended without a report"}
            text += part
    report: dict[str, Any] = json.loads(text)
    return report
