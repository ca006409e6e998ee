"""Key is how the rows of a table are walked: the columns of a unique index, and their types.

A place in the walk is a list of texts, one for each column, as PostgreSQL writes its values: the
state keeps it, and any session turns it into values again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from surefoot.errors import BackfillKeyUnfit, BackfillRowsHidden, BackfillTableGone
from surefoot.frozen import dataclass
from surefoot.quoting import qualified

# Why a backfill of a table of that name does not go on.
REPLACED = "was replaced by another table since it began"
# A place: the texts of the columns.
Place = Sequence[str]

_TABLE = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind = 'r' AND NOT c.relhassubclass,
       c.relkind IN ('r', 'p'), row_security_active(c.oid), greatest(c.reltuples, 0)::float8,
       pg_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
"""
_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull, format_type(atttypid, -1),
       typcategory::text LIKE ANY ('{N,S,D,T,B,E,U,V}')
FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped
"""
# The unique indexes that a walk in the order of the columns can use: ascending, of the types' own
# operator classes and the columns' own collations.
_INDEXES = """
SELECT i.indisprimary, ARRAY(
    SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index i
WHERE i.indrelid = $1::bigint::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND NOT EXISTS (
    SELECT FROM unnest(i.indkey::int2[], i.indoption::int2[], i.indclass::oid[],
                       i.indcollation::oid[])
                WITH ORDINALITY AS k (number, option, class, collated, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    LEFT JOIN pg_opclass o ON o.oid = k.class
    WHERE k.place <= i.indnkeyatts
      AND (k.option <> 0 OR NOT o.opcdefault OR k.collated <> a.attcollation))
ORDER BY NOT i.indisprimary, i.indexrelid
"""


@dataclass(frozen=True)
class Key:
    """The columns of a walk over a table, with their types."""

    oid: int
    schema: str
    table: str
    columns: Sequence[str]
    types: Sequence[str]
    # By the statistics; a table that was never analyzed has 0.
    rows: float
    bytes: int
    # Whether a row is found by its ctid alone: the table has no partitions and no heirs.
    has_places: bool
    # The type of each column of the table, without length and precision; whether there are plain
    # arrays of its values.
    kinds: Mapping[str, tuple[str, bool]]

    @property
    def quoted(self) -> str:
        """The table, as SQL writes it."""
        return qualified(self.schema, self.table)

    @property
    def listed(self) -> str:
        """The columns, as SQL writes them."""
        return ", ".join(map(qualified, self.columns))

    @property
    def texts(self) -> str:
        """The place of a row, as SQL writes it."""
        return f"ARRAY[{', '.join(f'{each}::text' for each in self._of_table)}]"

    def ordered(self, direction: str = "ASC") -> str:
        """The order of the walk; ORDER BY takes a bare name for a column of the result first."""
        return ", ".join(f"{each} {direction}" for each in self._of_table)

    def values(self, place: str) -> str:
        """A place, an SQL expression of the type text[], as the values of the columns."""
        each = (f"CAST(({place})[{n}] AS {type_})" for n, type_ in enumerate(self.types, 1))
        return f"({', '.join(each)})"

    @property
    def row(self) -> str:
        """The columns of a row as one value, which compares as the walk goes."""
        return f"({', '.join(self._of_table)})"

    @property
    def _of_table(self) -> Sequence[str]:
        return [f"{self.quoted}.{qualified(name)}" for name in self.columns]


async def read_key(
    connection: asyncpg.Connection[Any], backfill: str, table: str, columns: Sequence[str]
) -> Key:
    """The key of a table; without columns that of its primary key.

    On failure: BackfillTableGone, BackfillKeyUnfit, BackfillRowsHidden.
    """
    found = await connection.fetchrow(_TABLE, table)
    if found is None:
        raise BackfillTableGone(backfill, table, "does not exist, or was renamed or dropped")
    oid, schema, name, has_places, is_table, is_hidden, rows, size = found
    if not is_table:
        raise BackfillKeyUnfit(backfill, table, ", ".join(columns) or "a key", "it is no table")
    if is_hidden:
        raise BackfillRowsHidden(backfill, table)
    found = await connection.fetch(_COLUMNS, oid)
    types = {name: (type_, fixed) for name, type_, fixed, *_ in found}
    indexes = [(main, tuple(of)) for main, of in await connection.fetch(_INDEXES, oid)]
    wanted = tuple(columns) or next((of for main, of in indexes if main), ())
    shown = ", ".join(wanted) or "its primary key"
    if not wanted:
        raise BackfillKeyUnfit(backfill, table, shown, "it has none that can be walked")
    if missing := [each for each in wanted if each not in types]:
        raise BackfillKeyUnfit(backfill, table, shown, f"it has no column {missing[0]}")
    if wanted not in [of for _, of in indexes]:
        reason = "no valid unique index has these columns in this order, ascending"
        raise BackfillKeyUnfit(backfill, table, shown, reason)
    if loose := [each for each in wanted if not types[each][1]]:
        raise BackfillKeyUnfit(backfill, table, shown, f"{loose[0]} may be NULL")
    of = [types[each][0] for each in wanted]
    kinds = {each[0]: (each[3], each[4]) for each in found}
    return Key(oid, schema, name, wanted, of, rows, size, has_places, kinds)
