"""Comparison holds the catalogs of the database and of the models."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.util import to_list
from sqlalchemy import MetaData, text
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate.object_operations import Declared, declared, nameless
from surefoot.catalog import Catalog, Key, SchemaObject, snapshot
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Attributes, Column, Enum, Table
from surefoot.catalog.models import models_catalog
from surefoot.compat.sqlalchemy import copy_column
from surefoot.errors import PermissionMissing, UsageError
from surefoot.operations.enums import renamed, value_steps
from surefoot.quoting import literal, quoted

_LONGEST_NAME = 63
_log = logging.getLogger(__name__)
_MODIFIER = re.compile(r"\(\d+(?:,-?\d+)?\)")
# PostgreSQL casts every type to these on assignment.
_STRINGS = frozenset({"text", "character varying", "character", "name"})
_CASTS = text("""
SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext::text
FROM pg_cast
""")
_VOLATILE = text("SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v'")
_made: WeakKeyDictionary[AutogenContext, Comparison] = WeakKeyDictionary()


@dataclass(frozen=True)
class Comparison:
    """Both catalogs, and the facts that are needed to plan the changes between them."""

    database: Catalog
    models: Catalog
    declared: Declared
    nameless: frozenset[tuple[str, str]]
    casts: Mapping[tuple[str, str], str]
    # The privileges that an object of both sides loses where it is created again, as statements.
    grants: Mapping[Key, list[str]]
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
        return table in self.kept_tables and found is not None and found.kind == "table"

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

    def column(self, key: Key) -> tuple[Column, Column] | None:
        """A column as the database has it and as the models declare it; None where one lacks it."""
        found, expected = self.followed.find(Column, key), self.models.find(Column, key)
        return None if found is None or expected is None else (found, expected)

    def pair(self, key: Key) -> tuple[Column, Column]:
        """A column that both sides have."""
        return self.followed.one(Column, key), self.models.one(Column, key)

    def reflected(self, key: Key) -> sa.Column[Any]:
        """A copy of a column as the catalog has it; reflection mixes in its domain and its key."""
        found = self.database.one(Column, key)
        column = copy_column(self.reflect(found.table).c[found.name])
        column.nullable, kind = not found.not_null, column.type
        # SQLAlchemy 2.0 leaves the collation out.
        if found.collation is not None and isinstance(kind, sa.String) and kind.collation is None:
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
        by_text = "" if cast is not None or before in _STRINGS else "::text"
        if by_text and old.endswith("[]"):
            by_text += "[]"
        return f"{column}{by_text}::{new}"

    @staticmethod
    def _tables(catalog: Catalog) -> frozenset[str]:
        return frozenset(key.name for key, _ in catalog.each(Table))


def compare(context: AutogenContext, exclude: Collection[str], *, strict: bool) -> None:
    """Read both sides, and keep them for the comparators of this run.

    A role that may not create a schema gets a warning that lists what is not compared. When
    `strict`, that is an error: a check that cannot compare must not pass.
    """
    connection = context.connection
    metadata = [models for models in to_list(context.metadata) if isinstance(models, MetaData)]
    assert connection is not None
    schema = connection.dialect.default_schema_name or "public"
    if named := [table.name for table in context.sorted_tables if table.schema == schema]:
        raise UsageError(
            f"the models name the default schema {schema} for {', '.join(named)}",
            help="leave the schema out: the tables are compared in another one",
        )
    tables = [table for table in context.sorted_tables if table.schema is None]
    excluded = {*exclude, context.migration_context.version_table, *_hidden(context, tables)}
    tables = [table for table in tables if table.name not in excluded]
    database = snapshot(connection, schema, exclude=excluded, privileges=True)
    try:
        rename = partial(_rename_to_temporary, database)
        models, temporary = models_catalog(
            connection, metadata, schema, exclude=excluded, then=rename
        )
    except PermissionMissing as error:
        if strict:
            raise
        _log.warning(
            "%s. Not compared: views, functions, triggers, values of enums, checks, computed "
            "columns, and the definitions of indexes.",
            error.message,
        )
        return
    columns = {Key("column", f"{table.name}.{c.name}"): c for table in tables for c in table.c}
    reflect = cache(partial(_reflect, context))
    hidden = set(_hidden_columns(context, columns, database, reflect))
    _made[context] = Comparison(
        _without(hidden, database.declarable(kinds=False)),
        _without(hidden, models.declarable(kinds=False)),
        declared(metadata, connection.dialect),
        nameless(metadata, connection.dialect),
        {(old, new): how for old, new, how in connection.execute(_CASTS)},
        {key: granted(key, database, models) for key in models.objects if key in database.objects},
        frozenset(connection.scalars(_VOLATILE)),
        int((connection.dialect.server_version_info or (0,))[0]),
        temporary,
        {table.name: table for table in tables},
        columns,
        reflect,
    )


def _hidden(context: AutogenContext, tables: Iterable[sa.Table]) -> Iterator[str]:
    """The tables that the project's `include_name` and `include_object` leave out."""
    for table in tables:
        if not context.run_object_filters(table, table.name, "table", False, None):
            yield table.name
    assert context.inspector is not None
    for name in context.inspector.get_table_names():
        seen = context.run_name_filters(name, "table", {"schema_name": None})
        table = sa.Table(name, MetaData())
        if not (seen and context.run_object_filters(table, name, "table", True, None)):
            yield name


