"""ask() sends statements and a query of the run as one message."""

from typing import Any

from sqlalchemy import Connection

from surefoot.compat.asyncpg import MigratingConnection, one_message


def ask(connection: Connection, *statements: str) -> str | None:
    """The answer to the last of the statements, which is a query of one text.

    Where no transaction is open, its BEGIN is in the message. An engine that the project made has
    connections of asyncpg's own: they take a message for each, and one more to prepare it.
    """
    driver: Any = connection.connection.driver_connection
    # asyncpg takes every connection for an instance of every class of connections.
    if issubclass(type(driver), MigratingConnection):
        with driver.joining_begin():
            found = connection.exec_driver_sql(one_message(*statements)).scalar()
    else:
        *first, query = statements
        for statement in first:
            connection.exec_driver_sql(statement)
        found = connection.exec_driver_sql(query).scalar()
    return None if found is None else str(found)
