"""Runs a PgBouncer for one test in front of its server."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import programs
from harness.server import temporary_folder
from surefoot.connect.url import DatabaseUrl

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@contextmanager
def pooling(url: str, *, mode: str = "transaction", **settings: str) -> Iterator[str]:
    """The URL of a pooler in front of the server of `url`, for the same database and user."""
    assert PROGRAM is not None
    parsed = DatabaseUrl.parse(url)
    ((host, port),) = parsed.hosts
    password = f" password='{parsed.password}'" if parsed.password else ""
    with temporary_folder() as folder:
        listens = _free_port()
        ini = folder / "pgbouncer.ini"
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(listens),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": "5",
            "logfile": str(folder / "log"),
            **settings,
        }
        ini.write_text(
            f"[databases]\n* = host={host} port={port} user={parsed.user}{password}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in lines.items()),
            "utf-8",
        )
        process = programs.start([PROGRAM, "-q", ini], folder)
        try:
            _wait_until_up(process, listens, folder / "log")
            yield f"postgresql://{parsed.user}@127.0.0.1:{listens}/{parsed.database}"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        said = log.read_text("utf-8") if log.exists() else ""
        assert process.poll() is None, said
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
