"""Rows for the scratch database, made from its catalog, so that work on rows can be seen.

A table gets rows as far as its columns' types, keys and references allow without knowing what they
mean; one with a condition that such rows do not meet stays empty. Nothing relies on them: a scan is
counted by the server on an empty table too.
"""

from __future__ import annotations

import graphlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import asyncpg

from surefoot.chain.version_table import VersionTable
from surefoot.quoting import literal
from surefoot.trace.state import Column, Constraint, Relation, State

# How a value is made of the row's number; by the type's name without its modifier.
VALUES = {
    "smallint": "(n % 30000)::smallint",
    "integer": "n::integer",
    "bigint": "n",
    "numeric": "(n % 1000)",
    "real": "n",
    "double precision": "n",
    "boolean": "n % 2 = 0",
    "text": "'text ' || n",
    "character varying": "left('t' || n, LENGTH)",
    "character": "left('t' || n, LENGTH)",
    "bytea": "sha256(n::text::bytea)",
    "date": "date '2020-01-01' + n::integer % 1000",
    "timestamp with time zone": "timestamptz '2020-01-02+00' + n * interval '1 minute'",
    "timestamp without time zone": "timestamp '2020-01-01' + n * interval '1 minute'",
    "time without time zone": "time '12:00'",
    "interval": "n * interval '1 second'",
    "uuid": "md5(n::text)::uuid",
    "json": "'{}'::json",
    "jsonb": "'{}'::jsonb",
    "inet": "'10.0.0.0'::inet + n",
    "cidr": "('10.0.0.0'::inet + n)::cidr",
    "macaddr": "('08:00:00:00:00:' || lpad(to_hex(n % 256), 2, '0'))::macaddr",
    "money": "n::numeric::money",
    "name": "('t' || n)::name",
    "citext": "'text ' || n",
    "oid": "n::oid",
    "bit varying": "n::integer::bit(32)",
    "tsvector": "to_tsvector('simple', 'text ' || n)",
    "point": "point(n, n)",
    "int4range": "int4range(n::integer, n::integer + 1)",
    "int8range": "int8range(n, n + 1)",
    "numrange": "numrange(n, n + 1)",
    "daterange": "daterange(date '2020-01-01' + n::integer, date '2020-01-02' + n::integer)",
    "tsrange": "tsrange(timestamp '2020-01-01' + n * interval '1 hour', "
    "timestamp '2020-01-01' + (n + 1) * interval '1 hour')",
    "tstzrange": "tstzrange(timestamptz '2020-01-01+00' + n * interval '1 hour', "
    "timestamptz '2020-01-01+00' + (n + 1) * interval '1 hour')",
}
# What pg_get_constraintdef writes for LIKE 'x%', for a text and for a number.
_PREFIX = re.compile(r"(?<!!)~~ '([^'%_]+)%'")
_TEXT = re.compile(r"'(?:[^']|'')+'")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


async def seed(
    connection: asyncpg.Connection,
    state: State,
    rows: int,
    version_table: VersionTable = VersionTable(),
) -> None:
    """Put `rows` rows into each table of the State that takes them."""
    filled = []
    for table in in_order(state, version_table):
        for required_only, from_checks in itertools.product((False, True), repeat=2):
            statement = _insert(state, table, rows, required_only, from_checks)
            try:
                async with connection.transaction():
                    await connection.execute(statement)
            except asyncpg.PostgresError:
                continue
            filled.append(table.quoted)
            break
    if filled:
        # Not the others: the server takes a table for small that it knows to be empty.
        await connection.execute(f"ANALYZE {', '.join(filled)}")


async def unseed(
    connection: asyncpg.Connection, state: State, version_table: VersionTable = VersionTable()
) -> None:
    """Empty every table again, but for what says where the database is."""
    names = [table.quoted for table in tables(state, version_table)]
    if names:
        await connection.execute(f"TRUNCATE {', '.join(names)} CASCADE")


