"""Adds a column again, changes one back in place, and gives columns and tables their settings."""

from dataclasses import replace

from surefoot.catalog import Catalog, Key, alterations
from surefoot.catalog.changes import table
from surefoot.catalog.kinds import Attribute, Attributes, Column, Partition, Table
from surefoot.differences import online_ddl
from surefoot.quoting import literal, quoted

# PostgreSQL changes no type under these; it rebuilds the others by itself.
_IN_THE_WAY = frozenset({"view", "materialized view", "rule", "trigger", "policy"})
_BY_INDEX: frozenset[Attribute] = frozenset({"cluster index", "replica identity"})
_OF_COLUMN: frozenset[Attribute] = frozenset(
    {"storage", "compression", "statistics", "attribute options"}
)
_GOES_ALONG = frozenset({"index", "constraint", "statistics"})


def added(column: Column) -> tuple[list[str], str | None]:
    """The statements that add a column, and a note on its values."""
    add = f"ALTER TABLE {quoted(column.table)} ADD COLUMN"
    note = None if column.has_own_value else "its values do not come back"
    if column.has_own_value or not column.not_null:
        return [f"{add} {online_ddl.column_clause(column)}"], note
    nullable = online_ddl.column_clause(replace(column, not_null=False))
    note = "its values do not come back: fill it before it is required"
    return [f"{add} {nullable}", *online_ddl.not_null(column)], note


def changed(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    """The statements that change a column back, in an order that works."""
    before, after = found.one(Column, key), expected.one(Column, key)
    if "generated" in names and not _becomes_ordinary(before, after):
        return _recreated(key, expected, found)
    alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
    sql: list[str] = []
    if "generated" in names:
        sql.append(f"{alter} DROP EXPRESSION")
    # An identity is dropped before a default is set, and added after one is dropped.
    if "identity" in names and after.identity is None:
        sql += alterations.identity(before, after)
    if names & {"type", "collation"}:
        sql += _retyped(key, expected, found)
    elif "default" in names:
        sql.append(_default(alter, after))
    if "identity" in names and after.identity is not None:
        sql += alterations.identity(before, after)
    if "not null" in names:
        sql += online_ddl.not_null(after) if after.not_null else [f"{alter} DROP NOT NULL"]
    return [*sql, *_settled(before, after)]


def _becomes_ordinary(before: Column, after: Column) -> bool:
    return after.generated is None and (before.generated or "").endswith(" STORED")


def _default(alter: str, after: Column) -> str:
    default = after.default
    return f"{alter} DROP DEFAULT" if default is None else f"{alter} SET DEFAULT {default}"


def _retyped(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """The type, without the default and the views and triggers that would block the change."""
    before, after = found.one(Column, key), expected.one(Column, key)
    users = [each for each in found.users_of(key) if each.kind in _IN_THE_WAY]
    name = quoted(after.name)
    alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {name}"
    collation = "" if after.collation is None else f" COLLATE {after.collation}"
    return [
        *online_ddl.unmade(users, found),
        *([f"{alter} DROP DEFAULT"] if before.default is not None else []),
        f"{alter} TYPE {after.type}{collation} USING {name}::{after.type}",
        *([_default(alter, after)] if after.default is not None else []),
        *online_ddl.remade(users, expected, found),
    ]


def _recreated(key: Key, expected: Catalog, found: Catalog) -> list[str] | None:
    """A generated column: dropped and added, with the indexes, keys and views on it."""
    users = found.users_of(key) | expected.users_of(key)
    if any(each.kind in ("table", "column") for each in users):
        return None
    there = [each for each in users if each in found.objects]
    return [
        *online_ddl.unmade([each for each in there if each.kind not in _GOES_ALONG], found),
        *online_ddl.unmake(key, found),
        *added(expected.one(Column, key))[0],
        *settings(key, expected),
        *online_ddl.remade(there, expected, found),
    ]


def settings(key: Key, catalog: Catalog) -> list[str]:
    """The settings that CREATE TABLE and ADD COLUMN left out."""
    match catalog.objects[key]:
        case Column() as column_made:
            sql = _settled(column_made.without(_OF_COLUMN), column_made)
            if column_made.comment is not None:
                name = f"{quoted(column_made.table)}.{quoted(column_made.name)}"
                sql.append(f"COMMENT ON COLUMN {name} IS {literal(column_made.comment)}")
            return sql
        case Table() as made:
            after = made.without(_BY_INDEX)
            before = replace(after, options=None, row_security=None, toast_options=None)
            return table(before, after)
        case Partition() as made:
            clauses = alterations.options(None, made.options)
            return [f"ALTER TABLE {quoted(key.name)} {clause}" for clause in clauses]
    return []


def by_index(key: Key, catalog: Catalog) -> list[str]:
    """The settings that name an index of the table, once the index exists."""
    after = catalog.one(Table, key)
    return table(after.without(_BY_INDEX), after)


def _settled(before: Column, after: Column) -> list[str]:
    """Storage, compression, statistics and options of a column."""
    clauses = []
    # The attribute also names the storage of the type: PostgreSQL 15 has no SET STORAGE DEFAULT.
    old, new = before.storage, after.storage
    if old != new:
        way = new.split()[0] if new else str(old).split()[-1]
        clauses.append(f"SET STORAGE {way}")
    if before.compression != after.compression:
        clauses.append(f"SET COMPRESSION {after.compression or 'default'}")
    if before.statistics != after.statistics:
        clauses.append(f"SET STATISTICS {after.statistics or '-1'}")
    clauses += alterations.options(before.attribute_options, after.attribute_options)
    alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
    return [f"{alter} {clause}" for clause in clauses]
