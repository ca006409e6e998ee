"""Adds, changes and drops columns.

A column is added without a rewrite or a scan of the rows where that is possible.
"""

import re
from collections.abc import Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import DefaultClause, text
from sqlalchemy.types import NullType

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.objects import ObjectDiff
from surefoot.autogenerate.rendering import AlterColumnUsing, ContinueSequence, Note, sql
from surefoot.autogenerate.type_change import is_swappable
from surefoot.catalog import Catalog, Key, alterations
from surefoot.catalog.kinds import Column, Routine
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import literal, quoted

_CALL = re.compile(r"(\w+)\(")
_SAYS_SO = re.compile(r"\b(IMMUTABLE|STABLE)\b")


def column_changes(comparison: Comparison, diff: ObjectDiff, table: str) -> Iterator[Change]:
    """The changes of the columns of a table that both sides have.

    Columns are dropped last and in reverse order, so that the way back adds them in order.
    """
    database, models = comparison.database, comparison.models
    for name in models.column_order.get(table, ()):
        key = Key("column", f"{table}.{name}")
        if key in diff.recreated_columns or key not in models.objects:
            continue
        if key not in database.objects:
            yield from _added(comparison, models.one(Column, key), key)
        elif key in comparison.columns:
            yield from _altered(comparison, diff, key)
        elif changed(comparison, key):
            yield Change(Stage.STATE, [Note(f"Not written: column {key.name} differs.")], [])
    for name in reversed(database.column_order.get(table, ())):
        key = Key("column", f"{table}.{name}")
        if key in database.objects and key not in {*models.objects, *diff.recreated_columns}:
            former = comparison.reflected(key)
            drop = ops.DropColumnOp(table, name)
            add: MigrateOperation = ops.AddColumnOp(table, former)
            if isinstance(former.type, NullType):
                add = add_column(database, key)
            yield Change(Stage.TABLES, [drop], [add], "drop", key)


def add_column(catalog: Catalog, key: Key) -> MigrateOperation:
    """A statement that adds a column whose type SQLAlchemy does not know."""
    column = catalog.one(Column, key)
    collation = "" if column.collation is None else f" COLLATE {column.collation}"
    default = "" if column.default is None else f" DEFAULT {column.default}"
    rest = f"{column.type}{collation}{' NOT NULL' if column.not_null else ''}{default}"
    return sql(f"ALTER TABLE {quoted(column.table)} ADD COLUMN {quoted(column.name)} {rest}")


def _added(comparison: Comparison, expected: Column, key: Key) -> Iterator[Change]:
    """The changes that add a column.

    A volatile default is set after the column is added, for new rows only. NOT NULL without a value
    for existing rows is a change of its own.
    """
    table, name = expected.table, expected.name
    drop = ops.DropColumnOp(table, name)
    column = comparison.columns.get(key)
    if column is None:
        # A DDL event of the models adds it.
        add = add_column(comparison.models, key)
        yield Change(Stage.TABLES, [add], [drop], "make", key)
        return
    by_row = is_volatile(comparison, expected)
    required = (
        expected.not_null
        and expected.generated is None
        and expected.identity is None
        and (by_row or expected.default is None)
    )
    copy = copy_column(column)
    if by_row or required:
        copy.nullable = True
        copy.server_default = None if by_row else copy.server_default
    action = "begin" if required or by_row else "make"
    yield Change(Stage.TABLES, [ops.AddColumnOp(table, copy)], [drop], action, key)
    if by_row:
        default = ops.AlterColumnOp(table, name, modify_server_default=column.server_default)
        yield Change(Stage.TABLES, [default], [], "default", key)
    if required:
        yield not_null(table, name, column.type)


def _altered(comparison: Comparison, diff: ObjectDiff, key: Key) -> list[Change]:
    """The changes of a column that differs; NOT NULL comes last."""
    in_place = list(_in_place(comparison, diff, key))
    if any(change.action == "retype" for change in in_place) and is_swappable(comparison, key):
        do = [each for change in in_place for each in change.ops]
        undo = [each for change in reversed(in_place) for each in change.undo]
        return [Change(Stage.TABLES, do, undo, "swap", key)]
    return in_place