def tables(state: State, version_table: VersionTable = VersionTable()) -> Iterator[Relation]:
    """Those of the State, but for what says where the database is."""
    for relation in state.relations.values():
        if relation.is_table and relation.name not in version_table.relations:
            yield relation


def in_order(state: State, version_table: VersionTable = VersionTable()) -> Sequence[Relation]:
    """Each table after those that it refers to; partitions are filled through their parents."""
    whole = {t.oid: t for t in tables(state, version_table) if not t.parents}
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for oid in whole:
        sorter.add(oid, *(f.references for f in references(state, oid) if f.references != oid))
    try:
        order = list(sorter.static_order())
    except graphlib.CycleError:
        order = list(whole)
    return [whole[oid] for oid in order if oid in whole]


def references(state: State, oid: int) -> Iterator[Constraint]:
    """The foreign keys of a table."""
    for constraint in state.constraints.values():
        if constraint.kind == "f" and constraint.relation == oid:
            yield constraint


def _insert(
    state: State, table: Relation, rows: int, required_only: bool, from_checks: bool
) -> str:
    columns = [c for (oid, _), c in sorted(state.columns.items()) if oid == table.oid]
    referring = {n: f for f in references(state, table.oid) for n in f.columns}
    values: dict[str, str] = {}
    for column in columns:
        if column.generated or column.identity == "a":
            continue
        if column.number in referring:
            values[column.name] = _referred(state, referring[column.number], column, rows)
        elif column.default is None and (column.required or not required_only):
            checked = _checked(state, column) if from_checks else None
            values[column.name] = checked or value(state, column)
    source = f"FROM generate_series(1, {rows}) n"
    if not values:
        return f"INSERT INTO {table.quoted} SELECT {source}"
    names = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO {table.quoted} ({names}) SELECT {', '.join(values.values())} {source}"


def value(state: State, column: Column) -> str:
    """How a value of the column's type is made of `n`; NULL where that is not known."""
    name, _, modifier = column.type.partition("(")
    length = modifier.rstrip(")") if modifier.rstrip(")").isdecimal() else "200"
    if column.type.endswith("[]"):
        return "'{}'"
    if name in VALUES:
        return VALUES[name].replace("LENGTH", length)
    for named in state.types.values():
        if named.base and named.name == name.strip('"'):
            return value(state, replace(column, type=named.base))
    labels = [
        label.label
        for label in state.labels.values()
        if state.types.get(label.type) and state.types[label.type].name == name.strip('"')
    ]
    return literal(labels[0]) if labels else "NULL"


def _checked(state: State, column: Column) -> str | None:
    """What a check of the column names: how it begins, a value of several, or a bound."""
    for constraint in state.constraints.values():
        if constraint.relation != column.relation or constraint.columns != (column.number,):
            continue
        check = constraint.check or ""
        if prefix := _PREFIX.search(check):
            return f"'{prefix[1]}' || n"
        if texts := _TEXT.findall(check):
            return str(texts[0])
        if numbers := _NUMBER.findall(check):
            return str(numbers[-1])
    return None


def _referred(state: State, reference: Constraint, column: Column, rows: int) -> str:
    """A key of the table that is referred to; the same row for all columns of the reference."""
    target = state.relations.get(reference.references)
    key = _key(state, reference)
    place = reference.columns.index(column.number)
    if target is None or len(key) <= place or reference.references == reference.relation:
        return "NULL"
    columns: Mapping[tuple[int, int], Column] = state.columns
    name = columns[target.oid, key[place]].name
    order = ", ".join(f'"{columns[target.oid, number].name}"' for number in key)
    count = f"greatest((SELECT count(*) FROM {target.quoted}), 1)"  # noqa: S608 - quoted
    return (
        f'(ARRAY(SELECT "{name}" FROM {target.quoted} '  # noqa: S608 - quoted
        f"ORDER BY {order} LIMIT {rows}))[1 + (n - 1) % {count}]"
    )


def _key(state: State, reference: Constraint) -> tuple[int, ...]:
    index = state.indexes.get(reference.index)
    return index.columns[: len(reference.columns)] if index else ()
