"""Psycopg gives revisions that were written for psycopg what they rely on, and asyncpg lacks.

Several statements in one text are sent one by one: each is a statement of its own for whoever
follows the revision. `%s` and `%(name)s` are filled in. A statement whose parameters the server
does not take with the types that SQLAlchemy and asyncpg give them is sent with their values as
literals, whose types PostgreSQL finds by the context. psycopg2 always does that.

A failed Parse would abort the transaction. So a text with parameters is tried in a savepoint before
it is sent for the first time: three messages once, and none for its repetitions.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from surefoot.compat.sqlalchemy import await_only, raise_as
from surefoot.connect import sender
from surefoot.connect.driver import is_typed, was_not_sent
from surefoot.quoting import literal as text_literal
from surefoot.quoting import several

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
        before = (connection, "before_cursor_execute", self._before)
        event.listen(*before, retval=True)
        listeners: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
            (connection.engine, "do_execute", self._execute),
            (connection.engine, "do_executemany", self._execute_many),
        )
        for listener in listeners:
            event.listen(*listener)
        try:
            yield
        finally:
            for listener in (before, *listeners):
                event.remove(*listener)

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
        filled = [statement]
        if any(sets):
            if context.compiled is None and not _NUMBERED.search(statement):
                filled = _tried(lambda: [_filled(statement, each) for each in sets])
            elif several(statement):
                filled = _tried(lambda: [_as_psycopg2(context, n) for n in range(len(sets))])
            else:
                return statement, parameters
        parts = [part for each in filled for part in (several(each) or [each])]
        if not filled or parts == [statement]:
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
        if is_own or len(context.compiled_parameters) != len(numbers) or not any(parameters):
            return None
        refused = None
        if self._is_typed(cursor, statement):
            try:
                send(statement, parameters)
            except Exception as error:
                if not was_not_sent(error.__cause__):
                    raise
                refused = error
            else:
                return True
        literals = _tried(lambda: [_as_psycopg2(context, number) for number in numbers])
        if refused is not None and not literals:
            raise refused
        for each in literals:
            cursor.execute(each)
        return bool(literals) or None

    def _is_typed(self, cursor: Any, statement: str) -> bool:
        if statement not in self._typed:
            driver: Any = self._connection.connection.driver_connection
            if len(self._typed) >= KNOWN:
                self._typed.clear()
            with sender.own(), raise_as(cursor):
                self._typed[statement] = await_only(is_typed(driver, statement))
        return self._typed[statement]


def _tried(make: Callable[[], list[str]]) -> list[str]:
    """None, where a value has no literal; the driver's own error then says more."""
    try:
        return make()
    except (SQLAlchemyError, ImportError, LookupError, TypeError, ValueError):
        return []


def _as_psycopg2(context: Any, number: int) -> str:
    """The text that psycopg2 would send for one of the sets of parameters of a statement."""
    compiled = context.compiled
    again = compiled.statement.compile(dialect=_dialect(), column_keys=compiled.column_keys)
    state = again.construct_expanded_state(context.compiled_parameters[number])
    values = {
        name: state.processors[name](value) if name in state.processors else value
        for name, value in state.parameters.items()
    }
    return _filled(state.statement, values)


def _filled(statement: str, values: Any) -> str:
    """The statement with literals for `%s` or `%(name)s`. On failure: TypeError, ValueError."""
    if isinstance(values, Mapping):
        return statement % {name: _literal(value) for name, value in values.items()}
    return statement % tuple(map(_literal, values))


def _literal(value: object) -> str:
    """The value as psycopg2 writes it. On failure: TypeError."""
    if value is None or isinstance(value, str):
        return text_literal(value if value is None else str.__str__(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, Decimal)):
        # A minus sign after another would begin a comment.
        number = f"{value}" if isinstance(value, Decimal) else repr(value)
        is_finite = number.strip("-0123456789.eE+") == ""
        return f" {number}" if is_finite else f"'{number}'::{_NUMBERS[type(value)]}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"'\\x{bytes(value).hex()}'::bytea"
    if isinstance(value, dt.timedelta):
        whole = f"{value.days} days {value.seconds}.{value.microseconds:06} seconds"
        return f"'{whole}'::interval"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]" if value else "'{}'"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))})"
    for kind, name in _TYPES.items():
        if isinstance(value, kind):
            zone = "tz" if getattr(value, "tzinfo", None) is not None else ""
            return f"'{value}'::{name}{zone}"
    raise TypeError(type(value).__name__)


_NUMBERS = {float: "float8", Decimal: "numeric"}
# A datetime is a date too.
_TYPES = {dt.datetime: "timestamp", dt.date: "date", dt.time: "time", UUID: "uuid"}


@cache
def _dialect() -> Any:
    return psycopg2.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
