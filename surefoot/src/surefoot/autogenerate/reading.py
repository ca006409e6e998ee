"""Reads both sides of a comparison: the database, and the models in a schema of their own."""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.util import to_list
from sqlalchemy import MetaData, text

from surefoot.autogenerate.comparison import Comparison, is_replaced, temporary_name
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.catalog.claims import with_unclaimed
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Column, Enum
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


def compare(
    context: AutogenContext, exclude: Collection[str], manages: Collection[str], *, strict: bool
) -> None:
    """Read both sides, and keep them for the comparators of this run.

    Objects that no model claims are left alone, but for the kinds that `manages` names.

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
        rename = partial(rename_to_temporary, database)
        models, temporary = models_catalog(
            connection, metadata, schema, exclude=excluded, then=rename, database=database
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
    models, left = with_unclaimed(models, database, manages)
    hidden = set(_hidden_columns(context, tables, database))
    _made[context] = Comparison(
        _without(hidden, database.declarable()),
        _without(hidden, models.declarable()),
        {(old, new): how for old, new, how in connection.execute(_CASTS)},
        {key: granted(key, database, models) for key in models.objects if key in database.objects},
        frozenset(connection.scalars(_VOLATILE)),
        int((connection.dialect.server_version_info or (0,))[0]),
        temporary,
        left,
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
    context: AutogenContext, tables: Iterable[sa.Table], database: Catalog
) -> Iterator[Key]:
    declared = {Key("column", f"{t.name}.{c.name}"): c for t in tables for c in t.columns}
    for key, column in declared.items():
        if not context.run_object_filters(column, column.name, "column", False, None):
            yield key
    shared = {key.name.rpartition(".")[0] for key in declared}
    for key, found in database.each(Column):
        if key not in declared and found.table in shared:
            there: sa.Column[Any] = sa.Column(found.name)
            sa.Table(found.table, MetaData(), there)
            of: Any = {"table_name": found.table, "schema_name": None}
            seen = context.run_name_filters(found.name, "column", of)
            if not (seen and context.run_object_filters(there, there.name, "column", True, None)):
                yield key


def _without(hidden: Collection[Key], catalog: Catalog) -> Catalog:
    objects = {key: item for key, item in catalog.objects.items() if key not in hidden}
    return replace(catalog, objects=objects)


def rename_to_temporary(database: Catalog, models: Catalog) -> Iterator[str]:
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
