"""admit() decides whether a run can use a session, before anything else."""

import json
from typing import Any

from surefoot.connect.failures import address
from surefoot.errors import (
    LockTimeoutMissing,
    NotAdopted,
    PoolerRefused,
    ReadOnlyRefused,
    StandbyRefused,
)
from surefoot.run.run import Run
from surefoot.run.session_settings import READ, SessionSettings

_SESSION = f"""
SELECT pg_backend_pid(),
       extract(epoch FROM current_setting('lock_timeout')::interval)::float8, pg_is_in_recovery(),
       current_setting('default_transaction_read_only') = 'on',
       to_regclass($1) IS NOT NULL,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())
               AND relkind IN ('r', 'p', 'm', 'f')
               AND relname <> ALL ($2::text[])
               AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                               AND objid = pg_class.oid AND deptype = 'e')),
       ({READ})
"""  # noqa: S608 - constants


def admit(run: Run) -> tuple[int, float, bool]:
    """Look at the session, whose settings the run learns, and at the schema.

    Returns its backend, its lock timeout in seconds, and whether the schema has tables.

    On failure: PoolerRefused, StandbyRefused, ReadOnlyRefused, LockTimeoutMissing, NotAdopted.
    """
    connection, database = run.connection, run.recorder.database
    table = run.project.version_table
    found = connection.exec_driver_sql(_SESSION, (table.quoted, list(table.relations)))
    pid, lock_timeout_s, standby, read_only, versioned, inhabited, settings = found.one()
    run.settings = SessionSettings(**json.loads(settings))
    connection.rollback()
    driver: Any = connection.connection.driver_connection
    if (connected := driver.get_server_pid()) != pid:
        raise PoolerRefused(
            address(connection.engine.url),
            f"the connection is to process {connected}, and process {pid} answers",
        )
    if standby:
        raise StandbyRefused(database)
    if read_only:
        raise ReadOnlyRefused(database)
    if lock_timeout_s == 0:
        raise LockTimeoutMissing(database)
    if inhabited and not versioned and run.command == "upgrade":
        raise NotAdopted(database, table.name)
    return pid, lock_timeout_s, inhabited
