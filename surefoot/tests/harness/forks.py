"""Commands as processes, forked from one that has done their imports.

run = forks().start("surefoot", "ledger", env={"DATABASE_URL": url})
result = run.wait()

One server of forks lives as long as the pytest worker that first asked for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from harness.server import LIBRARY, SAMPLE

PROGRAMS = ("alembic=alembic.config:main", "surefoot=surefoot.cli:main")
# The limit of an undisturbed run beside many others; only a hang meets it.
PATIENCE_S = 240.0


@dataclass(frozen=True)
class Result:
    """The output of a command and its exit code; minus the signal that ended it."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Points:
    """Where in a run a signal is sent, and to whom: itself by default."""

    at: int
    pid: int | None = None
    signal: int = signal.SIGKILL
    # To the server's process of the connection instead.
    backend: bool = False
    # At so many points in a row.
    times: int = 1
    # Once the statement of the point has been sent.
    sent: bool = False
    after_s: float = 0.0
    # The points are messages to a server, not statements and commits of SQLAlchemy.
    messages: bool = False


class Run:
    """One process."""

    def __init__(self, pid: int, output: Path, code: Future[int]) -> None:
        self.pid = pid
        self.output = output
        self.code = code

    @property
    def has_ended(self) -> bool:
        return self.code.done()

    @property
    def out(self) -> str:
        """Its output so far."""
        return self._read("out")

    @property
    def said(self) -> str:
        """Its narration so far."""
        return self._read("err")

    @property
    def log(self) -> Path:
        """The points that it came to."""
        return Path(f"{self.output}.points")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, *, timeout_s: float = PATIENCE_S) -> Result:
        """Wait for its end. Raises TimeoutError."""
        return Result(self.code.result(timeout_s), self.out, self.said)

    def _read(self, stream: str) -> str:
        try:
            return Path(f"{self.output}.{stream}").read_text("utf-8")
        except FileNotFoundError:
            return ""


class Forks:
    """A server of forks, and what it forked.

    Commands run in the folder of a project, with the library in `library`. `programs` adds commands
    to PROGRAMS, as name=module:function, and modules to import; `paths` is where those are.
    """

    def __init__(
        self,
        project: Path = SAMPLE,
        *,
        library: Path = LIBRARY,
        programs: Sequence[str] = (),
        paths: Sequence[Path] = (),
    ) -> None:
        self._project = project
        self._folder = Path(tempfile.mkdtemp(prefix="surefoot-runs-"))
        importable = os.pathsep.join(map(str, [*paths, library / "src", library / "tests"]))
        server = library / "tests" / "harness" / "fork_server.py"
        self._process = subprocess.Popen(
            [sys.executable, str(server), str(self._folder), *PROGRAMS, *programs],
            env={**os.environ, "PYTHONPATH": importable},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for this process, whose end is the server's as well.
            start_new_session=True,
        )
        self._count = 0
        self._asked: dict[int, tuple[Path, Future[list[Run]]]] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def start_many(
        self,
        program: str,
        *arguments: str,
        count: int,
        env: Mapping[str, str],
        cwd: Path | None = None,
        points: Points | None = None,
    ) -> Sequence[Run]:
        """`count` processes that begin at once; `env` is added to this process's own."""
        self._count += 1
        output = self._folder / str(self._count)
        started: Future[list[Run]] = Future()
        self._asked[self._count] = output, started
        request = {
            "run": self._count,
            "program": program,
            "argv": arguments,
            "cwd": str(cwd or self._project),
            "env": {**os.environ, **env},
            "output": str(output),
            "count": count,
            "points": {"log": f"{output}.0.points", **asdict(points)} if points else None,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return started.result(PATIENCE_S)

    def start(
        self,
        program: str,
        *arguments: str,
        env: Mapping[str, str],
        cwd: Path | None = None,
        points: Points | None = None,
    ) -> Run:
        """One process."""
        (run,) = self.start_many(program, *arguments, count=1, env=env, cwd=cwd, points=points)
        return run

    def close(self) -> None:
        """End what still runs, and remove what was printed."""
        self._process.communicate()
        self._listener.join()

    def _listen(self) -> None:
        codes: dict[int, Future[int]] = {}
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "run" in message:
                output, started = self._asked.pop(message["run"])
                codes.update((pid, Future()) for pid in message["pids"])
                started.set_result(
                    [
                        Run(pid, Path(f"{output}.{number}"), codes[pid])
                        for number, pid in enumerate(message["pids"])
                    ]
                )
            else:
                codes.pop(message["pid"]).set_result(message["code"])


@cache
def forks() -> Forks:
    """The one of this process; `end_forks` ends it."""
    return Forks()


def end_forks() -> None:
    """End the one of this process, if there is one."""
    if forks.cache_info().currsize:
        forks().close()
        forks.cache_clear()
