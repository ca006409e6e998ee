"""ask() and send() send statements of the run as one message; some go with a COMMIT."""

from typing import Any

from sqlalchemy import Connection, CursorResult

from surefoot.compat.asyncpg import AS_ONE, MigratingConnection, one_message


def ask(connection: Connection, *statements: str) -> str | None:
    """The answer to the last of the statements, which is a query of one text.

    Where no transaction is open, its BEGIN is in the message. An engine that the project made has
    connections of asyncpg's own: they take a message for each, and one more to prepare it.
    """
    driver: Any = connection.connection.driver_connection
    if _joins(driver):
        with driver.joining_begin():
            found = _execute(connection, one_message(*statements)).scalar()
    else:
        *first, query = statements
        for statement in first:
            _execute(connection, statement)
        found = _execute(connection, query).scalar()
    return None if found is None else str(found)


def send(connection: Connection, *statements: str) -> int:
    """Run statements in the current transaction, and return the row count of the last one."""
    if _joins(connection.connection.driver_connection):
        statements = ("; ".join(statements) + AS_ONE,)
    return [_execute(connection, each).rowcount for each in statements][-1]


def send_with_commit(connection: Connection, *statements: str) -> None:
    """Run statements in the current transaction, in the message of its COMMIT where that can be."""
    driver: Any = connection.connection.driver_connection
    if _joins(driver) and driver.is_in_transaction():
        driver.due = "; ".join(statements)
        return  # where there is no transaction yet, SQLAlchemy would send no COMMIT
    for statement in statements:
        _execute(connection, statement)


def may_be_shared(connection: Connection) -> bool:
    """Whether several revisions can be in a transaction of the connection."""
    return _joins(connection.connection.driver_connection)


def is_gone(connection: Connection) -> bool:
    """Whether the connection has ended, as the driver ends it for a text that it cannot encode.

    SQLAlchemy would connect again, to a session that does not hold the mutex.
    """
    return connection.invalidated or _is_closed(connection.connection.driver_connection)


def _execute(connection: Connection, statement: str) -> CursorResult[Any]:
    """Run it, and count its rows, whatever options a revision has set for the connection."""
    return connection.exec_driver_sql(statement, execution_options={"stream_results": False})


def _joins(driver: object) -> bool:
    # asyncpg takes every connection for an instance of every class of connections.
    return issubclass(type(driver), MigratingConnection)


def _is_closed(driver: Any) -> bool:
    return driver is None or bool(driver.is_closed())