def _in_place(comparison: Comparison, diff: ObjectDiff, key: Key) -> Iterator[Change]:
    different = changed(comparison, key)
    if not different:
        return
    (found, expected), declared = comparison.pair(key), comparison.columns[key]
    kind: Any = comparison.reflected(key).type
    kind = None if isinstance(kind, NullType) else kind

    def alter(action: str, kind: Any, **given: Any) -> Change:
        operation = ops.AlterColumnOp(found.table, found.name, existing_type=kind, **given)
        return Change(Stage.TABLES, [operation], [operation.reverse()], action, key)

    old, new = _default(found.default), _default(expected.default)
    if new is not None and isinstance(declared.server_default, DefaultClause):
        new = declared.server_default
    if different & {"type", "collation"}:
        yield from _retype(comparison, key, kind, old, new)
    elif "default" in different:
        if comparison.database.uses.get(key, frozenset()) & diff.replaced:
            # The default is dropped while the values change: it may not exist in the other enum.
            yield from _without_default(key, found, old, [], new, Stage.AWAY)
        else:
            yield alter("default", kind, modify_server_default=new, existing_server_default=old)
    kind = declared.type if different & {"type", "collation"} else kind
    if "comment" in different:
        comments = {"modify_comment": expected.comment, "existing_comment": found.comment}
        yield alter("comment", kind, **comments)
    if "not null" in different and expected.not_null:
        yield not_null(found.table, found.name, kind)
    elif "not null" in different:
        yield alter("nullable", kind, modify_nullable=True, existing_nullable=False)


def _without_default(
    key: Key, column: Column, old: Any, changes: list[Change], new: Any, away: Stage = Stage.TABLES
) -> list[Change]:
    """The changes with the old default dropped before and the new one set after them."""

    def default(value: Any) -> list[MigrateOperation]:
        return [ops.AlterColumnOp(column.table, column.name, modify_server_default=value)]

    return [
        *([Change(away, default(None), default(old), "default", key)] if old is not None else []),
        *changes,
        *(
            [Change(Stage.TABLES, default(new), default(None), "default", key)]
            if new is not None
            else []
        ),
    ]


def identity(before: Column, after: Column) -> Change | None:
    """The change that makes, changes or drops the identity of a column."""
    if before.identity == after.identity:
        return None
    table, name = after.table, after.name

    def to(after: Column, before: Column) -> list[MigrateOperation]:
        first, *rest = alterations.identity(before, after)
        if not rest:
            return [sql(first)]
        # Existing rows keep their numbers: the sequence continues after the highest.
        sequence = f"pg_get_serial_sequence({literal(quoted(table))}, {literal(name)})"
        again = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} RESTART"
        return [sql(first), ContinueSequence(sequence, again, quoted(table), quoted(name))]

    key = Key("column", f"{table}.{name}")
    return Change(Stage.TABLES, to(after, before), to(before, after), "identity", key)


def _retype(comparison: Comparison, key: Key, existing: Any, old: Any, new: Any) -> list[Change]:
    """A type change. A default blocks it where PostgreSQL has no cast for the default.

    Where it has one, the default is set again too: it would keep the text of its old type.
    """
    (found, expected), kind = comparison.pair(key), comparison.columns[key].type
    table, name = found.table, found.name
    up = comparison.using(quoted(name), found.type, expected.type)
    down = comparison.using(quoted(name), expected.type, found.type)
    operation = ops.AlterColumnOp(table, name, modify_type=kind, existing_type=existing)
    if up is None and down is None and existing is not None:
        if old is not None or new is not None:
            operation.existing_server_default, operation.modify_server_default = old, new
        return [Change(Stage.TABLES, [operation], [operation.reverse()], "retype", key)]
    back: MigrateOperation = _using(operation.reverse(), down)
    if existing is None:
        # SQLAlchemy does not know the type: PostgreSQL's name for it is used.
        how = "" if down is None else f" USING {down}"
        column = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)}"
        back = sql(f"{column} TYPE {found.type}{how}")
    retype = Change(Stage.TABLES, [_using(operation, up)], [back], "retype", key)
    return _without_default(key, found, old, [retype], new)


def _using(operation: ops.AlterColumnOp, using: str | None) -> ops.AlterColumnOp:
    return operation if using is None else AlterColumnUsing(operation, using)


def _default(expression: str | None) -> DefaultClause | None:
    return None if expression is None else DefaultClause(text(expression))


def fills_rows(column: Column) -> bool:
    """Whether adding the column writes a value in each row."""
    return column.identity is not None or (column.generated or "").endswith(" STORED")


def not_null(table: str, name: str, kind: object) -> Change:
    """The change that sets NOT NULL on a column, whose type is final by then."""
    forbid = ops.AlterColumnOp(
        table, name, modify_nullable=False, existing_type=kind, existing_nullable=True
    )
    key = Key("column", f"{table}.{name}")
    return Change(Stage.TABLES, [forbid], [forbid.reverse()], "not null", key)


def is_volatile(comparison: Comparison, column: Column) -> bool:
    """Whether the default of a column may differ from row to row."""
    ours = {
        routine.name: bool(_SAYS_SO.search(routine.definition))
        for key, routine in comparison.models.each(Routine)
        if key.kind == "function"
    }
    calls = _CALL.findall((column.default or "").lower())
    return any(not ours.get(name, name not in comparison.volatile) for name in calls)
