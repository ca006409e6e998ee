"""How the engine of a service asks for the server, and runs a statement once more.

A statement that a change of the schema has overtaken is undone, and nothing else of its
transaction, before the caller hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from surefoot.compat.sqlalchemy import await_only

if TYPE_CHECKING:
    from sqlalchemy import Engine


def serve(engine: Engine) -> None:
    """Let an engine of KeepingConnections do so."""

    def ask(pooled: Any, _record: Any, _proxy: Any) -> None:
        """Ask whether the server is there before a connection is used.

        The engine's own way asks in a transaction, as a pooler needs it: three messages, not one.
        """
        driver = pooled.driver_connection
        try:
            if driver.keeps:
                await_only(driver.ping())
            else:
                engine.dialect.do_ping(pooled)
        except Exception as error:
            if not driver.is_closed():
                raise
            # It is probably not the only one.
            raise InvalidatePoolError from error

    event.listen(engine, "checkout", ask)
    event.listen(engine, "do_execute", _execute)
    event.listen(engine, "do_execute_no_params", _execute_no_params)
    event.listen(engine, "do_executemany", _executemany)


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    try:
        cursor.execute(statement, parameters)
    except Exception:
        if not _undone(context):
            raise
        cursor.execute(statement, parameters)
    return True


def _execute_no_params(cursor: Any, statement: str, context: Any) -> bool:
    return _execute(cursor, statement, None, context)


def _executemany(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    try:
        cursor.executemany(statement, parameters)
    except Exception:
        if not _undone(context):
            raise
        cursor.executemany(statement, parameters)
    return True


def _undone(context: Any) -> bool:
    """Undo the statement that failed; False where it cannot, or has another reason."""
    pooled = context.root_connection.connection
    driver = pooled.driver_connection
    undo = driver.to_undo()
    if undo == "savepoint":
        await_only(driver.undo_savepoint())
    elif undo == "transaction":
        # The cursor begins another one, with the same options.
        pooled.dbapi_connection.rollback()
        return not driver.is_in_transaction()
    return undo is not None
