"""Adds a column again, and changes one back in place."""

from __future__ import annotations

from dataclasses import replace

from surefoot.catalog import Catalog, Key, alterations
from surefoot.catalog.kinds import Attributes, Column
from surefoot.catalog.order import in_order
from surefoot.differences import online_ddl, relations
from surefoot.quoting import quoted

# PostgreSQL changes no type under these; it rebuilds the others by itself.
_IN_THE_WAY = frozenset({"view", "materialized view", "rule", "trigger", "policy"})
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
    return [*sql, *relations.column(before, after)]


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
        *_dropped(users, found),
        *([f"{alter} DROP DEFAULT"] if before.default is not None else []),
        f"{alter} TYPE {after.type}{collation} USING {name}::{after.type}",
        *([_default(alter, after)] if after.default is not None else []),
        *_created(users, expected, found),
    ]


def _recreated(key: Key, expected: Catalog, found: Catalog) -> list[str] | None:
    """A generated column: dropped and added, with the indexes, keys and views on it."""
    users = found.users_of(key) | expected.users_of(key)
    if any(each.kind in ("table", "column") for each in users):
        return None
    there = [each for each in users if each in found.objects]
    return [
        *_dropped([each for each in there if each.kind not in _GOES_ALONG], found),
        *online_ddl.unmake(key, found),
        *added(expected.one(Column, key))[0],
        *relations.settings(key, expected),
        *_created(there, expected, found),
    ]


def _dropped(keys: list[Key], found: Catalog) -> list[str]:
    ordered = reversed(in_order(keys, found.uses))
    return [statement for each in ordered for statement in online_ddl.unmake(each, found)]


def _created(keys: list[Key], expected: Catalog, found: Catalog) -> list[str]:
    return [
        statement
        for each in in_order(keys, expected.uses)
        for statement in online_ddl.make(each, expected if each in expected.objects else found)
    ]
