"""announced() shows to every session what a run waits for that stands in no queue.

Between two attempts pg_blocking_pids() names nobody, and the last query is a ROLLBACK. So the run
takes shared advisory locks, one for each transaction that it waits for: every role sees them, and
they end with its session. Its last query tells the statement. `run.sessions` reads both.
"""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.run.sessions import AGAIN, SPACE, Blocker, shape


@contextmanager
def announced(
    connection: Connection, statement: str, blockers: Iterable[Blocker]
) -> Iterator[None]:
    """Show during the block, which is in no transaction, what was refused a lock, and by whom."""
    keys = [_key(each.transaction) for each in blockers if each.transaction is not None]
    _send(connection, f"{AGAIN}{shape(statement)}\n{_calls('pg_try_advisory_lock_shared', keys)}")
    try:
        yield
    finally:
        if keys:
            _send(connection, _calls("pg_advisory_unlock_shared", keys))


def _key(transaction: str) -> int:
    """The advisory lock for a transaction: SPACE, and its two numbers in pg_locks."""
    process, number = map(int, transaction.split("/"))
    return SPACE << 50 | process % 2**18 << 32 | number


def _calls(function: str, keys: Iterable[int]) -> str:
    return "SELECT " + ", ".join(f"{function}({key})" for key in keys)


def _send(connection: Connection, query: str) -> None:
    """Send it as one message, where SQLAlchemy would begin a transaction."""
    for _ in range(2):  # the first may meet a cancellation that was on its way
        if connection.invalidated:
            return
        driver: Any = connection.connection.driver_connection
        with contextlib.suppress(*DATABASE_ERRORS):
            await_only(driver.execute(query))
            return
