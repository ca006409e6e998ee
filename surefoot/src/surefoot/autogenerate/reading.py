"""Reads both sides of a comparison: the database, and the models in a schema of their own."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from alembic.autogenerate.api import AutogenContext
from alembic.util import to_list
from sqlalchemy import MetaData, text

from surefoot.autogenerate.comparison import Comparison, is_replaced
from surefoot.autogenerate.filters import Filters
from surefoot.autogenerate.naming import has_temporary_name, temporary_name
from surefoot.autogenerate.plugin import PROJECT
from surefoot.autogenerate.renames import Rename
from surefoot.catalog import Catalog, Key, casts, snapshot
from surefoot.catalog.claims import with_unclaimed
from surefoot.catalog.extensions import missing_schema
from surefoot.catalog.grants import Defaults
from surefoot.catalog.kinds import UNDECLARED_KINDS, Column, Enum, Extension, Names
from surefoot.catalog.model_names import catalog_name
from surefoot.catalog.models import models_catalog
from surefoot.catalog.shared_types import named_types
from surefoot.errors import PermissionMissing, UsageError
from surefoot.quoting import in_schema

_log = logging.getLogger(__name__)
_VOLATILE = text("SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v'")
_ALL_VIEWS = text("""
SELECT nspname::text, relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('v', 'm')
""")
# Servers before PostgreSQL 18 have none.
_NOT_NULLS = text("""
SELECT nspname::text, relname::text, attname::text, conname::text
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace
JOIN pg_attribute a ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'n'
""")
# Whether this role may rename each, and whether it holds an extension.
_SCHEMAS = text("""
SELECT nspname::text AS name, pg_has_role(nspowner, 'USAGE') AS is_own,
       EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid) AS has_extension
