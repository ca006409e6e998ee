"""The statements of a step outside a transaction that change something; all others look it up."""

from sqlalchemy import Connection

from surefoot.connect import sender
from surefoot.operations.index_lookups import is_of_parts


def send(connection: Connection, statement: str) -> None:
    """Send a statement of the revision."""
    with sender.own(False):
        connection.exec_driver_sql(statement)


def drop_index(connection: Connection, name: str) -> None:
    """Drop an index, if there is one: that of a partitioned table under a lock."""
    how = "" if is_of_parts(connection, name) else "CONCURRENTLY "
    send(connection, f"DROP INDEX {how}IF EXISTS {name}")
