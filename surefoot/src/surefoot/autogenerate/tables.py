"""Changes tables and columns: Alembic's operations, corrected by the catalogs and reversible."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import NullType

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.columns import added, alter, collated, identity
from surefoot.autogenerate.comparison import Comparison, changed, is_bare
from surefoot.autogenerate.object_diff import ObjectDiff
from surefoot.autogenerate.rendering import Note, sql
from surefoot.autogenerate.table_state import plain, state, states
from surefoot.catalog import Catalog, Key, kinds
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import quoted

_ColumnOperation = ops.AddColumnOp | ops.DropColumnOp | ops.AlterColumnOp
_OF_COLUMNS = (ops.AddColumnOp, ops.DropColumnOp, ops.AlterColumnOp)


def flat(operations: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    """The operations without the containers that group them by table."""
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from flat(operation.ops)
        else:
            yield operation


def table_changes(
    comparison: Comparison, diff: ObjectDiff, found: Iterable[MigrateOperation]
) -> list[Change]:
    """The changes of Alembic's operations, and of differences in a table that it does not see.

    Constraints and indexes of existing tables are left out: the catalogs find all of them.
    """
    found = list(flat(found))
    made: list[Change] = []
    columns: list[Change] = []
    dropped: dict[str, Change] = {}
    new: set[str] = set()
    for operation in found:
        table = str(getattr(operation, "table_name", ""))
        if getattr(operation, "schema", None) is not None:
            # The catalogs do not cover other schemas.
            columns.append(_as_it_is(operation))
        elif isinstance(operation, ops.CreateTableOp):
            made += _create(comparison, operation, new)
        elif isinstance(operation, ops.CreateIndexOp) and table in new:
            made.append(Change(Stage.TABLES, [operation], []))
        elif isinstance(operation, ops.DropTableOp):
            if table in comparison.gone_tables:
                dropped[table] = _drop(comparison, diff, operation)
        elif isinstance(operation, _OF_COLUMNS):
            columns += _change(comparison, diff, operation)
        elif isinstance(operation, ops.CreateTableCommentOp | ops.DropTableCommentOp):
            columns.append(_as_it_is(operation))
    before, after = _recreated(comparison, diff)
    # Alembic drops in the order of a set; this order is the same on every run.
    return [
        *made,
        *before,
        *_identities(comparison, leaving=True),
        *sorted(columns, key=lambda change: _turn(comparison, change)),
        *_identities(comparison, leaving=False),
        *after,
        *(dropped[table] for table in sorted(dropped)),
        *states(comparison, found),
        *_unseen(comparison, found),
    ]


def _as_it_is(operation: MigrateOperation) -> Change:
    return Change(Stage.TABLES, [operation], [operation.reverse()])


def _create(comparison: Comparison, operation: ops.CreateTableOp, new: set[str]) -> list[Change]:
    """A table with its constraints, without foreign keys to later or existing tables.

    A partitioned table is created with all of them: before PostgreSQL 18 they cannot be added NOT
    VALID.
    """
    table = str(operation.table_name)
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
    changes = [Change(Stage.TABLES, [operation], [operation.reverse()])]
    for key, constraint in zip(waiting, constraints, strict=True):
        made = object_operations.create(key, constraint, comparison.declared)
        drop = object_operations.drop(key, constraint)
        changes.append(Change(Stage.CREATE, made, drop, "make", key))
    return changes


def _as_key_alone(item: SchemaItem, referring: Collection[str]) -> SchemaItem:
    """A key column whose foreign key is added later: without it SQLAlchemy would make it serial."""
    if isinstance(item, Column) and item.primary_key and item.name in referring:
        copy = copy_column(item)
        copy.autoincrement = False if item.autoincrement == "auto" else item.autoincrement
        return copy
    return item


def _key_of(comparison: Comparison, table: str, item: ForeignKeyConstraint) -> Key:
    """The key of a foreign key in the catalog; PostgreSQL names one that has no name."""
    if item.name is not None:
        return Key("constraint", f"{table}.{item.name}")
    columns, other = list(item.column_keys), item.referred_table.name
    return next(
        key
        for key, constraint in comparison.models.each(kinds.Constraint)
        if constraint.table == table
        and object_operations.refers_to(constraint) == other
        and object_operations.referring_columns(constraint) == columns
    )


def _drop(comparison: Comparison, diff: ObjectDiff, operation: ops.DropTableOp) -> Change:
    table = str(operation.table_name)
    back = operation.reverse()
    inline: list[SchemaItem] = []
    apart: list[str] = []
    for item in back.columns:
        if isinstance(item, Column):
            if isinstance(item.type, NullType):
                apart.append(item.name)
            else:
                inline.append(as_read(comparison, table, item, diff))
        elif Key("constraint", f"{table}.{getattr(item, 'name', None)}") not in diff.removed:
            inline.append(item)
    back.columns = inline
    former = comparison.database.one(kinds.Table, Key("table", table))
    if former.partition_key is not None:
        back.kw["postgresql_partition_by"] = former.partition_key
    back.kw.pop("postgresql_with", None)
    again = [_add(comparison.database, table, name) for name in apart]
    undo = [back, *again, *state(plain(former), former)]
    return Change(Stage.TABLES, [operation], undo)


def as_read(
    comparison: Comparison, table: str, column: Column[Any], diff: ObjectDiff
) -> Column[Any]:
    """A reflected column as the catalog has it: reflection mixes in its domain and its key."""
    found = comparison.database.one(kinds.Column, Key("column", f"{table}.{column.name}"))
    copy = copy_column(column)
    copy.nullable = not found.not_null
    copy.type = collated(copy.type, found)
    if any(
        key in diff.removed and each.type == "primary key" and each.table == table
        for key, each in comparison.database.each(kinds.Constraint)
    ):
        # The primary key is created by a statement of its own.
        copy.primary_key = False
    return copy


def _change(comparison: Comparison, diff: ObjectDiff, operation: _ColumnOperation) -> list[Change]:
    table, name = str(operation.table_name), _column_name(operation)
    key = Key("column", f"{table}.{name}")
    # A DDL event may create the column: then it is declared, and not dropped.
    declared = isinstance(operation, ops.DropColumnOp) and key in comparison.models.objects
    if key in diff.recreated_columns or declared:
        return []
    if isinstance(operation, ops.AlterColumnOp):
        return alter(comparison, diff, operation)
    if isinstance(operation, ops.AddColumnOp):
        return added(comparison, operation)
    back = operation.reverse()
    if isinstance(back.column.type, NullType):
        return [Change(Stage.TABLES, [operation], [_add(comparison.database, table, name)])]
    back.column = as_read(comparison, table, back.column, diff)
    return [Change(Stage.TABLES, [operation], [back])]


def _column_name(operation: _ColumnOperation) -> str:
    if isinstance(operation, ops.AddColumnOp):
        return str(operation.column.name)
    return str(operation.column_name)


def _turn(comparison: Comparison, change: Change) -> tuple[int, int]:
    """Drops columns last and in reverse order, so that the way back adds them in order."""
    operation = change.ops[0] if change.ops else None
    if not isinstance(operation, ops.DropColumnOp) or operation.schema is not None:
        return (0, 0)
    order = comparison.database.column_order.get(str(operation.table_name), ())
    return (1, -order.index(operation.column_name) if operation.column_name in order else 0)


def _add(catalog: Catalog, table: str, name: str) -> MigrateOperation:
    """A statement that adds a column whose type SQLAlchemy does not know."""
    column = catalog.one(kinds.Column, Key("column", f"{table}.{name}"))
    collation = "" if column.collation is None else f" COLLATE {column.collation}"
    default = "" if column.default is None else f" DEFAULT {column.default}"
    rest = f"{column.type}{collation}{' NOT NULL' if column.not_null else ''}{default}"
    return sql(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {rest}")


def _recreated(comparison: Comparison, diff: ObjectDiff) -> tuple[list[Change], list[Change]]:
    """Generated columns: dropped before the columns that they use change, and added after.

    One that becomes an ordinary column keeps its values; the way back drops and adds it.
    """
    before, after = [], []
    for key in sorted(diff.recreated_columns | diff.freed_columns):
        found, declared = comparison.columns[key]
        table = declared.table.name
        drop = ops.DropColumnOp(table, str(declared.name))
        back = ops.AddColumnOp.from_column_and_tablename(None, table, found)
        if key in diff.freed_columns:
            column = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(str(declared.name))}"
            free = sql(f"{column} DROP EXPRESSION")
            before.append(Change(Stage.AWAY, [free], [drop, back], "change", key))
        else:
            add = ops.AddColumnOp.from_column_and_tablename(None, table, declared)
            before.append(Change(Stage.AWAY, [drop], [back], "remake", key))
            after.append(Change(Stage.TABLES, [add], [drop], "remake", key))
    return before, after


def _identities(comparison: Comparison, *, leaving: bool) -> Iterator[Change]:
    """Identities: dropped before a default is set, and added after one is dropped."""
    for key, found in comparison.database.each(kinds.Column):
        expected = comparison.models.find(kinds.Column, key)
        if expected is not None and (expected.identity is None) == leaving:
            change = identity(found, expected)
            if change is not None:
                yield change


def _unseen(comparison: Comparison, seen: Iterable[MigrateOperation]) -> Iterator[Change]:
    """Changes of tables that DDL events make, which Alembic does not see."""
    named = {
        f"{operation.table_name}.{_column_name(operation)}"
        for operation in seen
        if isinstance(operation, _OF_COLUMNS)
    }
    created = {each.table_name for each in seen if isinstance(each, ops.CreateTableOp)}
    for table in sorted(comparison.new_tables - created):
        words = f"A DDL event of the models creates the table {table}; create it here too."
        yield Change(Stage.STATE, [Note(words)], [])
    for key, column in comparison.models.each(kinds.Column):
        table, name = column.table, column.name
        if table not in comparison.kept_tables or key.name in named:
            continue
        if key not in comparison.database.objects:
            add, drop = _add(comparison.models, table, name), ops.DropColumnOp(table, name)
            yield Change(Stage.TABLES, [add], [drop], "make", key)
        elif key not in comparison.columns and changed(comparison, key):
            yield Change(Stage.STATE, [Note(f"Not written: column {key.name} differs.")], [])
