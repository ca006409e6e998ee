"""Identifiers and literals as SQL writes them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import IdentifierPreparer


def quoted(name: str) -> str:
    """The identifier, quoted where PostgreSQL requires it."""
    return _preparer().quote(name)


def qualified(*names: str) -> str:
    """A name with the names that it is qualified by, each of them quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def label(schema: str, name: str) -> str:
    """A name for messages, without the schema `public`."""
    return name if schema == "public" else f"{schema}.{name}"


def label_sql(schema: str, name: str) -> str:
    """SQL: the same of two columns of names."""
    return f"CASE {schema} WHEN 'public' THEN '' ELSE {schema} || '.' END || {name}"


def literal(value: str | int | None) -> str:
    """The value as a literal, whatever `standard_conforming_strings` is; NULL for none.

    NUL bytes are left out: no text in PostgreSQL can hold one.
    """
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    text = value.replace("\0", "").replace("\\", "\\\\").replace("'", "''")
    return f"E'{text}'" if "\\" in text else f"'{text}'"


@cache
def _preparer() -> IdentifierPreparer:
    # Imported here: the ledger needs literals alone, and reads them on the fast path.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    # With the parameters of asyncpg: those of psycopg2 would double every % in a name.
    dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    preparer: IdentifierPreparer = dialect.identifier_preparer
    return preparer
