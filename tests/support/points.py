"""Points of a run at which something happens to it: before and after every statement and commit.

Nothing names them: they are counted as the run passes them, so what a chain executes decides how
many there are. Loaded into an `alembic` process by tests.support.launcher.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
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
    after_s: float = 0.0,
) -> None:
    """Send `signal` to `pid` (this process by default) at point number `at`; list all in `log`.

    With `backend` it is the server's process of the connection that came to the point; with
    `after_s` it is sent so much later, while the loop goes on.
    """
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    numbers = itertools.count(1)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(target: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(target, signal)

    def point(place: str, of: Any) -> None:
        number = next(numbers)
        os.write(descriptor, f"{number} {place}\n".encode())
        if number != at:
            return
        # What SQLAlchemy executes or commits on knows asyncpg's connection.
        target = of._connection.get_server_pid() if backend else pid or os.getpid()
        if after_s:
            asyncio.get_running_loop().call_later(after_s, send, target)
        else:
            send(target)

    def wrap(name: str, described: Callable[..., str]) -> None:
        original = getattr(dialect, name)

        def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
            what = described(*arguments)
            point(f"before {what}", arguments[0])
            result = original(self, *arguments, **named)
            point(f"after {what}", arguments[0])
            return result

        setattr(dialect, name, wrapped)

    def statement(_cursor: Any, sql: str, *_: Any) -> str:
        return " ".join(sql.split())[:100]

    wrap("do_execute", statement)
    wrap("do_execute_no_params", statement)
    wrap("do_executemany", statement)
    wrap("do_commit", lambda _: "COMMIT")
    wrap("do_rollback", lambda _: "ROLLBACK")


def passed(log: Path) -> list[str]:
    """The points that a run came to, in order."""
    return log.read_text("utf-8").splitlines() if log.exists() else []
