"""Runs a statement once more where a change of the schema has overtaken it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from surefoot.compat.sqlalchemy import await_only

if TYPE_CHECKING:
    from sqlalchemy import Engine


def repeat_stale(engine: Engine) -> None:
    """Let an engine of KeepingConnections run such a statement again, unknown to the caller.

    Nothing of its transaction is lost: what is undone is the statement alone.
    """
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
