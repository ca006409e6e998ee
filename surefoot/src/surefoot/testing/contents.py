"""What tables hold, and what of it is gone after a revision.

Tables and columns are followed by oid and number, so a new name loses nothing. One that was
dropped is gone by a statement that says so; what is looked for is what goes without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from surefoot.quoting import quoted
from surefoot.trace.seed import tables
from surefoot.trace.state import STATE, Column, State, read_state

# Types between which a value keeps its text.
_ALIKE = {
    "character varying": "text",
    "smallint": "bigint",
    "integer": "bigint",
}


@dataclass(frozen=True)
class Contents:
    """The rows of each table, as text, by the table's oid and the column's number."""

    state: State
    rows: Mapping[int, Sequence[Mapping[int, str | None]]]


async def read(connection: asyncpg.Connection) -> Contents:
    """What every table holds. Rows are read where they lie: in partitions, not their parents."""
    state = read_state(await connection.fetchval(STATE))
    rows = {}
    for table in tables(state):
        columns = [c for c in state.columns.values() if c.relation == table.oid and not c.generated]
        if table.kind != "r" or not columns:
            continue
        names = ", ".join(f"{quoted(column.name)}::text" for column in columns)
        found = await connection.fetch(f"SELECT {names} FROM ONLY {table.quoted}")  # noqa: S608 - quoted
        numbers = [column.number for column in columns]
        rows[table.oid] = [dict(zip(numbers, row, strict=True)) for row in found]
    return Contents(state, rows)


def lost(before: Contents, after: Contents) -> dict[str, str]:
    """What was there and is not, by the table or column; with how much of it."""
    return dict(
        loss for oid in before.rows if oid in after.rows for loss in _of(oid, before, after)
    )


def _of(oid: int, before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    name = before.state.relations[oid].label
    former, rows = before.rows[oid], after.rows[oid]
    columns = {
        number: column
        for (relation, number), column in before.state.columns.items()
        if relation == oid and (oid, number) in after.state.columns and not column.generated
    }
    if len(rows) < len(former):
        yield name, f"{len(former) - len(rows)} of {len(former)} rows of {name}"
        return
    for number, column in columns.items():
        where, now = f"{name}.{column.name}", after.state.columns[oid, number]
        if _kind(column) == _kind(now):
            # A value of the same enum may have got another name.
            enum = column.type_oid if column.type_oid == now.type_oid else None
            was, named = (_labels(each.state, enum) for each in (before, after))
            kept = Counter(named.get(row[number], row[number]) for row in rows)
            held = Counter(was.get(row[number], row[number]) for row in former)
            changed = sum((held - kept).values())
        else:
            empty = sum(row[number] is None for row in rows)
            changed = empty - sum(row[number] is None for row in former)
        if changed > 0:
            yield where, f"{changed} of {len(former)} values of {where}"


def _kind(column: Column) -> str:
    name = column.type.partition("(")[0]
    return _ALIKE.get(name, name)


def _labels(state: State, enum: int | None) -> Mapping[str | None, str]:
    """What an enum's labels stand for, by the label; nothing for another type."""
    return {each.label: f"value {each.oid}" for each in state.labels.values() if each.type == enum}
