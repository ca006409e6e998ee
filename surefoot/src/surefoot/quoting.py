"""Identifiers and literals as SQL writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import IdentifierPreparer


# In a catalog of several schemas, what stands between the schema and the name of an object that is
# not in the default one. No name in PostgreSQL can hold it.
APART = "\0"
# How the names of the trigger and the function of `op.keep_in_step` begin; they are of revisions,
# whatever the models decide.
IN_STEP = "zz_keep_in_step_"
# Bytes of a name, in a server that is built as usual.
LONGEST_NAME = 63
# Comments may hold comments.
_COMMENT = r"/\*(?:(?!/\*|\*/).)*\*/"
for _ in range(3):
    _COMMENT = rf"/\*(?:(?!/\*|\*/).|{_COMMENT})*\*/"
# A piece of a text; a semicolon ends a statement where it is a piece by itself.
_PIECE = re.compile(
    rf"""\bE'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
      | \$((?:[^\W\d]\w*)?)\$.*?\$\1\$ | --[^\n]* | {_COMMENT}
      | \bBEGIN\s+ATOMIC\b | \w[\w$]* | \s+ | .""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def statements(sql: str) -> Iterator[str]:
    """The statements of a text as a client sends them: one by one, without the semicolon."""
    pieces: list[str] = []
    # How deep it is in parentheses, as those of a rule, and in the body of a function.
    depth, body = 0, 0
    for found in (*(match[0] for match in _PIECE.finditer(sql)), ""):
        word = found.upper()
        depth += (word == "(") - (word == ")")
        if word.split() == ["BEGIN", "ATOMIC"]:
            body = 1
        elif body:
            body += (word == "CASE") - (word == "END")
        if found and (found != ";" or depth > 0 or body):
            pieces.append(" " if found.startswith(("--", "/*")) else found)
            continue
        if statement := "".join(pieces).strip():
            yield statement
        pieces = []


def single(sql: str) -> str | None:
    """A text of one statement or expression, without comments and semicolon; None for others."""
    found = tuple(statements(sql))
    return found[0] if len(found) == 1 else None


# A revision that writes many rows prepares one text again and again.
@lru_cache(maxsize=32)
def several(sql: str) -> Sequence[str]:
    """The statements of a text that holds more than one, else none."""
    found = tuple(statements(sql)) if ";" in sql.rstrip(";\n ") else ()
    return found if len(found) > 1 else ()


def quoted(name: str) -> str:
    """The identifier, quoted where PostgreSQL requires it; with its schema where it has one.

    On failure: ValueError, where either is empty: SQLAlchemy 2.1 quotes that, and 2.0 does not.
    """
    parts = name.split(APART)
    if not all(parts):
        raise ValueError("an identifier is not empty")
    return ".".join(map(_preparer().quote, parts))


def own_name(name: str) -> str:
    """The name without its schema."""
    return name.rpartition(APART)[2]


def in_schema(schema: str | None, name: str) -> str:
    """The name with its schema, which is None for the default one."""
    return name if schema is None else f"{schema}{APART}{name}"


def cut(name: str) -> str:
    """The name as PostgreSQL keeps it: its first 63 bytes, without a part of a character."""
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def short_name(name: str) -> str:
    """The name, or one of its own that is as short as PostgreSQL needs it."""
    own = own_name(name)
    if cut(own) == own:
        return name
    begin = own.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
    return in_schema(schema_of(name), f"{begin}_{sha256(own.encode()).hexdigest()[:8]}")


def schema_of(name: str) -> str | None:
    """The schema of a name, or None for the default one."""
    return name.partition(APART)[0] if APART in name else None


def shown(text: str) -> str:
    """A text with names in it, as a person reads them."""
    return text.replace(APART, ".")


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
