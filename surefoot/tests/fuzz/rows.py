"""Made rows: what a table gets, what it has, and the values that a release would fill in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from surefoot.quoting import literal, quoted

ROWS = 3
# The number of the row that a release writes: its values are those of no other.
RELEASED = 5
_TIME = re.compile(r"\d{4}-\d\d-\d\d")
_COLUMNS = """
SELECT CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname,
       attname, format_type(atttypid, atttypmod) AS type,
       CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
       attgenerated <> '' OR attidentity = 'a' AS is_made,
       (SELECT format('SELECT %I FROM %s ORDER BY 1 OFFSET {n} LIMIT 1',
                      (SELECT attname FROM pg_attribute
                       WHERE attrelid = confrelid AND attnum = confkey[1]), confrelid::regclass)
        FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f'
             AND conkey[1] = attnum LIMIT 1) AS refers,
       COALESCE((SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum
                 WHERE enumtypid IN (t.oid, t.typelem)), '{}') AS labels,
       t.typelem <> 0 AND t.typlen = -1 AS is_array
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
WHERE nspname IN ('public', 'far') AND relkind IN ('r', 'p') AND attnum > 0
      AND NOT attisdropped AND relname NOT LIKE 'alembic%' AND NOT relispartition
ORDER BY nspname = 'far', relname, attnum
"""
# Nobody declares partitions; without one a partitioned table takes no row.
_UNDIVIDED = """
SELECT format('CREATE TABLE %I.%I PARTITION OF %s ', relnamespace::regnamespace,
              relname || '_part', oid::regclass)
       || CASE partstrat WHEN 'h' THEN 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' ELSE 'DEFAULT' END
FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = partrelid)
"""
# A value of a type, for the nth row.
_VALUES = {
    "smallint": "{n}", "integer": "{n}", "bigint": "{n}0", "numeric": "{n}0",
    "double precision": "{n}.5", "real": "{n}.5", "text": "'a{n}'", "character varying": "'b{n}'",
    "character": "'c{n}'", "boolean": "({n} % 2 = 0)", "date": "DATE '2020-01-0{m}'",
    "timestamp without time zone": "TIMESTAMP '2020-01-0{m} 10:00'",
    "timestamp with time zone": "TIMESTAMPTZ '2020-01-0{m} 10:00+00'",
    "uuid": "'00000000-0000-0000-0000-00000000000{n}'::uuid", "jsonb": "'{{\"n\": {n}}}'::jsonb",
    "json": "'{{\"n\": {n}}}'::json", "bytea": "'\\x0{n}'::bytea", "interval": "INTERVAL '{n} day'",
    "inet": "'10.0.0.{n}'::inet", "cidr": "'10.0.0.{n}'::cidr",
    "int4range": "int4range({n}, {n} + 1)", "time without time zone": "TIME '10:0{n}'",
    "time with time zone": "TIMETZ '10:0{n}+00'", "tsvector": "to_tsvector('a{n}')",
    "daterange": "daterange('2020-01-0{m}', '2020-02-01')", "bit": "{n}::bit(3)",
    "citext": "'A{n}'::citext", "hstore": "'a=>{n}'::hstore",
    "macaddr": "'08:00:2b:01:02:0{n}'::macaddr", "bit varying": "{n}::bit(5)",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A column of a table, as the server describes it."""

    table: str
    name: str
    type: str
    base: str | None
    is_made: bool
    refers: str | None
    labels: Sequence[str]
    is_array: bool

    def value(self, number: int) -> str:
        """SQL of a value for a row."""
        if self.refers is not None:
            return f"({self.refers.format(n=number)})"
        if self.labels:
            label = literal(self.labels[number % len(self.labels)])
            made = f"ARRAY[{label}]" if self.is_array else label
            return f"{made}::{self.type}"
        type_ = (self.base or self.type).removesuffix("[]")
        plain = " ".join(type_.partition("(")[0].split())
        if " with" in type_ and "(" in type_:
            plain += type_.rpartition(")")[2]
        made = _VALUES[plain].format(n=number, m=number + 1)
        return f"ARRAY[{made}]::{self.type}" if self.is_array else f"({made})::{self.type}"


def cells(connection: Connection) -> Mapping[str, Sequence[Cell]]:
    """The columns of each table."""
    found: dict[str, list[Cell]] = {}
    for row in connection.exec_driver_sql(_COLUMNS):
        found.setdefault(row[0], []).append(Cell(*row))
    return found


def _whole(table: str) -> str:
    """A table as SQL names it."""
    short = table.removeprefix("far.")
    return quoted(short) if short == table else f"far.{quoted(short)}"


def insert(connection: Connection) -> None:
    """Rows in each table: those that its constraints accept."""
    for statement in connection.scalars(text(_UNDIVIDED)).all():
        connection.exec_driver_sql(statement)
    tables = cells(connection)
    for number in range(ROWS):
        # A table that refers to another one may come before it.
        done: set[str] = set()
        for _ in range(2):
            for table in [each for each in tables if each not in done]:
                if _inserted(connection, table, tables[table], number):
                    done.add(table)
    connection.commit()


