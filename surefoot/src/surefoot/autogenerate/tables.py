"""Creates, drops and changes tables: as the models declare them, and reversible."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation, ops
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index
from sqlalchemy.schema import SchemaItem

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.columns import column_changes, identity, rewrites
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.object_operations import is_bare, step
from surefoot.autogenerate.objects import ObjectDiff
from surefoot.autogenerate.rendering import Note, sql
from surefoot.catalog import Key, alterations, kinds
from surefoot.catalog.kinds import Attribute, Attributes, Table
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import quoted

_UNCHANGEABLE: tuple[Attribute, ...] = ("kind", "partition key")
# The attributes that CREATE TABLE and ADD COLUMN leave out.
_OF_TABLE: Attributes = frozenset(
    {"options", "row security", "toast options", "cluster index", "replica identity"}
)
_OF_COLUMN: Attributes = frozenset({"storage", "compression", "statistics", "attribute options"})


def table_changes(comparison: Comparison, diff: ObjectDiff) -> list[Change]:
    new: set[str] = set()
    made = [
        change
        for table in comparison.tables
        if table in comparison.new_tables
        for change in _create(comparison, table, new)
    ]
    kept = sorted(comparison.kept_tables)
    columns = [each for table in kept for each in column_changes(comparison, diff, table)]
    # Of all tables the drops come last.
    columns.sort(key=lambda change: change.action == "drop")
    before, after = _recreated(comparison, diff)
    return [
        *made,
        *before,
        *_identities(comparison, leaving=True),
        *columns,
        *_identities(comparison, leaving=False),
        *after,
        *(_drop(comparison, diff, table) for table in sorted(comparison.gone_tables)),
        *(change for table in kept for change in _changed(comparison, table)),
        *_settings(comparison, diff),
    ]


def _create(comparison: Comparison, table: str, new: set[str]) -> Iterator[Change]:
    """A table with its constraints, without foreign keys to later or existing tables.

    A partitioned table is created with all of them: before PostgreSQL 18 they cannot be added NOT
    VALID.
    """
    operation = ops.CreateTableOp.from_table(comparison.tables[table])
    later = comparison.new_tables - new - {table}
    new.add(table)
    inline: list[SchemaItem] = []
    waiting: list[Key] = []
    apart = later if operation.kw.get("postgresql_partition_by") else later | comparison.kept_tables
    for item in operation.columns:
        if isinstance(item, ForeignKeyConstraint) and item.referred_table.name in apart:
            waiting.append(_key_of(comparison, table, item))
        elif not is_bare(item):  # created after the table, with the name that the server chose
            inline.append(item)
            inline += [
                CheckConstraint(check.sqltext, name=check.name)
                for check in getattr(item, "constraints", ())
                if isinstance(check, CheckConstraint) and check.name is not None
            ]
    constraints = [comparison.models.one(kinds.Constraint, key) for key in waiting]
    found = (object_operations.referring_columns(each) or () for each in constraints)
    referring = {name for columns in found for name in columns}
    operation.columns = [_as_key_alone(item, referring) for item in inline]
    whole, drop_table = Key("table", table), ops.DropTableOp(table)
    refers = any(
        isinstance(item, ForeignKeyConstraint)
        and item.referred_table.name in comparison.kept_tables
        for item in operation.columns
    )
    allow = unavoidable("avoid-reference-with-its-column") if refers else ()
    made = Change(Stage.TABLES, [operation], [drop_table], "make", whole)
    yield made.at(Turn.MAIN, allow=allow)
    for key, each in sorted(comparison.declared.items()):
        if isinstance(each, Index) and each.table is comparison.tables[table]:
            yield Change(Stage.TABLES, [ops.CreateIndexOp.from_index(each)], [], "make", key)
    for key, constraint in zip(waiting, constraints, strict=True):
        yield step(Stage.CREATE, key, None, constraint, "make", comparison.declared)
    expected = comparison.models.one(Table, whole)
    created = plain(expected)
    # create_table writes only these.
    if "postgresql_with" in operation.kw:
        created = replace(created, options=expected.options)
    if "UNLOGGED" in (operation.prefixes or ()):
        created = replace(created, persistence=expected.persistence)
    if written := state(created, expected):
        yield Change(Stage.STATE, written, [], "change", whole)


def _as_key_alone(item: SchemaItem, referring: Collection[str]) -> SchemaItem:
    """A key column whose foreign key is added later: without it SQLAlchemy would make it serial."""
    if isinstance(item, Column) and item.primary_key and item.name in referring:
        copy = copy_column(item)
        copy.autoincrement = False if item.autoincrement == "auto" else item.autoincrement
        return copy
    return item


def _key_of(comparison: Comparison, table: str, item: ForeignKeyConstraint) -> Key:
    """The key of a foreign key in the catalog; PostgreSQL names one that has no name."""
    columns, other = list(item.column_keys), item.referred_table.name
    return next(
        key
        for key, constraint in comparison.models.each(kinds.Constraint)
        if constraint.table == table
        and object_operations.refers_to(constraint) == other
        and object_operations.referring_columns(constraint) == columns
    )


def _drop(comparison: Comparison, diff: ObjectDiff, table: str) -> Change:
    back = ops.CreateTableOp.from_table(comparison.reflect(table))
    # Its primary key is created by a statement of its own.
    apart_key = any(
        key in diff.removed and each.type == "primary key" and each.table == table
        for key, each in comparison.database.each(kinds.Constraint)
    )
    inline: list[SchemaItem] = []
    for item in back.columns:
        if isinstance(item, Column):
            column = comparison.reflected(Key("column", f"{table}.{item.name}"))
            column.primary_key = column.primary_key and not apart_key
            inline.append(column)
        elif Key("constraint", f"{table}.{getattr(item, 'name', None)}") not in diff.removed:
            inline.append(item)
    back.columns = inline
    former_key = Key("table", table)
    former = comparison.database.one(Table, former_key)
    if former.partition_key is not None:
        back.kw["postgresql_partition_by"] = former.partition_key
    back.kw.pop("postgresql_with", None)
    undo = [back, *state(plain(former), former)]
    drop = Change(Stage.TABLES, [ops.DropTableOp(table)], undo, "drop", former_key)
    about = f"Before this runs: deploy a release that does not use the table {table}."
    return drop.at(Turn.TABLES, table, f"Drop {table}", about)


def _recreated(comparison: Comparison, diff: ObjectDiff) -> tuple[list[Change], list[Change]]:
    """Generated columns: dropped before the columns that they use change, and added after.

    One that becomes an ordinary column keeps its values; the way back drops and adds it.
    """
    before, after = [], []
    for key in sorted(diff.recreated_columns | diff.freed_columns):
        column = comparison.database.one(kinds.Column, key)
        table, name = column.table, column.name
        drop = ops.DropColumnOp(table, name)
        back = ops.AddColumnOp(table, comparison.reflected(key))
        if key in diff.freed_columns:
            altered = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)}"
            free = sql(f"{altered} DROP EXPRESSION")
            before.append(Change(Stage.AWAY, [free], [drop, back], "change", key))
        else:
            add = ops.AddColumnOp(table, copy_column(comparison.columns[key]))
            before.append(Change(Stage.AWAY, [drop], [back], "remake", key))
            made = Change(Stage.TABLES, [add], [drop], "remake", key)
            after.append(made.at(Turn.MAIN, allow=rewrites(comparison, key)))
    return before, after


def _identities(comparison: Comparison, *, leaving: bool) -> Iterator[Change]:
    """Identities: dropped before a default is set, and added after one is dropped."""
    for key, found in comparison.database.each(kinds.Column):
        expected = comparison.models.find(kinds.Column, key)
        if expected is not None and (expected.identity is None) == leaving:
            yield from identity(found, expected)


def _changed(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that both sides have, apart from its columns."""
    key = Key("table", table)
    found, expected = comparison.database.one(Table, key), comparison.models.one(Table, key)
    different = changed(comparison, key)
    for name in _UNCHANGEABLE:
        if name in different:
            before, after = (each.attributes()[name] for each in (found, expected))
            words = f"{name} of {table} is {before} and not {after}"
            yield Change(Stage.STATE, [Note(f"Not written: {words}.")], [])
    if different - {"comment", *_UNCHANGEABLE}:
        yield Change(Stage.STATE, state(found, expected), state(expected, found), "change", key)
    if "comment" in different:
        yield step(Stage.STATE, key, replace(expected, comment=found.comment), expected, "comment")


def _settings(comparison: Comparison, diff: ObjectDiff) -> Iterator[Change]:
    """Storage, statistics and other settings of columns, which no model declares."""
    for key, after in comparison.models.each(kinds.Column):
        before = comparison.database.find(kinds.Column, key)
        if before is None or key in diff.recreated_columns:
            before = after.without(_OF_COLUMN)
        if do := [sql(each) for each in alterations.column(before, after)]:
            undo = [sql(each) for each in alterations.column(after, before)]
            yield Change(Stage.STATE, do, undo, "change", key)


def plain(table: Table) -> Table:
    """The table as CREATE TABLE without a clause makes it."""
    return replace(table.without(_OF_TABLE), persistence="permanent")


def state(before: Table, after: Table) -> list[MigrateOperation]:
    """The statements that take a table from one state to another."""
    return [sql(statement) for statement in alterations.table(before, after)]
