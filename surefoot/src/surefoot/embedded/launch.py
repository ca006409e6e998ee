"""launch() runs the supervisor in the background and waits for its one line.

The process that is started here forks and ends at once, so the supervisor is not a child of the
command that happened to need it first.
"""

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
    # -S: the supervisor needs the standard library only, and reading site-packages takes time.
    command = [sys.executable, "-S", "-m", "surefoot.embedded.supervisor"]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": str(PACKAGE_ROOT), "LC_ALL": "C", "TZ": "UTC"}
    with folder.opened_log() as log:
        process = subprocess.Popen(  # noqa: S603 - this Python, a module of this package
            [*command, json.dumps(asdict(spec))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=PACKAGE_ROOT,
            env=environment,
            start_new_session=True,
        )
    process.wait()
    assert process.stdout is not None
    with process.stdout as output:
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([output], [], [], max(0.0, until - time.monotonic()))[0]:
                raise folder.failed("it was not up in time")
            part = os.read(output.fileno(), 65536)
            if not part:
                raise folder.failed("its supervisor ended without a report")
            text += part
    # The state of the running server, or why there is none.
    report: dict[str, Any] = json.loads(text)
    if "up" not in report:
        raise folder.failed(report["failed"], report.get("tail"))
    return ServerState(**report["up"])
