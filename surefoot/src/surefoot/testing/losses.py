"""Losses: rows and values that a revision removes or overwrites.

Tables and columns are compared by oid and number, so a rename loses nothing. A dropped table or
column does not count: the revision says so itself.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from surefoot.frozen import dataclass
from surefoot.quoting import quoted
from surefoot.trace.sample_rows import tables
from surefoot.trace.schema_objects import Column
from surefoot.trace.snapshot import Snapshot, take
from surefoot.version_table import VersionTable
from surefoot.wording import counted

# A change to the type on the right keeps the text of a value.
_ALIKE = {"character varying": "text", "smallint": "bigint", "integer": "bigint"}


@dataclass(frozen=True)
class Contents:
    """The rows of each table, as text, by the table's oid and the column's number."""

    state: Snapshot
    rows: Mapping[int, Sequence[Mapping[int, str | None]]]


async def read(
    connection: asyncpg.Connection, version_table: VersionTable = VersionTable()
) -> Contents:
    """The rows of every table. A partition has its own rows, its parent none."""
    state = await take(connection)
    rows = {}
    for table in tables(state, version_table):
        columns = [c for c in state.columns.values() if c.relation == table.oid and not c.generated]
        if table.kind != "r" or not columns:
            continue
        names = ", ".join(f"{quoted(column.name)}::text" for column in columns)
        found = await connection.fetch(f"SELECT {names} FROM ONLY {table.quoted}")  # noqa: S608 - quoted
        numbers = [column.number for column in columns]
        rows[table.oid] = [dict(zip(numbers, row, strict=True)) for row in found]
    return Contents(state, rows)


def lost(before: Contents, after: Contents) -> dict[str, str]:
    """The losses by table or column, as text: `4 of 20 rows of orders`."""
    return dict(
        loss for oid in before.rows if oid in after.rows for loss in _of(oid, before, after)
    )


def _of(oid: int, before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    name = before.state.relations[oid].label
    former, rows = before.rows[oid], after.rows[oid]
    if len(rows) < len(former):
        yield name, f"{len(former) - len(rows)} of {counted(len(former), 'row')} of {name}"
        return
    for (relation, number), column in before.state.columns.items():
        now = after.state.columns.get((oid, number))
        if relation != oid or now is None or column.generated:
            continue
        where = f"{name}.{column.name}"
        if _kind(column) == _kind(now):
            # The labels of an enum may have been renamed.
            enum = column.type_oid if column.type_oid == now.type_oid else None
            was, named = (_labels(each.state, enum) for each in (before, after))
            kept = Counter(named.get(row[number], row[number]) for row in rows)
            held = Counter(was.get(row[number], row[number]) for row in former)
            changed = sum((held - kept).values())
        else:
            empty = sum(row[number] is None for row in rows)
            changed = empty - sum(row[number] is None for row in former)
        if changed > 0:
            yield where, f"{changed} of {counted(len(former), 'value')} of {where}"


def _kind(column: Column) -> str:
    name = column.type.partition("(")[0]
    return _ALIKE.get(name, name)


def _labels(state: Snapshot, enum: int | None) -> Mapping[str | None, str]:
    """The values of an enum by their labels; nothing for another type."""
    return {each.label: f"value {each.oid}" for each in state.labels.values() if each.type == enum}
