"""Processes for tests: the ones a test starts, and the ones that those start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.clock import within
from harness.forks import Result, forks
from harness.server import LIBRARY
from surefoot.embedded import EmbeddedServer

# A user of an embedded server in a process of its own: it says where the server is, and stays.
USER = """
import sys
from pathlib import Path
from surefoot.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1]), durable=sys.argv[2] == "durable").use() as running:
    print(running.state.supervisor_pid, running.state.postgres_pid, flush=True)
    sys.stdin.read()
"""


class User:
    """A process that uses an embedded server until it is told to leave, or is killed."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(directory), "durable" if durable else "quick"],
            cwd=LIBRARY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_up(self) -> tuple[int, int]:
        """The ids of supervisor and server, once this user is let in."""
        assert self.process.stdout is not None
        supervisor, postgres = self.process.stdout.readline().split()
        return int(supervisor), int(postgres)

    def leave(self) -> None:
        self.process.communicate(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def user(directory: Path, *, durable: bool = False) -> Iterator[User]:
    """A user that is gone when the block ends, whatever happened."""
    started = User(directory, durable=durable)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.leave()


def quick(directory: Path) -> EmbeddedServer:
    """An embedded server that waits for no disk."""
    return EmbeddedServer(directory, durable=False)


def run(program: str, *arguments: str, **environment: str) -> Result:
    """A command, `alembic` or `surefoot`, to its end."""
    return forks().start(program, *arguments, env=environment).wait()


def is_running(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def kill(pid: int) -> None:
    """Kill a process and wait until it is dead: the signal alone is only a promise."""
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not is_running(pid))


def eventually(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
    """Whether the condition holds, now or before the time is over."""
    deadline = time.monotonic() + within(timeout_s)
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
