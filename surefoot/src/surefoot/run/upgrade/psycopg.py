"""Psycopg gives revisions that were written for psycopg what they rely on, and asyncpg lacks.

Several statements in one text are sent one by one: each is a statement of its own for whoever
follows the revision. `%s` and `%(name)s` are filled in. A statement whose parameters the server
does not take with the types that SQLAlchemy and asyncpg give them is sent with their values as
literals, whose types PostgreSQL finds by the context. psycopg2 always does that.

A failed Parse would abort the transaction. So a text with parameters is tried in a savepoint before
it is sent for the first time: three messages once, and none for its repetitions. Many sets of
parameters are sent in a savepoint, as asyncpg may refuse one when others are sent.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from surefoot.compat.asyncpg import is_of_client
from surefoot.compat.sqlalchemy import await_only, raise_as
from surefoot.connect import sender
from surefoot.connect.driver import TRIAL, is_typed
from surefoot.quoting import several
from surefoot.run.listeners import listening
from surefoot.run.upgrade.literals import as_psycopg2, filled

_NUMBERED = re.compile(r"\$\d")
# So many texts are known at once.
KNOWN = 1000


class Psycopg:
    """The statements of revisions on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # A text with parameters -> whether the server takes their types.
        self._typed: dict[str, bool] = {}

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """Take what psycopg takes, for a block. Begin it before others listen to statements."""
        connection = self._connection
        with listening(
            (connection, "before_cursor_execute", self._before),
            (connection.engine, "do_execute", self._execute),
            (connection.engine, "do_executemany", self._execute_many),
        ):
            yield

    def _before(
        self,
        connection: Connection,
        _cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> tuple[str, Any]:
        """The last of the statements, after the others have run."""
        if sender.revision() is None:
            return statement, parameters
        sets = parameters if many else [parameters]
        texts = [statement]
        if any(sets):
            if context.compiled is None and not _NUMBERED.search(statement):
                texts = _tried(lambda: [filled(statement, each) for each in sets])
            elif several(statement):
                texts = _tried(lambda: [as_psycopg2(context, n) for n in range(len(sets))])
            else:
                return statement, parameters
        parts = [part for each in texts for part in (several(each) or (each,))]
        if not texts or parts == [statement]:
            return statement, parameters
        for part in parts[:-1]:
            connection.exec_driver_sql(part)
        return parts[-1], [()] if many else ()

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
        """True once the statement has run; else SQLAlchemy runs it."""
        return self._sent(cursor.execute, cursor, statement, parameters, context, [0])

    def _execute_many(
        self, cursor: Any, statement: str, parameters: Any, context: Any
    ) -> bool | None:
        numbers = range(len(parameters))
        return self._sent(cursor.executemany, cursor, statement, parameters, context, numbers)

    def _sent(
        self,
        send: Callable[[str, Any], object],
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        numbers: Sequence[int],
    ) -> bool | None:
        is_own = sender.revision() is None or context is None or context.compiled is None
        # With RETURNING, SQLAlchemy writes the values of many sets into one statement.
        if is_own or len(context.compiled_parameters) != len(numbers) or not parameters:
            return None
        refused = None
        if self._is_typed(cursor, statement):
            # Outside of a transaction asyncpg undoes them by itself.
            tries = len(numbers) > 1 and self._driver.is_in_transaction()
            try:
                with self._undone(cursor) if tries else nullcontext():
                    send(statement, parameters)
            except Exception as error:
                if not is_of_client(error.__cause__):
                    raise
                refused = error
            else:
                return True
        literals = _tried(lambda: [as_psycopg2(context, number) for number in numbers])
        if refused is not None and not literals:
            raise refused
        for each in literals:
            cursor.execute(each)
        return bool(literals) or None

    @contextmanager
    def _undone(self, cursor: Any) -> Iterator[None]:
        """Undo the block where asyncpg refuses it."""
        self._send_own(cursor, TRIAL)
        try:
            yield
        except Exception as error:
            if is_of_client(error.__cause__):
                self._send_own(cursor, f"ROLLBACK TO {TRIAL}")
            raise
        self._send_own(cursor, f"RELEASE {TRIAL}")

    def _send_own(self, cursor: Any, statement: str) -> None:
        with sender.own(), raise_as(cursor):
            await_only(self._driver.execute(statement))

    @property
    def _driver(self) -> Any:
        return self._connection.connection.driver_connection

    def _is_typed(self, cursor: Any, statement: str) -> bool:
        if statement not in self._typed:
            if len(self._typed) >= KNOWN:
                self._typed.clear()
            with sender.own(), raise_as(cursor):
                self._typed[statement] = await_only(is_typed(self._driver, statement))
        return self._typed[statement]


def _tried(make: Callable[[], list[str]]) -> list[str]:
    """None, where a value has no literal; the driver's own error then says more."""
    try:
        return make()
    except (SQLAlchemyError, ImportError, LookupError, TypeError, ValueError):
        return []
