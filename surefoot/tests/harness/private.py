"""Servers for one test, which would disturb others: crashes, settings, a full disk."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import programs
from harness.server import LIBRARY, ROLE, Server, temporary_folder
from surefoot.embedded import EmbeddedServer, Running, find_binaries

SMALL_DISK = Path(__file__).with_name("small_disk.py")
REPLICATING = {"wal_level": "replica", "max_wal_senders": "4"}

# Starts a server with these settings; it ends with the test.
PrivateServer = Callable[..., Running]


class NotAllowed(Exception):
    """The system does not allow a namespace."""


@contextmanager
def private_servers(like: Server) -> Iterator[PrivateServer]:
    """A function that starts servers with the programs of the run's server."""
    with ExitStack() as stack:

        def start(**options: str) -> Running:
            folder = stack.enter_context(temporary_folder())
            server = EmbeddedServer(
                folder / "server",
                bindir=like.embedded.bindir if like.embedded else None,
                major=like.embedded.major if like.embedded else None,
                durable=False,
                remove_at_end=True,
                user=ROLE,
                database="postgres",
                options=options,
            )
            return stack.enter_context(server.use())

        yield start


@contextmanager
def small_disk(size: str) -> Iterator[tuple[str, str]]:
    """A server's URL, and a folder for a tablespace that holds no more than `size`.

    On failure: NotAllowed.
    """
    with temporary_folder() as folder:
        process = subprocess.Popen(
            [sys.executable, str(SMALL_DISK), str(folder), size],
            cwd=LIBRARY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            if not said:
                raise NotAllowed
            yield said[0], said[1]
        finally:
            process.communicate(timeout=60)
            # The server stops after its user has ended.
            deadline = time.monotonic() + 10
            while (folder / "server").exists() and time.monotonic() < deadline:
                time.sleep(0.05)


@contextmanager
def standby(primary: Running, name: str = "walreceiver") -> Iterator[str]:
    """The URL of a standby of a server that was started with REPLICATING, which sees its name."""
    found = find_binaries(None)
    assert found is not None
    with temporary_folder() as folder:
        data, run = folder / "data", folder / "run"
        run.mkdir()
        url = primary.url("postgres")
        program = str(found.bindir / "pg_basebackup")
        copying = [program, "-d", url, "-D", str(data), "-c", "fast", "-X", "stream"]
        subprocess.run(copying, check=True, capture_output=True, timeout=60)
        (data / "standby.signal").touch()
        of_primary = find_binaries(None, major=int((data / "PG_VERSION").read_text("utf-8")))
        assert of_primary is not None
        options = {"unix_socket_directories": str(run), "listen_addresses": "", "hot_standby": "on"}
        # -R would write options of a newer libpq, which an older server does not know.
        options["primary_conninfo"] = f"{url}&application_name={name}"
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = folder / "log"
        with log.open("wb") as opened:
            command: list[str | Path] = [of_primary.bindir / "postgres", "-D", data, *settings]
            process = programs.start(command, folder, output=opened.fileno())
        try:
            deadline = time.monotonic() + 30
            while _status(data) not in ("ready", "standby"):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < deadline, log.read_text("utf-8")
                time.sleep(0.02)
            yield f"postgresql://{_user(url)}@/postgres?host={run}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _status(data: Path) -> str:
    """The status line of the server's lock file."""
    pid_file = data / "postmaster.pid"
    lines = pid_file.read_text("utf-8").splitlines() if pid_file.exists() else []
    return lines[7].strip() if len(lines) >= 8 else ""


def _user(url: str) -> str:
    return url.partition("://")[2].partition("@")[0]
