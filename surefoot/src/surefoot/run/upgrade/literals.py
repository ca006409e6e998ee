"""Values as psycopg2 writes them into a statement: most literals have no type of their own."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import psycopg2

from surefoot.quoting import literal as text_literal

_NUMBERS = {float: "float8", Decimal: "numeric"}
# A datetime is a date too.
_TYPES = {dt.datetime: "timestamp", dt.date: "date", dt.time: "time", UUID: "uuid"}


def as_psycopg2(context: Any, number: int) -> str:
    """The text that psycopg2 would send for one of the sets of parameters of a statement."""
    compiled = context.compiled
    again = compiled.statement.compile(dialect=_dialect(), column_keys=compiled.column_keys)
    state = again.construct_expanded_state(context.compiled_parameters[number])
    values: dict[str, Any] = {}
    for name, value in state.parameters.items():
        process = state.processors.get(name)
        if process is None and name in again.binds:
            kind = again.binds[name].type.dialect_impl(_dialect())
            process = kind.bind_processor(_dialect())
        values[name] = value if process is None else process(value)
    return filled(state.statement, values)


def filled(statement: str, values: Any) -> str:
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


@cache
def _dialect() -> Any:
    return psycopg2.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
