"""An index as Alembic's operation, from the definition that a catalog has of it or of a key."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

from alembic.operations import ops
from sqlalchemy import literal_column, text
from sqlalchemy.sql.elements import conv

from surefoot.catalog import Attributes

_NAME = r'(?:\w+|"(?:[^"]|"")+")'
_HEAD = re.compile(rf"CREATE (UNIQUE )?INDEX {_NAME} ON {_NAME} USING (\w+) \(")
_KEY = re.compile(
    rf"(PRIMARY KEY|UNIQUE)( NULLS NOT DISTINCT)? \(({_NAME}(?:, {_NAME})*)\)"
    rf"(?: INCLUDE \(({_NAME}(?:, {_NAME})*)\))?( DEFERRABLE)?(?: INITIALLY (DEFERRED))?"
)
_TAIL = re.compile(
    rf"(?: INCLUDE \(({_NAME}(?:, {_NAME})*)\))?( NULLS NOT DISTINCT)?"
    r"(?: WITH \(([^()]*)\))?(?: WHERE (.*))?",
    re.DOTALL,
)
_OPTION = re.compile(r"(\w+)\s*=\s*'?([\w.]+)'?")
# What separates and what groups, with strings and quoted names as one piece each.
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|[^'"(),]+""")
# What SQLAlchemy would take for a parameter.
_PARAMETER = re.compile(r"(?<!:):\w")


@dataclass(frozen=True)
class KeyIndex:
    """The index under a key, and when the key is checked."""

    index: ops.CreateIndexOp
    is_primary: bool
    deferrable: bool
    initially: str | None


def index_of(attributes: Attributes) -> ops.CreateIndexOp | None:
    """An index as an operation; None for one that no operation says all of."""
    definition = str(attributes["definition"])
    head = _HEAD.match(definition)
    if head is None or _PARAMETER.search(definition):
        return None
    items, end = _items(definition, head.end())
    tail = _TAIL.fullmatch(definition[end:])
    if tail is None:
        return None
    include, nulls, options, where = tail.groups()
    given: dict[str, Any] = {}
    if head[2] != "btree":
        given["postgresql_using"] = head[2]
    if include:
        given["postgresql_include"] = names(include)
    if nulls:
        given["postgresql_nulls_not_distinct"] = True
    if options:
        given["postgresql_with"] = dict(_OPTION.findall(options))
    if where:
        given["postgresql_where"] = text(where)
    columns = [
        names(item)[0] if re.fullmatch(_NAME, item) else literal_column(item) for item in items
    ]
    return ops.CreateIndexOp(
        conv(str(attributes["name"])),
        str(attributes["table"]),
        columns,  # type: ignore[arg-type]  # Alembic takes any expression
        unique=bool(head[1]),
        **given,
    )


def key_index_of(attributes: Attributes) -> KeyIndex | None:
    """The unique index that a unique constraint or a primary key can be made of."""
    match = _KEY.fullmatch(str(attributes["definition"]))
    if match is None:
        return None
    kind, nulls, columns, include, deferrable, initially = match.groups()
    given: dict[str, Any] = {}
    if include:
        given["postgresql_include"] = names(include)
    if nulls:
        given["postgresql_nulls_not_distinct"] = True
    index = ops.CreateIndexOp(
        conv(str(attributes["name"])),
        str(attributes["table"]),
        names(columns),
        unique=True,
        **given,
    )
    return KeyIndex(index, kind == "PRIMARY KEY", bool(deferrable), initially)


def leading_columns(attributes: Attributes) -> list[str]:
    """The columns that a whole index or a key begins with, up to its first expression.

    Nothing where it is no index, or one of some rows only.
    """
    definition = str(attributes["definition"])
    head = _HEAD.match(definition)
    if head is None:
        key = _KEY.fullmatch(definition)
        return [] if key is None else names(key[3])
    items, end = _items(definition, head.end())
    tail = _TAIL.fullmatch(definition[end:])
    if tail is None or tail[4]:
        return []
    # What follows a name, an operator class or an order, does not change what is found by it.
    matched = (re.match(rf"{_NAME}(?=$| [^(]*$)", item) for item in items)
    plain = itertools.takewhile(lambda match: match is not None, matched)
    return [names(match[0])[0] for match in plain if match is not None]


def names(listed: str) -> list[str]:
    """The names of a list as SQL writes it, without their quotes."""
    found = re.findall(_NAME, listed)
    return [name[1:-1].replace('""', '"') if name.startswith('"') else name for name in found]


def _items(definition: str, start: int) -> tuple[list[str], int]:
    """The items up to the parenthesis that ends them, and where it ends."""
    depth, items, place = 0, [""], start
    for match in _PIECE.finditer(definition, start):
        piece, place = match[0], match.end()
        if piece == ")" and not depth:
            break
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            items.append("")
        else:
            items[-1] += piece
    return [item.strip() for item in items], place
