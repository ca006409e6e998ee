"""Makes a data folder, and starts and stops the `postgres` process on it.

Only the supervisor uses this, from its one thread: the kernel's "die with your parent" belongs
to the thread that forked.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from surefoot.embedded.folder import ServerFolder, ServerSpec
from surefoot.embedded.identity import Identity, die_with_parent
from surefoot.embedded.protocol import SOCKET_NAME
from surefoot.wording import duration

POLL_S = 0.005
READY_TIMEOUT_S = 90.0  # a crash recovery comes first
PREDECESSOR_TIMEOUT_S = 10.0
FAST_STOP_TIMEOUT_S = 30.0
IMMEDIATE_STOP_TIMEOUT_S = 5.0
# Log texts of a server that starts while the processes of a killed one still end.
TRANSIENT = ("already exists", "is still in use")

COMMON = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%a@%d ",
}
# A crash of the machine may lose the latest commits, never the database.
DURABLE = {"synchronous_commit": "off", "max_wal_size": "2GB"}
THROW_AWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # A scratch server lives in memory.
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    # In the data folder, so it is removed with it even after a kill.
    "dynamic_shared_memory_type": "mmap",
}


class PostgresFailed(Exception):
    """initdb or postgres ended before the server was up; the log says why."""


def create_cluster(folder: ServerFolder, spec: ServerSpec, identity: Identity) -> None:
    """Make the data folder atomically.

    initdb works in a folder of another name, which is renamed at the end. The next start removes
    the remains of one that was killed.
    """
    for left in folder.directory.glob("data.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    if folder.data_major() is not None:
        return
    new = folder.directory / f"data.new-{os.getpid()}"
    new.mkdir(mode=0o700)
    identity.own(new)
    arguments = [
        str(Path(spec.bindir) / "initdb"),
        *("--pgdata", str(new), "--username", spec.user, "--auth", "trust"),
        *("--encoding", "UTF8", "--no-instructions"),
        *_locale(spec.major),
    ]
    if not spec.durable:
        arguments.append("--no-sync")
    process = _spawn(arguments, identity, signal.SIGKILL)
    code = process.wait()
    if code != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise PostgresFailed(f"initdb ended with exit code {code}")
    new.rename(folder.data)


class Postgres:
    """The server process, a child of this one that dies with it."""

    def __init__(self, folder: ServerFolder, spec: ServerSpec, identity: Identity) -> None:
        self._folder, self._spec, self._identity = folder, spec, identity
        self._process: subprocess.Popen[bytes] | None = None
        # A server that is removed needs no last checkpoint.
        self._stop_signal = signal.SIGQUIT if spec.remove_at_end else signal.SIGINT

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and wait until the server accepts connections.

        On failure: PostgresFailed.
        """
        deadline = time.monotonic() + PREDECESSOR_TIMEOUT_S
        while True:
            end_predecessor(self._folder)
            log_start = self._folder.log_bytes()
            self._process = _spawn(self._arguments(), self._identity, self._stop_signal)
            if self._becomes_ready():
                return
            log = "\n".join(self._folder.log_tail(log_start))
            transient = any(text in log for text in TRANSIENT)
            if not transient or time.monotonic() > deadline:
                raise PostgresFailed(f"postgres ended with exit code {self._process.returncode}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End sessions and server, with harder signals when it takes too long."""
        _end(lambda: self.pid if self.is_alive() else None, self._stop_signal, FAST_STOP_TIMEOUT_S)

    def _arguments(self) -> list[str]:
        options = {
            **COMMON,
            **(DURABLE if self._spec.durable else THROW_AWAY),
            "unix_socket_directories": str(self._folder.run),
            **self._spec.options,
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        program = str(Path(self._spec.bindir) / "postgres")
        return [program, "-D", str(self._folder.data), *settings]

    def _becomes_ready(self) -> bool:
        """True when the server accepts connections; false when it ended instead."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.is_alive():
            lines = _pid_file(self._folder)
            if len(lines) >= 8 and lines[0] == str(self.pid) and lines[7] == "ready":
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise PostgresFailed(f"postgres was not ready after {duration(READY_TIMEOUT_S)}")
            time.sleep(POLL_S)
        return False


def end_predecessor(folder: ServerFolder) -> None:
    """End the server that still runs on the data folder. The caller holds the supervisor's lock.

    A server outlives its supervisor for the moment that a fast stop takes, or for good where the
    system cannot tie it to its parent. A killed one may stay in the process table as a zombie, or
    another program may have its id: postgres would take both for a running server. So this
    process writes its own id into the lock file, which postgres takes for stale; postgres still
    checks whether a child of the dead server uses the shared memory.
    """
    _end(lambda: _server_pid(folder), signal.SIGINT, PREDECESSOR_TIMEOUT_S)
    pid_file = folder.data / "postmaster.pid"
    lines = _pid_file(folder)
    if lines:
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]), encoding="utf-8")
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (folder.run / name).unlink(missing_ok=True)


def _end(alive: Callable[[], int | None], first: signal.Signals, first_s: float) -> None:
    """Signal the process that `alive` names until it names none, harder where it takes too long."""
    later_s = IMMEDIATE_STOP_TIMEOUT_S
    for number, timeout_s in (
        (first, first_s),
        (signal.SIGQUIT, later_s),
        (signal.SIGKILL, later_s),
    ):
        if (pid := alive()) is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + timeout_s
        while alive() is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)


def _server_pid(folder: ServerFolder) -> int | None:
    """The process id of the server that runs on the data folder."""
    lines = _pid_file(folder)
    if not lines or not lines[0].isdigit():
        return None
    if sys.platform != "linux":
        listing = subprocess.run(  # noqa: S603 - an id from the server's own file
            ["/bin/ps", "-o", "stat=,comm=", "-p", lines[0]],
            check=False,
            capture_output=True,
            text=True,
        ).stdout.strip()
        return int(lines[0]) if "postgres" in listing and not listing.startswith("Z") else None
    try:
        # A server works inside its data folder; a zombie is nowhere.
        works_in = Path(f"/proc/{lines[0]}/cwd").readlink()
    except OSError:
        return None
    return int(lines[0]) if works_in == folder.data else None


def _pid_file(folder: ServerFolder) -> list[str]:
    try:
        text = (folder.data / "postmaster.pid").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def _locale(major: int) -> Sequence[str]:
    """UTF-8 in code point order, the same on every system since PostgreSQL has its own."""
    if major >= 17:
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ("--locale=C.UTF-8",) if sys.platform == "linux" else ("--locale=C",)


def _spawn(
    arguments: list[str], identity: Identity, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """A child that runs as `identity`, writes into the log and dies with this process."""
    parent_pid = os.getpid()

    def prepare() -> None:
        identity.enter()
        die_with_parent(parent_pid, death_signal)

    return subprocess.Popen(  # noqa: S603 - initdb or postgres
        arguments,
        stdin=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
    )
