"""Waits for locks, as the server sees them.

lock_wait(pid)          how long a backend has waited for a lock, and whether others wait behind it
end_wait(pid, seconds)  cancel a statement that waits for much longer
have_ended(numbers)     whether transactions have ended
yield_of_autovacuum(pids)   have autovacuum give way
BLOCKS_OTHERS           whether the session that asks has a lock that readers or writers wait for
"""

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import Connection

from surefoot.compat.sqlalchemy import await_only
from surefoot.frozen import dataclass
from surefoot.quoting import literal

# The modes that no writer can have a lock beside, and ACCESS EXCLUSIVE, beside which no reader can.
_STRONG = "mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
# Rows that were written block their other writers. Catalogs have numbers below 16384; a validation
# writes to them and blocks nobody.
BLOCKS_OTHERS = f"""
EXISTS (SELECT FROM pg_catalog.pg_locks WHERE pid = pg_backend_pid() AND granted
    AND locktype = 'relation'
        AND relation >= 16384 AND ({_STRONG} OR mode = 'RowExclusiveLock'))
"""
# A lock on a relation that the transaction has created blocks no other session: they do not see it
# in pg_class yet. The first condition is cheap, and false for a statement that does not wait.
_WAIT = f"""
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(waitstart)), 0)::float8,
       bool_or(locktype = 'relation' AND {_STRONG}
               AND EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = relation))
FROM pg_catalog.pg_locks
WHERE EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity($1) WHERE wait_event_type = 'Lock')
    AND pid = $1
HAVING NOT bool_and(granted)
"""  # noqa: S608 - a constant
# Its name in the session, and the statement in the `info` of the connection.
_PREPARED = "surefoot_lock_wait"
_END_WAIT = """
DO $$
DECLARE
    until_then timestamptz := clock_timestamp() + interval '{seconds:.3f} s';
BEGIN
    WHILE EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity({pid})
        WHERE wait_event_type = 'Lock') LOOP
        IF clock_timestamp() >= until_then THEN
            PERFORM pg_cancel_backend({pid});
            EXIT;
        END IF;
        PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();
    END LOOP;
END $$
"""
_HAVE_ENDED = (
    "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE virtualtransaction IN ({numbers}))"
)
# Autovacuum has no user. It gives way to a session that has waited for deadlock_timeout; beside
# this mode readers and writers go on.
_YIELD = """
DO $$
DECLARE
    patience_s int := 1 + extract(epoch FROM current_setting('deadlock_timeout')::interval);
    name text;
BEGIN
    PERFORM set_config('lock_timeout', patience_s || 's', true);
    -- It needs a right on the table.
    SET LOCAL role TO DEFAULT;
    FOR name IN
        SELECT l.relation::regclass FROM pg_catalog.pg_locks l
            JOIN pg_catalog.pg_stat_activity a USING (pid)
        WHERE l.pid IN ({pids}) AND a.usesysid IS NULL AND l.granted
          AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
    LOOP
        EXECUTE 'LOCK TABLE ' || name || ' IN SHARE UPDATE EXCLUSIVE MODE';
    END LOOP;
END $$
"""


@dataclass(frozen=True)
class LockWait:
    """A backend waits for a lock."""

    seconds: float
    # Whether readers or writers may wait for it: it has a strong lock, or asks for one.
    blocks_others: bool


def lock_wait(connection: Connection, pid: int) -> LockWait | None:
    """The wait of the backend; None where it does not wait for a lock.

    A statement is looked at many times a second: PostgreSQL plans this once for the connection.
    """
    info, driver = connection.info, cast("Any", connection.connection.driver_connection)
    if _PREPARED not in info:
        info[_PREPARED] = await_only(driver.prepare(_WAIT, name=_PREPARED))
    row = await_only(info[_PREPARED].fetchrow(pid))
    return None if row is None else LockWait(row[0], row[1])


def end_wait(connection: Connection, pid: int, seconds: float) -> None:
    """Cancel the statement of the backend, if it waits for locks for that much longer."""
    connection.exec_driver_sql(_END_WAIT.format(pid=int(pid), seconds=seconds))


def have_ended(connection: Connection, numbers: Iterable[str]) -> bool:
    """Whether all these transactions have ended; `numbers` are those of `Blocker.transaction`."""
    listed = ", ".join(map(literal, numbers))
    return bool(connection.exec_driver_sql(_HAVE_ENDED.format(numbers=listed)).scalar())


def yield_of_autovacuum(connection: Connection, pids: Iterable[int]) -> None:
    """Wait until autovacuum has given way, where it is one of these backends."""
    connection.exec_driver_sql(_YIELD.format(pids=", ".join(map(str, pids))))