FROM pg_namespace n
""")


def compare(
    context: AutogenContext, exclude: Collection[str], manages: Collection[str], *, strict: bool
) -> Comparison | None:
    """Read both sides of a comparison; None where they cannot be compared.

    Objects that no model claims are left alone, but for the kinds that `manages` names.

    A role that may not create a schema gets a warning that lists what is not compared. When
    `strict`, that is an error: a check that cannot compare must not pass.
    """
    connection = context.connection
    metadata = models_of(context)
    assert connection is not None
    # The dialect knows that of the first connection: a scratch database gets its path later.
    schema = connection.scalar(text("SELECT current_schema()")) or "public"
    if any(each.schema == schema for models in metadata for each in models.tables.values()):
        schema = connection.dialect.default_schema_name or "public"
    beside, named = _schemas(context, metadata, schema, strict=strict)
    names = {*exclude, context.migration_context.version_table}
    excluded = {in_schema(each, name) for each in (None, *beside, *named) for name in names}
    declared = {
        catalog_name(table): table
        for models in metadata
        for table in models.tables.values()
        if table.schema in (None, *named) and table.name not in names
    }
    filters = Filters(context, context.opts.get(PROJECT, {}), declared, beside)
    excluded.update(filters.tables(frozenset(excluded)))
    # One that is not compared may need a column that is.
    at = connection.execute(_ALL_VIEWS)
    views = excluded & {in_schema(None if of == schema else of, name) for of, name in at}
    database = snapshot(
        connection, schema, exclude=excluded - views, privileges=True, beside=beside, apart=named,
        searched=True,
    )  # fmt: skip
    created = partial(
        models_catalog, connection, metadata, schema, exclude=excluded, searched=True,
        then=partial(rename_to_temporary, database), database=database,
    )  # fmt: skip
    try:
        while True:
            try:
                models, temporary = created(beside=named)
                break
            except UsageError as error:
                # An event of the models may name one that nothing else names.
                new = missing_schema(error.message)
                if new is None or new in named or not _is_compared(context, new):
                    raise
                named = sorted((*named, new))
    except PermissionMissing as error:
        if strict:
            raise
        _log.warning(
            "%s. Not compared: views, functions, triggers, values of enums, checks, computed "
            "columns, and the definitions of indexes.",
            error.message,
        )
        return None
    extensions = {
        key.name: each.schema if each.schema != schema else None
        for key, each in models.each(Extension)
        if key not in database.objects
    }
    missing = {*named, *filter(None, extensions.values())}
    missing -= {*context.inspector.get_schema_names()}
    models = filters.applied(models, database)
    privileges = _privileges(models, database) if "privileges" in manages else {}
    models, left = with_unclaimed(models, database, manages, views)
    spelled = dict(filters.spelled())
    return Comparison(
        database.declarable(),
        replace(models.declarable(), spelled=spelled),
        casts(connection),
        database,
        frozenset(connection.scalars(_VOLATILE)),
        int((connection.dialect.server_version_info or (0,))[0]),
        {
            f"{in_schema(None if of == schema else of, table)}.{column}": name
            for of, table, column, name in connection.execute(_NOT_NULLS)
        },
        replace(temporary, spelled=spelled),
        left,
        frozenset(context.imports),
        tuple(sorted(extensions.items())),
        tuple(sorted(missing)),
        privileges,
        Defaults.read(connection, schema),
    )


def models_of(context: AutogenContext) -> list[MetaData]:
    return [models for models in to_list(context.metadata) if isinstance(models, MetaData)]


def _schemas(
    context: AutogenContext, metadata: Sequence[MetaData], default: str, *, strict: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """The schemas beside the default one that are compared, and those that the models name.

    Of those, the ones of another role are left out with a warning, unless `strict`.
    """
    assert context.inspector is not None
    assert context.connection is not None
    if not context.opts.get("include_schemas"):
        return (), ()
    used = {each.schema for models in metadata for each in models.tables.values()}
    used |= {each.schema for models in metadata for each in named_types(models)}
    used |= {each.schema for models in metadata for each in models._sequences.values()}
    there = {*context.inspector.get_schema_names()}
    found = {
        each for each in used | there if each and each != default and _is_compared(context, each)
    }  # fmt: skip
    known = context.connection.execute(_SCHEMAS).all()
    others = sorted(found & used & {each.name for each in known if not each.is_own})
    if others and not strict:
        _log.warning(
            "Not compared: the schema %s. The models are compared in a new schema of the same "
            "name, and another role owns this one.",
            ", ".join(others),
        )
        found -= {*others}
    # Without a model in one, an event of the models may name it.
    used |= {each.name for each in known if each.is_own and not each.has_extension}
    return sorted(found & there), sorted(found & used)


def _is_compared(context: AutogenContext, schema: str) -> bool:
    """Whether a schema that is not the default one is compared."""
    return (
        bool(context.opts.get("include_schemas"))
        and schema != "information_schema"
        and context.run_name_filters(schema, "schema", {})
    )


def _privileges(models: Catalog, database: Catalog) -> dict[Key, tuple[Names, Names]]:
    """The privileges on each object of the models: as they are, and as they should be.

    A column that goes keeps its own until then: a revoke on its table would be one on it, too.
    """

    def of(catalog: Catalog, key: Key) -> Names:
        found = catalog.objects.get(key)
        return (found and found.privileges) or ()

    found = {
        key: (of(database, key), of(database, key))
        for key, column in database.each(Column)
        if Key("table", column.table) in models.objects
    }
    declared = (k for k, item in models.objects.items() if not isinstance(item, UNDECLARED_KINDS))
    return found | {key: (of(database, key), of(models, key)) for key in declared}


def rename_to_temporary(database: Catalog, models: Catalog) -> Iterator[str]:
    """The statements that give retyped columns and replaced enums their temporary names."""
    for key, column in models.each(Column):
        found = database.find(Column, key)
        enums = {used for used in models.needs(key) if is_replaced(database, models, used)}
        # One that is inherited is renamed with its parent's.
        of_parent = any(models.column(each, column.name) for each in models.parents(column.table))
        if found and not of_parent and (enums or found.type != column.type):
            free = Key("column", temporary_name(key.name)) not in models.objects
            if free and has_temporary_name(column.name):
                new = temporary_name(column.name)
                yield Rename("column", column.table, column.name, new).statement()
    for key, enum in models.each(Enum):
        new = temporary_name(key.name)
        free = has_temporary_name(key.name) and Key("enum", new) not in models.objects
        if free and is_replaced(database, models, key):
            yield Rename("type", "", enum.name, new).statement()
