"""admit() decides whether a run can use a session, before anything else."""

from typing import Any

from surefoot.connect.failures import address
from surefoot.errors import (
    AutocommitRefused,
    LockTimeoutMissing,
    NotAdopted,
    PoolerRefused,
    ReadOnlyRefused,
    StandbyRefused,
)
from surefoot.frozen import dataclass
from surefoot.run.run import Run
from surefoot.run.session_settings import READ, SessionSettings

_SESSION = f"""
SELECT pg_backend_pid(),
       extract(epoch FROM current_setting('lock_timeout')::interval)::float8, pg_is_in_recovery(),
       current_setting('default_transaction_read_only') = 'on',
       to_regclass($1) IS NOT NULL, to_regclass($3) IS NOT NULL,
       EXISTS (SELECT FROM pg_catalog.pg_class
           WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
               AND relkind IN ('r', 'p', 'm', 'f')
               AND relname <> ALL ($2::text[] || $4::text[])
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                   WHERE classid = 'pg_catalog.pg_class'::regclass
                               AND objid = pg_class.oid AND deptype = 'e')),
       has_database_privilege(current_database(), 'TEMPORARY')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_class
           WHERE relkind IN ('r', 'p', 'm', 'f', 'v', 'S')
                       AND oid > 16383 AND relpersistence <> 't' AND relname <> ALL ($2::text[])
                       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                           WHERE classid = 'pg_catalog.pg_class'::regclass
                                       AND objid = pg_class.oid AND deptype = 'e')),
       current_setting('max_locks_per_transaction')::int
       * (current_setting('max_connections')::int
          + current_setting('max_prepared_transactions')::int),
       EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtevent <> 'login'
           AND evtenabled <> 'D'),
       ({READ})
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Session:
    """The session of a run, and the database that it found."""

    pid: int
    lock_timeout_s: float
    # Whether the current schema has tables, beside those that the project excludes.
    is_inhabited: bool
    # Whether the version table is there.
    is_versioned: bool
    # Whether revisions may share a transaction: no schema has a relation, but for the records of
    # the project, and the role may have a temporary table.
    may_share: bool
    # The least number of locks that the server has room for.
    lock_slots: int
    # Whether functions of event triggers are called, which may ask for the text of a message.
    has_event_triggers: bool


def admit(run: Run) -> Session:
    """Look at the session, whose settings the run learns, and at the database.

    On failure: PoolerRefused, StandbyRefused, ReadOnlyRefused, LockTimeoutMissing,
    AutocommitRefused, NotAdopted.
    """
    connection, database = run.connection, run.recorder.database
    table, excluded = run.project.version_table, [*run.project.exclude]
    found = connection.exec_driver_sql(
        _SESSION, (table.quoted, [*table.relations], table.ledger, excluded)
    )
    pid, timeout_s, standby, read_only, versioned, recorded, inhabited, *more, settings = (
        found.one()
    )
    run.settings = SessionSettings.of(settings)
    connection.rollback()
    pooled: Any = connection.connection
    if (connected := pooled.driver_connection.get_server_pid()) != pid:
        raise PoolerRefused(
            address(connection.engine.url),
            f"the connection is to process {connected}, and process {pid} answers",
        )
    if standby:
        raise StandbyRefused(database)
    if read_only:
        raise ReadOnlyRefused(database)
    if timeout_s == 0:
        raise LockTimeoutMissing(database)
    if pooled.dbapi_connection.autocommit:
        raise AutocommitRefused(database)
    # Where there is a ledger, its rows say more.
    if inhabited and not (versioned or recorded) and run.command == "upgrade":
        raise NotAdopted(database, table.name)
    return Session(pid, timeout_s, inhabited, versioned, *more)
