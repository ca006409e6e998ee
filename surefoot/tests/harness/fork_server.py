"""Forks commands whose imports are done, so that a test can afford hundreds of them.

    harness.forks -- one JSON object a line --> this process -- fork --> alembic … (N of them)
    harness.forks <-- {"run", "pids"}, {"pid", "code"} --'

Each is a process of its own from before the command reads its arguments: its own loop,
connections, environment and signals. Those of one request start from one barrier.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

# name -> the function that the console script of that name calls
PROGRAMS: dict[str, Callable[..., object]] = {}
# The rooms of the library that a command imports when it has something to do.
IMPORTED = (
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.ext.asyncio",
    "surefoot.autogenerate",
    "surefoot.autogenerate.plugin",
    "surefoot.environment.runner",
    "surefoot.run",
    "surefoot.cli.plan",
    "surefoot.differences",
)


def main(folder: str, programs: Sequence[str]) -> None:
    """Serve requests until stdin ends; then end what still runs, and remove what was printed.

    A program is name=module:function; a module alone is only imported.
    """
    _import_all(programs)
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: set[int] = set()
    _serve(woken, running)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    for pid in running:
        os.waitpid(pid, 0)
    shutil.rmtree(folder, ignore_errors=True)


def _serve(woken: int, running: set[int]) -> None:
    import select

    asked = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(running)
        if 0 in ready:
            piece = os.read(0, 1 << 16)
            if not piece:
                return
            asked += piece
            *lines, asked = asked.split(b"\n")
            for line in lines:
                _start(json.loads(line), running)


def _reap(running: set[int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        running.discard(pid)
        _tell({"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _start(request: dict[str, Any], running: set[int]) -> None:
    closed, barrier = os.pipe()
    pids = []
    for number in range(request["count"]):
        pid = os.fork()
        if pid == 0:
            os.close(barrier)
            os.read(closed, 1)  # until the barrier is closed for all
            _child(request, number)
        pids.append(pid)
    running.update(pids)
    os.close(closed)
    _tell({"run": request["run"], "pids": pids})
    os.close(barrier)


def _child(request: dict[str, Any], number: int) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Whoever asked for it may ignore Ctrl-C, and what it asked for does not.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        _redirect(request["output"], number)
        if request["points"] is not None:
            from harness import points

            points.install(**request["points"])
        sys.argv = [request["program"], *request["argv"]]
        PROGRAMS[request["program"]](argv=request["argv"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        traceback.print_exc()
        # As the interpreter does it: by the signal itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _redirect(output: str, number: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        path = f"{output}.{number}.{name}"
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)


def _tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _import_all(programs: Sequence[str]) -> None:
    """Import the programs, and what their commands would import."""
    for name in IMPORTED:
        importlib.import_module(name)
    for program in programs:
        name, _, path = program.rpartition("=")
        module, _, function = path.partition(":")
        imported = importlib.import_module(module)
        if function:
            PROGRAMS[name] = getattr(imported, function)


if __name__ == "__main__":
    # The barrier and the pipes are this process's own; a test's folder is not its place.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    main(sys.argv[1], sys.argv[2:])