def _inserted(connection: Connection, table: str, columns: Sequence[Cell], number: int) -> bool:
    return _tried(connection, _insert(table, columns, number))


def _insert(table: str, columns: Sequence[Cell], number: int) -> str:
    given = [each for each in columns if not each.is_made]
    if not given:
        return f"INSERT INTO {_whole(table)} DEFAULT VALUES"
    named = ", ".join(quoted(each.name) for each in given)
    values = ", ".join(each.value(number) for each in given)
    return f"INSERT INTO {_whole(table)} ({named}) VALUES ({values})"


def _tried(connection: Connection, statement: str) -> bool:
    savepoint = connection.begin_nested()
    try:
        connection.execute(text(statement.replace(":", "\\:")))
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except DBAPIError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def release(connection: Connection) -> Sequence[str]:
    """Statements of a release for the present tables: it inserts into, reads and updates each."""
    found = []
    for table, columns in cells(connection).items():
        found += [_insert(table, columns, RELEASED), f"INSERT INTO {_whole(table)} DEFAULT VALUES"]
        if columns:
            names = ", ".join(quoted(each.name) for each in columns)
            found.append(f"SELECT {names} FROM {_whole(table)}")
        if written := [quoted(each.name) for each in columns if not each.is_made]:
            changes = ", ".join(f"{each} = {each}" for each in written)
            found.append(f"UPDATE {_whole(table)} SET {changes}")
    return found


def answered(connection: Connection, statements: Iterable[str]) -> frozenset[str]:
    """Those of the statements that work; nothing that they write stays."""
    connection.rollback()
    found = set()
    for each in statements:
        savepoint = connection.begin_nested()
        if _tried(connection, each):
            found.add(each)
        savepoint.rollback()
    connection.rollback()
    return frozenset(found)


def kept(connection: Connection) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """The rows of each table, as text."""
    found = {}
    for table in cells(connection):
        # Without those of tables that inherit from it, and with those of partitions.
        own = f"oid = t.tableoid AND (relispartition OR oid = {literal(_whole(table))}::regclass)"
        statement = (
            f"SELECT to_jsonb(t) FROM {_whole(table)} t"
            f" WHERE EXISTS (SELECT FROM pg_class WHERE {own}) ORDER BY 1"
        )
        rows = connection.execute(text(statement.replace(":", "\\:")))
        found[table] = [row[0] for row in rows]
    connection.rollback()
    return found


def fill(connection: Connection) -> int:
    """Fill nulls, and the new columns of a swap, as a release does between two revisions.

    Returns how many rows have changed.
    """
    changed = 0
    for table, columns in cells(connection).items():
        names = {each.name: each for each in columns}
        for cell in columns:
            if cell.is_made:
                continue
            former = names.get(cell.name.removesuffix("_new"))
            value = cell.value(1)
            if former is not None and former is not cell:
                value = f"{quoted(former.name)}::text::{cell.type}"
            where = f"{quoted(cell.name)} IS NULL"
            if former is not None and former is not cell:
                where += f" AND {quoted(former.name)} IS NOT NULL"
            statement = f"UPDATE {_whole(table)} SET {quoted(cell.name)} = {value} WHERE {where}"
            changed += _tried(connection, statement)
    connection.commit()
    return changed


def empty(connection: Connection) -> None:
    """No table has a row."""
    tables = [_whole(each) for each in cells(connection)]
    if tables:
        statement = f"TRUNCATE {', '.join(tables)} CASCADE"
        connection.execute(text(statement.replace(":", "\\:")))
    connection.commit()


def lost(
    before: Mapping[str, Sequence[Mapping[str, object]]],
    after: Mapping[str, Sequence[Mapping[str, object]]],
    columns: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """The columns whose values differ; a null that was filled in does not."""
    for table, names in columns.items():
        for name in names:
            old = [_plain(row.get(name)) for row in before.get(table, ())]
            new = [_plain(row.get(name)) for row in after.get(table, ())]
            if len(old) != len(new):
                yield f"{table} had {len(old)} rows and has {len(new)}"
                break
            known = [each for each in old if each is not None]
            missing = [each for each in known if known.count(each) > new.count(each)]
            if missing:
                yield f"{table}.{name} had {old}, and has {new}"


def _plain(value: object) -> str | None:
    """A value whatever its type: 10 and 10.00 are one, and so are a date and its midnight."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value)
    said = str(value).strip()
    if '"=>"' in said:  # an hstore as text; by itself it is read as JSON
        return f"{{{said.replace('=>', ': ')}}}"
    if _TIME.match(said):
        said = said.replace("T", " ")
        return said.partition("+")[0].removesuffix(" 00:00:00").removesuffix(":00")
    try:
        return str(float(said))
    except ValueError:
        return said.removesuffix("/32")
