"""The mutex lets one upgrade, downgrade or stamp at a time into a database.

It is a session-level advisory lock on the connection that migrates, tried again and again with a
commit after each try, so that lock and work live and die together:

- Waiting inside pg_advisory_lock() is an open transaction to CREATE INDEX CONCURRENTLY, which the
  holder may be running: a deadlock. Between two tries this waits for nobody.
- A lock on a second connection is free at once when a client is killed, while the first one's
  statement still runs. On the same connection both end within client_connection_check_interval.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.chain.version_table import VersionTable
from surefoot.errors import MutexHeld
from surefoot.run.locks.blockers import shape
from surefoot.run.report import duration

SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 0.5
_HOLDER = """
SELECT a.pid, coalesce(a.application_name, ''),
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8, coalesce(a.query, ''),
       CASE WHEN a.state = 'active'
            THEN extract(epoch FROM clock_timestamp() - a.query_start)::float8 END
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = {high}::oid AND l.objid = {low}::oid
"""


@dataclass(frozen=True)
class Holder:
    """Who has the mutex; of another user's session a role may see little more than that."""

    pid: int
    application: str
    connected_s: float | None
    query: str
    # How long that runs; None where it has ended, or is not ours to see.
    running_s: float | None = None

    def __str__(self) -> str:
        return f"backend {self.pid} ({self.application or 'no application name'})"


class Notice:
    """Says who has the mutex: after a moment, and again from time to time."""

    def __init__(self, say: Callable[[str], None], *, first_s: float, limit_s: float) -> None:
        self._say = say
        self._due_s = first_s
        self._limit_s = limit_s

    def waiting(self, holder: Holder | None, waited_s: float) -> None:
        """The run has waited for so long by now."""
        if waited_s < self._due_s:
            return
        self._due_s = waited_s * 2
        self._say(
            f"WAIT [mutex-held]  another migration is at work; {duration(waited_s)} so far, "
            f"gives up at {duration(self._limit_s)}"
        )
        if holder is not None:
            since = holder.connected_s
            connected = f"connected for {duration(since)}, " if since is not None else ""
            self._say(f"  holder: {holder}, {connected}on: {holder.query}")
        self._say("  Ctrl-C is safe: this run has changed nothing")


def key(version_table: VersionTable = VersionTable()) -> int:
    """The advisory lock's number for a version table; databases have theirs apart."""
    digest = hashlib.sha256(version_table.mutex.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def held(
    connection: Connection,
    number: int,
    *,
    wait_s: float,
    sleep: Callable[[float], None],
    done: Callable[[], bool],
    waiting: Callable[[Holder | None, float], None],
) -> Iterator[bool]:
    """Hold the mutex for the block; False where `done()` became true before it could be had.

    `done` is asked before every try, so that runs which have nothing left to do are not queued
    behind one another. `waiting` is told the holder and the seconds waited so far.

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
        holder = find_holder(connection, number)
        if waited_s >= wait_s:
            raise MutexHeld(str(holder or "another session"), waited_s, wait_s)
        waiting(holder, waited_s)
        sleep(min(poll_s * random.uniform(0.5, 1.0), wait_s - waited_s))  # noqa: S311 - spreads polls
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
    try:
        yield True
    finally:
        release(connection, number)


def find_holder(connection: Connection, number: int) -> Holder | None:
    """Who has the mutex now."""
    unsigned = number % 2**64
    sql = _HOLDER.format(high=unsigned >> 32, low=unsigned & 0xFFFFFFFF)
    row = connection.exec_driver_sql(sql).first()
    connection.commit()
    if row is None:
        return None
    return Holder(row[0], row[1], row[2], shape(row[3]), row[4])


def release(connection: Connection, number: int) -> None:
    """Give the mutex back; a connection that is gone has done so."""
    for last in (False, True):
        if connection.closed or connection.invalidated:
            return
        try:
            # Also where there is none: a commit that failed has to be rolled back as well.
            connection.rollback()
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({number})")
            connection.commit()
        except DBAPIError:
            # Once may be a cancellation that was meant for the statement before.
            if last and not connection.invalidated:
                raise
        else:
            return