def _hidden_columns(
    context: AutogenContext,
    columns: Mapping[Key, sa.Column[Any]],
    database: Catalog,
    reflect: Callable[[str], sa.Table],
) -> Iterator[Key]:
    for key, column in columns.items():
        if not context.run_object_filters(column, column.name, "column", False, None):
            yield key
    tables = {key.name.rpartition(".")[0] for key in columns}
    for key, found in database.each(Column):
        if key not in columns and (table := found.table) in tables:
            name, there = found.name, reflect(table).c[found.name]
            of: Any = {"table_name": table, "schema_name": None}
            seen = context.run_name_filters(name, "column", of)
            if not (seen and context.run_object_filters(there, name, "column", True, None)):
                yield key


def _without(hidden: Collection[Key], catalog: Catalog) -> Catalog:
    objects = {key: item for key, item in catalog.objects.items() if key not in hidden}
    return replace(catalog, objects=objects)


def _reflect(context: AutogenContext, name: str) -> sa.Table:
    table, impl = sa.Table(name, MetaData()), context.migration_context.impl
    sa.event.listen(table, "column_reflect", impl.autogen_column_reflect)
    assert context.inspector is not None
    context.inspector.reflect_table(table, None, resolve_fks=False)
    for item in table.constraints:
        # The name that it has, whatever convention is in force when the revision runs.
        item.name = conv(str(item.name)) if item.name else None
    return table


def temporary_name(name: str) -> str:
    """The name of a new column, index or type until it is swapped in."""
    return f"{name}_new"


def has_temporary_name(name: str) -> bool:
    """Whether the temporary name is as short as PostgreSQL needs it."""
    return len(temporary_name(name).encode()) <= _LONGEST_NAME


def _rename_to_temporary(database: Catalog, models: Catalog) -> Iterator[str]:
    """The statements that give retyped columns and replaced enums their temporary names."""
    for key, column in models.each(Column):
        found = database.find(Column, key)
        enums = {used for used in models.uses.get(key, ()) if is_replaced(database, models, used)}
        if found and (enums or found.type != column.type):
            table, new = quoted(column.table), quoted(temporary_name(column.name))
            if Key("column", temporary_name(key.name)) not in models.objects:
                yield f"ALTER TABLE {table} RENAME COLUMN {quoted(column.name)} TO {new}"
    for key, enum in models.each(Enum):
        new = temporary_name(key.name)
        if is_replaced(database, models, key) and Key("enum", new) not in models.objects:
            yield f"ALTER TYPE {quoted(enum.name)} RENAME TO {quoted(new)}"


def is_replaced(database: Catalog, models: Catalog, key: Key) -> bool:
    """Whether this is an enum that must be replaced by a new type."""
    before, after = database.find(Enum, key), models.find(Enum, key)
    return (
        before is not None
        and after is not None
        and value_steps("", before.values, after.values) is None
    )


def comparison_of(context: AutogenContext) -> Comparison | None:
    """The comparison of this run; None where the catalogs could not be compared."""
    return _made.get(context)


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
