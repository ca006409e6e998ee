"""The operations on tables and columns: calls, or SQL where a type has no code."""

from collections.abc import Collection
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.column_code import (
    column_code,
    serial_sequence,
    type_code,
    type_of,
)
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.conversions import using
from surefoot.autogenerate.object_operations import create, drop, inline_code
from surefoot.autogenerate.rendering import Call, Code, sql, text_code
from surefoot.catalog import Catalog, Key, alterations, statements, tables
from surefoot.catalog.definitions import identity_parts, names, parse_key
from surefoot.catalog.kinds import Column, Constraint, Sequence, Table
from surefoot.catalog.model import key_of
from surefoot.quoting import literal, quoted, schema_of, short_name


def column_step(
    comparison: Comparison,
    before: Column | None,
    after: Column | None,
    action: str,
    stage: Stage = Stage.TABLES,
) -> Change:
    """The change that takes a column from one state to another; None is no column."""
    column = after or before
    assert column is not None
    do = _to(comparison, comparison.models, before, after)
    undo = _to(comparison, comparison.database, after, before)
    return Change(stage, do, undo, action, key_of(column))


def _to(
    comparison: Comparison, catalog: Catalog, before: Column | None, after: Column | None
) -> list[MigrateOperation]:
    if before is None or after is None:
        made = [] if after is None else add_column(after, catalog)
        return made if before is None else [drop_column(before)]
    by = using(comparison, quoted(after.name), before.type, after.type)
    return alter_column(before, after, catalog, by)


def serials(catalog: Catalog, table: str, inline: Collection[Constraint]) -> set[Key | None]:
    """The sequences that a table brings along: of one column of its key, where it is a call."""
    columns, in_key = catalog.columns(table), key_columns(inline)
    found = {serial_sequence(each, catalog) for each in columns if each.name in in_key} - {None}
    known = all(type_code(each.type, each.collation, catalog) for each in columns)
    return found if known and len(found) == 1 else set()


def create_table(
    catalog: Catalog, name: str, inline: Collection[Constraint]
) -> list[MigrateOperation]:
    """Creates a table, with the settings that CREATE TABLE leaves out and that name no index."""
    table, parents = catalog.one(Table, Key("table", name)), catalog.parents(name)
    needed = {used for each in inline for used in catalog.needs(key_of(each))}
    # A column that is declared again would not go or change along with that of the parent.
    inherited = [
        each
        for each in catalog.columns(name)
        if catalog.inherits(name, each.name, parents)
        and not (each.identity or key_of(each) in needed)
    ]
    columns = [each for each in catalog.columns(name) if each not in inherited]
    remarks = [statements.comment(key_of(each), each) for each in inherited if each.comment]
    settings = tables.settings_of_table(tables.without_index(table))
    settings += [s for each in catalog.columns(name) for s in tables.settings_of_column(each)]
    rest = map(sql, [*remarks, *settings])
    in_key, serial = key_columns(inline), serials(catalog, name, inline)
    codes = [
        column_code(
            each,
            catalog,
            serial=serial_sequence(each, catalog) in serial if each.name in in_key else None,
        )
        for each in columns
    ]
    if None not in codes and all(schema_of(each) is None for each in parents):
        made = Call(
            "create_table",
            name,
            *codes,
            *map(inline_code, inline),
            comment=table.comment,
            prefixes=["UNLOGGED"] if table.persistence == "unlogged" else None,
            postgresql_partition_by=table.partition_key,
            postgresql_inherits=[n for each in table.inherits or () for n in names(each)] or None,
        )
        return [made, *rest]
    comments = [(Key("table", name), table), *((key_of(each), each) for each in columns)]
    return [
        sql(tables.create_table(table, [*map(tables.define, columns)], inline)),
        *(sql(statements.comment(key, each)) for key, each in comments if each.comment),
        *rest,
    ]


def key_columns(inline: Collection[Constraint]) -> list[str]:
    keys = (parse_key(each.definition) for each in inline)
    return [name for key in keys if key and key.is_primary for name in names(key.columns)]


def add_column(column: Column, catalog: Catalog) -> list[MigrateOperation]:
    if column.identity and any(
        column.table in catalog.parents(key.name) for key, _ in catalog.each(Table)
    ):
        return _add_numbered(column, catalog)
    made = column_code(column, catalog)
    settings = [sql(each) for each in tables.settings_of_column(column)]
    if made is not None:
        return [Call("add_column", column.table, made), *settings]
    comment = [sql(statements.comment(key_of(column), column))] if column.comment else []
    add = sql(f"ALTER TABLE {quoted(column.table)} ADD COLUMN {tables.define(column)}")
    return [add, *comment, *settings]


def _add_numbered(column: Column, catalog: Catalog) -> list[MigrateOperation]:
    """Adds an identity column to a table that others inherit from.

    PostgreSQL does not do that in one statement: a sequence numbers the rows first.
    """
    numbers = Sequence(
        name=short_name(f"{column.table}_{column.name}_numbers"),
        definition=f"AS {column.type} {identity_parts(column.identity or '')[1]}",
        owned_by=None,
        comment=None,
    )
    bare = replace(column, identity=None)
    numbered = replace(bare, default=f"nextval({literal(quoted(numbers.name))}::regclass)")
    return [
        *create(Key("sequence", numbers.name), numbers),
        *add_column(numbered, catalog),
        *alter_column(numbered, bare, catalog),
        *identity_after(numbers, bare, column),
    ]


def identity_after(sequence: Sequence, before: Column, after: Column) -> list[MigrateOperation]:
    """Gives a column an identity that continues a sequence, which goes."""
    key, its = Key("sequence", sequence.name), quoted(sequence.name)
    own = own_sequence(after)
    return [
        sql(alterations.identity(before, after)),
        sql(f"SELECT setval({own}, last_value, true) FROM {its} WHERE is_called"),  # noqa: S608 - names of a catalog, quoted
        drop(key, sequence),
    ]


def own_sequence(column: Column) -> str:
    """The sequence of an identity, as an expression."""
    return f"pg_get_serial_sequence({literal(quoted(column.table))}, {literal(column.name)})"


def drop_column(column: Column) -> Call:
    return Call("drop_column", column.table, column.name)


def alter_column(
    before: Column, after: Column, catalog: Catalog, using: str | None = None
) -> list[MigrateOperation]:
    """Changes the type, the default, NOT NULL, comment and settings of a column, where they differ.

    A default is set again with another type.
    """
    made: list[MigrateOperation] = []
    given: dict[str, object] = {}
    retypes = (before.type, before.collation) != (after.type, after.collation)
    if retypes and (kind := type_of(after, catalog)) is not None:
        given["type_"] = kind
    elif retypes:
        alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
        alter += f" TYPE {after.type}"
        alter += f" COLLATE {after.collation}" if after.collation else ""
        made.append(sql(f"{alter} USING {using}" if using else alter))
    if before.default != after.default or (retypes and after.default is not None):
        given["server_default"] = text_code(after.default)
    if before.not_null != after.not_null:
        given["nullable"] = Code(not after.not_null)
    if before.comment != after.comment:
        given["comment"] = Code(repr(after.comment))
    if "type_" in given:
        given["postgresql_using"] = using
    made += [Call("alter_column", after.table, after.name, **given)] if given else []
    return [*made, *(sql(each) for each in alterations.column(before, after))]
