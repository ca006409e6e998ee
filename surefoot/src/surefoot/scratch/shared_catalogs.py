"""Changes that a transaction makes to what the databases of a server share.

Beside another database nothing is committed that would stay on the server when the scratch database
is dropped: roles, tablespaces, settings of roles. A subscription would keep the database from being
dropped.
"""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.errors import ClusterChanged

# A row that is visible while its transaction is in progress is of this one, or of its savepoint;
# other sessions set roles of the same server meanwhile.
UNCOMMITTED = """CASE WHEN age(xmin) <= age(pg_current_xact_id_if_assigned()::xid)
    THEN pg_xact_status((((pg_current_xact_id_if_assigned()::text::bigint >> 32) << 32)
         + xmin::text::bigint)::text::xid8) = 'in progress' END"""
# The shared catalogs that the transaction writes: most are locked until its end, whatever the SQL
# looked like. Settings of the scratch database itself go with it; dependencies follow from others.
_WRITTEN = f"""
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.database = 0
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
  AND c.relname NOT IN ('pg_shdepend', 'pg_db_role_setting')
UNION SELECT 'pg_db_role_setting' FROM pg_db_role_setting
WHERE setdatabase <> (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (xmin = pg_current_xact_id_if_assigned()::xid
       OR setdatabase = 0 AND {UNCOMMITTED})
UNION SELECT 'pg_tablespace' FROM pg_tablespace
WHERE xmin = pg_current_xact_id_if_assigned()::xid
UNION SELECT 'pg_database' FROM pg_database
WHERE xmin = pg_current_xact_id_if_assigned()::xid AND datname <> current_database()
UNION SELECT 'pg_subscription' FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1
"""  # noqa: S608 - both parts are constants


def refuse_changes(connection: Connection) -> None:
    """A listener for the commit of an engine. On failure: ClusterChanged, and it is rolled back."""
    driver: Any = connection.dialect.dbapi
    cursor = connection.connection.cursor()  # no statement of the revision, so no event
    try:
        cursor.execute(_WRITTEN)
        written = [row[0] for row in cursor.fetchall()]
    except driver.Error as error:
        lost = connection.dialect.is_disconnect(error, None, None)
        raise DBAPIError.instance(
            _WRITTEN, None, error, driver.Error, connection_invalidated=lost
        ) from error
    finally:
        cursor.close()
    if written:
        # SQLAlchemy takes the transaction for ended; whatever came next would commit it.
        connection.connection.rollback()
        raise ClusterChanged(written)
