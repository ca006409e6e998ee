"""Reads both sides of a comparison: the database, and the models in a schema of their own."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.util import to_list
from sqlalchemy import MetaData, text
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate.catalog_table import catalog_table, columns_of
from surefoot.autogenerate.comparison import Comparison, is_replaced, temporary_name
from surefoot.autogenerate.object_operations import declared, nameless
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Column, Enum, Table
from surefoot.catalog.models import models_catalog
from surefoot.errors import PermissionMissing, UsageError
from surefoot.quoting import quoted

_log = logging.getLogger(__name__)
_CASTS = text("""
SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext::text
FROM pg_cast
""")
_VOLATILE = text("SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v'")
_made: WeakKeyDictionary[AutogenContext, Comparison] = WeakKeyDictionary()


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
    columns = columns_of(tables)
    # DDL events of the models create tables and columns, too.
    every = [catalog_table(models, key.name) for key, _ in models.each(Table)]
    names = {table.name for table in tables}
    reflect = cache(partial(_reflect, context))
    hidden = set(_hidden_columns(context, columns, database, reflect))
    _made[context] = Comparison(
        _without(hidden, database.declarable()),
        _without(hidden, models.declarable()),
        declared(metadata, connection.dialect),
        nameless(metadata, connection.dialect),
        {(old, new): how for old, new, how in connection.execute(_CASTS)},
        {key: granted(key, database, models) for key in models.objects if key in database.objects},
        frozenset(connection.scalars(_VOLATILE)),
        int((connection.dialect.server_version_info or (0,))[0]),
        temporary,
        {t.name: t for t in (*tables, *(each for each in every if each.name not in names))},
        {**columns_of(every), **columns},
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


def comparison_of(context: AutogenContext) -> Comparison | None:
    """The comparison of this run; None where the catalogs could not be compared."""
    return _made.get(context)
