"""Points of a run at which something happens to it: before and after every statement and commit.

Nothing names them: they are counted as the run passes them, so what a chain executes decides how
many there are. The fork server loads it into an `alembic` process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def install(
    log: str,
    at: int,
    pid: int | None,
    signal: int,
    *,
    backend: bool = False,
    times: int = 1,
    sent: bool = False,
    after_s: float = 0.0,
    messages: bool = False,
) -> None:
    """Send `signal` to `pid` (this process by default) at point number `at`; list all in `log`.

    With `messages` the points are before and after each message to a server instead. With
    `backend` it is the server's process of the connection that came to the point; with `times`
    it is sent at as many points in a row; with `after_s` so much later, and with `sent` so much
    after the next statement was sent.
    """
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    numbers = itertools.count(1)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(target: int, wait_s: float = 0.0) -> None:
        # No sleep is as short as a statement.
        until_s = time.perf_counter() + wait_s
        while time.perf_counter() < until_s:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.kill(target, signal)

    def point(place: str, of: Any) -> None:
        number = next(numbers)
        os.write(descriptor, f"{number} {place}\n".encode())
        if not at <= number < at + times:
            return
        # The connection that SQLAlchemy executes on knows asyncpg's connection.
        target = of._connection.get_server_pid() if backend else pid or os.getpid()
        if sent:
            asyncio.get_running_loop().call_soon(send, target, after_s)
        elif after_s:
            # Not by the loop: its timers wait for the answer of a statement that is quick.
            threading.Timer(after_s, send, [target]).start()
        else:
            send(target)

    def wrap(name: str, described: Callable[..., str], of: Any = dialect) -> None:
        original = getattr(of, name)

        def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
            what = described(*arguments)
            point(f"before {what}", arguments[0])
            result = original(self, *arguments, **named)
            point(f"after {what}", arguments[0])
            return result

        setattr(of, name, wrapped)

    def statement(_cursor: Any, sql: str, *_: Any) -> str:
        return " ".join(sql.split())[:100]

    if messages:
        # The transport of every connection of asyncpg.
        transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
        wrap("write", lambda *_: "message", transport)
        return
    wrap("do_execute", statement)
    wrap("do_execute_no_params", statement)
    wrap("do_executemany", statement)
    wrap("do_commit", lambda _: "COMMIT")
    wrap("do_rollback", lambda _: "ROLLBACK")


def passed(log: Path) -> list[str]:
    """The points that a run came to, in order."""
    return log.read_text("utf-8").splitlines() if log.exists() else []
