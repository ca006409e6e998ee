"""An index as Alembic's operation, made of the definition of an index or of a key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from alembic.operations import ops
from sqlalchemy import literal_column, text
from sqlalchemy.sql.elements import conv

from surefoot.catalog.definitions import is_name, names, parse_index, parse_key
from surefoot.catalog.kinds import Constraint, Index

_OPTION = re.compile(r"(\w+)\s*=\s*'?([\w.]+)'?")
# SQLAlchemy would take this for a parameter.
_PARAMETER = re.compile(r"(?<!:):\w")


@dataclass(frozen=True)
class KeyIndex:
    """The index under a key, and when the key is checked."""

    index: ops.CreateIndexOp
    is_primary: bool
    deferrable: bool
    initially: str | None


def index_of(index: Index) -> ops.CreateIndexOp | None:
    """An index as an operation; None where the operation would lose a part of it."""
    found = parse_index(index.definition)
    if found is None or _PARAMETER.search(index.definition):
        return None
    given: dict[str, Any] = {}
    if found.method != "btree":
        given["postgresql_using"] = found.method
    if found.include:
        given["postgresql_include"] = list(found.include)
    if found.nulls_not_distinct:
        given["postgresql_nulls_not_distinct"] = True
    if found.options:
        given["postgresql_with"] = dict(_OPTION.findall(found.options))
    if found.where:
        given["postgresql_where"] = text(found.where)
    columns = [names(item)[0] if is_name(item) else literal_column(item) for item in found.items]
    return ops.CreateIndexOp(
        conv(index.name),
        index.table,
        columns,  # type: ignore[arg-type]  # Alembic takes any expression
        unique=found.unique,
        **given,
    )


def key_index_of(constraint: Constraint) -> KeyIndex | None:
    """The unique index that a unique constraint or a primary key can be made of."""
    key = parse_key(constraint.definition)
    if key is None:
        return None
    given: dict[str, Any] = {}
    if key.include:
        given["postgresql_include"] = names(key.include)
    if key.nulls_not_distinct:
        given["postgresql_nulls_not_distinct"] = True
    index = ops.CreateIndexOp(
        conv(constraint.name), constraint.table, names(key.columns), unique=True, **given
    )
    return KeyIndex(index, key.is_primary, key.deferrable, key.initially)


def leading_columns(item: Index | Constraint) -> list[str]:
    """The columns that a whole index or a key begins with, up to its first expression."""
    if isinstance(item, Index):
        index = parse_index(item.definition)
        return [] if index is None else index.leading_columns
    key = parse_key(item.definition)
    return [] if key is None else names(key.columns)
