"""Creates objects in the form that blocks the database least.

An index is built concurrently, a check and a foreign key are added NOT VALID and then validated, a
key is made of an existing index, NOT NULL is proven by a check before it is set.
"""

from __future__ import annotations

from surefoot.catalog import Catalog, Key
from surefoot.catalog.definitions import identity_parts, index_statement, parse_key
from surefoot.catalog.kinds import Column, Constraint, Index, Partition, Table
from surefoot.catalog.order import in_order
from surefoot.catalog.statements import NAMED_IN_SQL, comment, create, drop, validate
from surefoot.quoting import quoted


def make(key: Key, catalog: Catalog) -> list[str]:
    """The statements that create an object as the catalog has it, with its comment."""
    item = catalog.objects[key]
    if key.kind in NAMED_IN_SQL:
        return []
    match item:
        case Table():
            made = [table(key, catalog)]
        case Column():
            made = [f"ALTER TABLE {quoted(item.table)} ADD COLUMN {column_clause(item)}"]
        case Partition():
            of = f"PARTITION OF {quoted(item.table)} {item.bound}"
            made = [f"CREATE TABLE {quoted(item.name)} {of}"]
        case Index():
            concurrently = not is_partitioned(catalog, item.table)
            made = [index_statement(item.definition, concurrently=concurrently)]
        case Constraint():
            made = constraint(item, partitioned=is_partitioned(catalog, item.table))
        case _:
            return list(create(key, item))
    return [*made, *([comment(key, item)] if item.comment else [])]


def unmake(key: Key, catalog: Catalog) -> list[str]:
    """The statement that drops an object, without CASCADE."""
    item = catalog.objects[key]
    if isinstance(item, Column):
        return [f"ALTER TABLE {quoted(item.table)} DROP COLUMN {quoted(item.name)}"]
    if isinstance(item, Index) and not is_partitioned(catalog, item.table):
        return [drop(key, item).replace("DROP INDEX", "DROP INDEX CONCURRENTLY", 1)]
    return [drop(key, item)]


def is_partitioned(catalog: Catalog, table_name: str) -> bool:
    """Whether a table is partitioned: most online forms do not work on one."""
    found = catalog.table(table_name)
    return found is not None and found.kind == "partitioned table"


def constraint(item: Constraint, *, partitioned: bool) -> list[str]:
    """A constraint: added NOT VALID and validated, or made of an index."""
    table_name, name = quoted(item.table), quoted(item.name)
    add = f"ALTER TABLE {table_name} ADD CONSTRAINT {name}"
    if item.type in ("check", "foreign key") and not partitioned:
        unproven = f"{add} {item.definition} NOT VALID"
        return [unproven, validate(item)] if item.validated else [unproven]
    key = parse_key(item.definition)
    if key is None or partitioned:
        return [f"{add} {item.definition}"]
    include = f" INCLUDE ({key.include})" if key.include else ""
    nulls = " NULLS NOT DISTINCT" if key.nulls_not_distinct else ""
    given = f" WITH ({', '.join(item.index_options)})" if item.index_options else ""
    deferred = " DEFERRABLE" if key.deferrable else ""
    deferred += f" INITIALLY {key.initially}" if key.initially else ""
    return [
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table_name} "
        f"({key.columns}){include}{nulls}{given}",
        f"{add} {key.kind} USING INDEX {name}{deferred}",
    ]


def not_null(column: Column) -> list[str]:
    """NOT NULL by way of a valid check, which spares the scan under ACCESS EXCLUSIVE."""
    alter, name = f"ALTER TABLE {quoted(column.table)}", quoted(column.name)
    check = quoted(f"{column.name[:48]}_is_not_null")
    return [
        f"{alter} ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID",
        f"{alter} VALIDATE CONSTRAINT {check}",
        f"{alter} ALTER COLUMN {name} SET NOT NULL",
        f"{alter} DROP CONSTRAINT {check}",
    ]


def table(key: Key, catalog: Catalog) -> str:
    """CREATE TABLE with the columns, without constraints and indexes."""
    item = catalog.one(Table, key)
    order = catalog.column_order.get(key.name, ())
    columns = [catalog.one(Column, Key("column", f"{key.name}.{name}")) for name in order]
    parts = [
        "CREATE UNLOGGED TABLE" if item.persistence == "unlogged" else "CREATE TABLE",
        f"{quoted(key.name)} ({', '.join(column_clause(each) for each in columns)})",
    ]
    if item.inherits:
        parts.append(f"INHERITS ({', '.join(item.inherits)})")
    if item.partition_key is not None:
        parts.append(f"PARTITION BY {item.partition_key}")
    return " ".join(parts)


def column_clause(column: Column) -> str:
    """A column as CREATE TABLE and ADD COLUMN write it."""
    words = [f"{quoted(column.name)} {column.type}"]
    if column.collation is not None:
        words.append(f"COLLATE {column.collation}")
    if column.generated is not None:
        expression, _, kind = column.generated.rpartition(" ")
        words.append(f"GENERATED ALWAYS AS ({expression}) {kind}")
    if column.identity is not None:
        kind, options = identity_parts(column.identity)
        words.append(f"GENERATED {kind} AS IDENTITY ({options})")
    if column.default is not None:
        words.append(f"DEFAULT {column.default}")
    if column.not_null:
        words.append("NOT NULL")
    return " ".join(words)


def remade(key: Key, expected: Catalog, found: Catalog) -> list[str] | None:
    """Drop an object with its users, and create them as they should be.

    None where a table or a column needs it.
    """
    keys = {key, *found.users_of(key)}
    if any(each.kind in ("table", "column", "partition") for each in keys):
        return None
    statements = [
        statement
        for each in reversed(in_order(keys, found.uses))
        for statement in unmake(each, found)
    ]
    for each in in_order(keys, expected.uses):
        statements += make(each, expected if each in expected.objects else found)
    return statements
