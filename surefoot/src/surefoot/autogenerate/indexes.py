"""An index as Alembic's operation, made of the definition of an index or of a key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alembic.operations import ops
from sqlalchemy import literal_column, text
from sqlalchemy.sql.elements import conv

from surefoot.catalog.definitions import is_name, names, parse_index, parse_key
from surefoot.catalog.kinds import Constraint, Index
from surefoot.operations.constraints import PrimaryKeyUsingIndex, UniqueUsingIndex

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

    def using(self, name: str, index: str) -> UniqueUsingIndex:
        """The operation that makes the key of an index."""
        kind = PrimaryKeyUsingIndex if self.is_primary else UniqueUsingIndex
        table, late = str(self.index.table_name), self.deferrable
        return kind(conv(name), table, index, deferrable=late, initially=self.initially)


def index_of(index: Index) -> ops.CreateIndexOp | None:
    """An index as an operation; None where the operation would lose a part of it."""
    found = parse_index(index.definition)
    if found is None or _PARAMETER.search(index.definition):
        return None
    given = {
        "using": found.method if found.method != "btree" else None,
        "include": list(found.include),
        "nulls_not_distinct": found.nulls_not_distinct,
        "with": dict(_OPTION.findall(found.options or "")),
        "where": text(found.where) if found.where else None,
    }
    columns = [names(item)[0] if is_name(item) else literal_column(item) for item in found.items]
    return ops.CreateIndexOp(
        conv(index.name),
        index.table,
        columns,  # type: ignore[arg-type]  # Alembic takes any expression
        unique=found.unique,
        **_postgresql(given),
    )


def key_index_of(constraint: Constraint) -> KeyIndex | None:
    """The unique index that a unique constraint or a primary key can be made of."""
    key = parse_key(constraint.definition)
    if key is None:
        return None
    given = {
        "include": names(key.include) if key.include else None,
        "nulls_not_distinct": key.nulls_not_distinct,
    }
    columns, options = names(key.columns), _postgresql(given)
    index = ops.CreateIndexOp(
        conv(constraint.name), constraint.table, columns, unique=True, **options
    )
    return KeyIndex(index, key.is_primary, key.deferrable, key.initially)


def _postgresql(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"postgresql_{name}": value
        for name, value in given.items()
        if value not in (None, False, [], {})
    }


def leading_columns(item: Index | Constraint) -> list[str]:
    """The columns that a whole index or a key begins with, up to its first expression."""
    if isinstance(item, Index):
        index = parse_index(item.definition)
        return [] if index is None else index.leading_columns
    key = parse_key(item.definition)
    return [] if key is None else names(key.columns)
