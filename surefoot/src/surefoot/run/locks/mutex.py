"""The mutex lets one upgrade, downgrade or stamp at a time into a database.

It is a session-level advisory lock on the connection that migrates. A run polls it and commits
after each try:

- A wait inside pg_advisory_lock() is an open transaction, and CREATE INDEX CONCURRENTLY of the
  holder would wait for it: a deadlock. Between two tries this session has no transaction.
- A lock on a second connection is free at once when a client is killed, while the statement on the
  first one still runs. On the same connection both end within client_connection_check_interval.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surefoot.errors import MutexHeld
from surefoot.run.events import MutexBusy
from surefoot.run.sessions import MutexHolder, mutex_holder
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from surefoot.run.run import Run

SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 0.5
# Called at every try with the holder and the seconds waited so far.
Waiting = Callable[[MutexHolder | None, float], None]


def key(version_table: VersionTable = VersionTable()) -> int:
    """The number of the advisory lock for a version table. Each database has its own locks."""
    return version_table.mutex_number


@contextmanager
def held(
    connection: Connection,
    number: int,
    *,
    wait_s: float,
    sleep: Callable[[float], None],
    done: Callable[[], bool] = lambda: False,
    waiting: Waiting = lambda _holder, _waited_s: None,
) -> Iterator[bool]:
    """Hold the mutex for the block; yields False where `done()` became true first.

    `done` is asked before every try, so that runs with nothing left to do do not queue.

    On failure: MutexHeld after `wait_s`; nothing was changed.
    """
    started_s = time.monotonic()
    poll_s = SHORTEST_POLL_S
    while True:
        if done():
            yield False
            return
        got = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar())
        connection.commit()
        if got:
            break
        waited_s = time.monotonic() - started_s
        holder = mutex_holder(connection, number)
        connection.commit()
        if waited_s >= wait_s:
            raise MutexHeld(str(holder or "another session"), waited_s, wait_s)
        waiting(holder, waited_s)
        sleep(min(poll_s * random.uniform(0.5, 1.0), wait_s - waited_s))  # noqa: S311 - spreads polls
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
    try:
        yield True
    finally:
        release(connection, number)


def telling(run: Run) -> Waiting:
    """Report who has the mutex: after `warn_after_s`, and each time the wait has doubled."""
    due_s = run.limits.warn_after_s

    def waiting(holder: MutexHolder | None, waited_s: float) -> None:
        nonlocal due_s
        run.telemetry.mutex_waits()
        if waited_s >= due_s:
            due_s = waited_s * 2
            run.recorder.listen(MutexBusy(holder, waited_s, run.limits.mutex_wait_s))

    return waiting


def release(connection: Connection, number: int) -> None:
    """Release the mutex. The server has released it already where the connection is lost."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - a first look needs the key alone

    for last in (False, True):
        if connection.closed or connection.invalidated:
            return
        try:
            # Also where there is no transaction: a commit that failed has to be rolled back.
            connection.rollback()
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({number})")
            connection.commit()
        except DBAPIError:
            # The first may meet a cancellation that was meant for the statement before.
            if last and not connection.invalidated:
                raise
        else:
            return
