"""How the engine of a service asks for the server, and runs a statement once more.

A statement that a change of the schema has overtaken is undone, and nothing else of its
transaction, before the caller hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from surefoot.compat.sqlalchemy import await_only, raise_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


def serve(engine: Engine) -> None:
    """Let an engine of KeepingConnections do so."""
    engines_own = engine.dialect.do_ping

    def ping(pooled: Any) -> bool:
        """Ask by one message; the engine's own way, as a pooler needs it, takes three."""
        driver = pooled.driver_connection
        with raise_as(pooled):
            if driver.is_in_transaction():
                # The pool does not know one that was begun on a raw connection.
                await_only(driver.execute("ROLLBACK"))
            if driver.keeps:
                await_only(driver.ping())
        return driver.keeps or engines_own(pooled)

    engine.dialect.do_ping = ping  # type: ignore[assignment]  # of this engine alone
    event.listen(engine, "do_execute", _execute)
    event.listen(engine, "do_execute_no_params", _execute_no_params)
    event.listen(engine, "do_executemany", _executemany)


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    return _run(lambda: cursor.execute(statement, parameters), context)


def _execute_no_params(cursor: Any, statement: str, context: Any) -> bool:
    return _run(lambda: cursor.execute(statement), context)


def _executemany(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    return _run(lambda: cursor.executemany(statement, parameters), context)


def _run(send: Callable[[], object], context: Any) -> bool:
    driver = context.root_connection.connection.driver_connection
    driver.repeats = driver.keeps
    try:
        send()
    except Exception:
        if not _undone(context):
            raise
        send()
    finally:
        driver.repeats = False
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
