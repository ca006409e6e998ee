"""Comparison holds the catalogs of the database and of the models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import MetaData
from sqlalchemy.types import NullType

from surefoot.autogenerate.catalog_table import Written, catalog_table, columns_of
from surefoot.autogenerate.object_operations import Declared
from surefoot.catalog import Catalog, Key, SchemaObject
from surefoot.catalog.kinds import Attributes, Column, Enum, Table
from surefoot.compat.sqlalchemy import copy_column
from surefoot.operations.enums import renamed, value_steps
from surefoot.quoting import literal, quoted

_LONGEST_NAME = 63
_MODIFIER = re.compile(r"\(\d+(?:,-?\d+)?\)")
# PostgreSQL casts every type to these on assignment.
_STRINGS = frozenset({"text", "character varying", "character", "name"})


@dataclass(frozen=True)
class Comparison:
    """Both catalogs, and the facts that are needed to plan the changes between them."""

    database: Catalog
    models: Catalog
    declared: Declared = field(default_factory=dict)
    nameless: frozenset[tuple[str, str]] = frozenset()
    casts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # The privileges that an object of both sides loses where it is created again, as statements.
    grants: Mapping[Key, list[str]] = field(default_factory=dict)
    # Names of volatile functions.
    volatile: frozenset[str] = frozenset()
    # The major version of the server that both sides were read from.
    major: int = 0
    # The models once more, with each retyped column and enum under its temporary name.
    temporary: Catalog = field(default_factory=lambda: Catalog({}))
    # The tables of the models, each after those that it refers to, and their columns.
    tables: Mapping[str, sa.Table] = field(default_factory=dict)
    columns: Mapping[Key, sa.Column[Any]] = field(default_factory=dict)
    # A table of the database, as SQLAlchemy reflects it.
    reflect: Callable[[str], sa.Table] = lambda name: sa.Table(name, MetaData())
    # Whether all steps run one after the other, and no release comes between them.
    at_once: bool = False
    # Whether a table in use is changed in steps that block it for a short time only.
    online: bool = True

    @cached_property
    def kept_tables(self) -> frozenset[str]:
        """The tables of both sides."""
        return self._tables(self.database) & self._tables(self.models)

    @cached_property
    def new_tables(self) -> frozenset[str]:
        """The tables that only the models have."""
        return self._tables(self.models) - self._tables(self.database)

    @cached_property
    def gone_tables(self) -> frozenset[str]:
        """The tables that only the database has."""
        return self._tables(self.database) - self._tables(self.models)

    def is_in_use(self, table: str) -> bool:
        """Whether a table exists on both sides and can be changed online.

        A partitioned table supports none of the online forms.
        """
        found = self.database.table(table)
        return (
            self.online
            and table in self.kept_tables
            and found is not None
            and found.kind == "table"
        )

    @cached_property
    def followed(self) -> Catalog:
        """The database after the values of enums are renamed.

        Defaults, checks, indexes and views that name such a value follow the rename.
        """
        objects = dict(self.database.objects)
        for enum, found in self.database.each(Enum):
            expected = self.models.find(Enum, enum)
            pair = expected and renamed(found.values, expected.values)
            if pair:
                old, new = (f"{literal(value)}::{quoted(enum.name)}" for value in pair)
                for key in self.database.users_of(enum):
                    objects[key] = _replaced(objects[key], old, new)
        return replace(self.database, objects=objects)

    def sides(self, key: Key) -> tuple[SchemaObject | None, SchemaObject | None]:
        """An object as the database has it and as the models declare it."""
        return self.followed.objects.get(key), self.models.objects.get(key)

    def pair(self, key: Key) -> tuple[Column, Column]:
        return self.followed.one(Column, key), self.models.one(Column, key)

    def reflected(self, key: Key) -> sa.Column[Any]:
        """A copy of a column as the catalog has it; reflection mixes in its domain and its key."""
        found = self.database.one(Column, key)
        column = copy_column(self.reflect(found.table).c[found.name])
        column.nullable, kind = not found.not_null, column.type
        if isinstance(kind, NullType):
            column.type = Written(found)
        # SQLAlchemy 2.0 leaves the collation out.
        elif found.collation and isinstance(kind, sa.String) and kind.collation is None:
            column.type = kind.copy()
            column.type.collation = found.collation.strip('"')
        return column

    def using(self, column: str, old: str, new: str) -> str | None:
        """The USING expression of a type change; None where PostgreSQL needs none."""
        before, after = (_MODIFIER.sub("", kind) for kind in (old, new))
        if before.endswith("[]") and after.endswith("[]"):
            before, after = before[:-2], after[:-2]
        cast = self.casts.get((before, after))
        if before == after or cast in ("i", "a") or after in _STRINGS:
            return None
        by_text = "" if cast is not None or not self.casts or before in _STRINGS else "::text"
        if by_text and old.endswith("[]"):
            by_text += "[]"
        return f"{column}{by_text}::{new}"

    @staticmethod
    def _tables(catalog: Catalog) -> frozenset[str]:
        return frozenset(key.name for key, _ in catalog.each(Table))


def between(database: Catalog, other: Catalog) -> Comparison:
    """The comparison of two catalogs without models, for changes that are made at once."""
    tables = {key.name: catalog_table(other, key.name) for key, _ in other.each(Table)}
    return Comparison(
        database,
        other,
        tables=tables,
        columns=columns_of(tables.values()),
        reflect=cache(partial(catalog_table, database)),
        at_once=True,
    )


def temporary_name(name: str) -> str:
    """The name of a new column, index or type until it is swapped in."""
    return f"{name}_new"


def has_temporary_name(name: str) -> bool:
    """Whether the temporary name is as short as PostgreSQL needs it."""
    return len(temporary_name(name).encode()) <= _LONGEST_NAME


def is_replaced(database: Catalog, models: Catalog, key: Key) -> bool:
    """Whether this is an enum that must be replaced by a new type."""
    before, after = database.find(Enum, key), models.find(Enum, key)
    return (
        before is not None
        and after is not None
        and value_steps("", before.values, after.values) is None
    )


def changed(comparison: Comparison, key: Key) -> Attributes:
    """The names of the attributes in which an object of both differs."""
    return comparison.followed.objects[key].differing(comparison.models.objects[key])


def _replaced(item: SchemaObject, old: str, new: str) -> SchemaObject:
    """The object with a text replaced in each of its attributes."""
    changed: dict[str, Any] = {}
    for each in fields(item):
        value = getattr(item, each.name)
        if isinstance(value, tuple):
            changed[each.name] = tuple(text.replace(old, new) for text in value)
        elif isinstance(value, str):
            changed[each.name] = value.replace(old, new)
    return replace(item, **changed)
