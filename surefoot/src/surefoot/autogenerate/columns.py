"""Adds and changes columns: Alembic finds which ones differ, and the catalogs say how.

A column is added without a rewrite or a scan of the rows where that is possible.
"""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import DefaultClause, String, text
from sqlalchemy.types import NullType, TypeEngine

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, comparison_of
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.object_diff import ObjectDiff
from surefoot.autogenerate.rendering import AlterColumnUsing, ContinueSequence, sql
from surefoot.autogenerate.type_change import is_swappable
from surefoot.catalog import Key, alterations
from surefoot.catalog.kinds import Column, Routine
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import literal, quoted


def compare_type(
    context: AutogenContext, operation: ops.AlterColumnOp, schema: str | None, *place: Any
) -> PriorityDispatchResult:
    """Compares type and collation as PostgreSQL writes them."""
    table, name, reflected, declared = place
    pair = _pair(context, schema, table, name)
    if pair is None:
        return PriorityDispatchResult.CONTINUE
    found, expected = pair
    comparison = comparison_of(context)
    assert comparison is not None
    reflected.type = collated(reflected.type, found)
    comparison.columns[Key("column", f"{table}.{name}")] = (reflected, declared)
    if not isinstance(reflected.type, NullType):
        operation.existing_type = reflected.type
    if (found.type, found.collation) != (expected.type, expected.collation):
        operation.modify_type = declared.type
    return PriorityDispatchResult.STOP


def collated(kind: TypeEngine[Any], column: Column) -> TypeEngine[Any]:
    """A reflected type with its collation, which SQLAlchemy 2.0 leaves out."""
    if column.collation is None or not isinstance(kind, String) or kind.collation is not None:
        return kind
    with_it = kind.copy()
    with_it.collation = column.collation.strip('"')
    return with_it


def compare_nullable(
    context: AutogenContext, operation: ops.AlterColumnOp, schema: str | None, *place: Any
) -> PriorityDispatchResult:
    """Compares NOT NULL, including that of a primary key."""
    pair = _pair(context, schema, *place[:2])
    if pair is None:
        return PriorityDispatchResult.CONTINUE
    before, after = (not each.not_null for each in pair)
    operation.existing_nullable = before
    if before != after:
        operation.modify_nullable = after
    return PriorityDispatchResult.STOP


def compare_default(
    context: AutogenContext, operation: ops.AlterColumnOp, schema: str | None, *place: Any
) -> PriorityDispatchResult:
    """Compares the default as PostgreSQL writes it, without running it."""
    table, name, _, declared = place
    pair = _pair(context, schema, table, name)
    if pair is None:
        return PriorityDispatchResult.CONTINUE
    before, after = (each.default for each in pair)
    operation.existing_server_default = _default(before) if before or before != after else False
    if before != after:
        given = declared.server_default
        is_given = after and isinstance(given, DefaultClause)
        operation.modify_server_default = given if is_given else _default(after)
    return PriorityDispatchResult.STOP


def alter(comparison: Comparison, diff: ObjectDiff, operation: ops.AlterColumnOp) -> list[Change]:
    """The changes of a column that differs; NOT NULL comes last."""
    key = Key("column", f"{operation.table_name}.{operation.column_name}")
    if operation.modify_type is not None and is_swappable(comparison, key):
        in_place = _altered(comparison, diff, operation)
        do = [each for change in in_place for each in change.ops]
        undo = [each for change in reversed(in_place) for each in change.undo]
        return [Change(Stage.TABLES, do, undo, "swap", key)]
    return _altered(comparison, diff, operation)


def _altered(
    comparison: Comparison, diff: ObjectDiff, operation: ops.AlterColumnOp
) -> list[Change]:
    if operation.modify_nullable is False:
        operation.modify_nullable, operation.existing_nullable = None, True
        kind = operation.modify_type or operation.existing_type
        forbid = not_null(str(operation.table_name), str(operation.column_name), kind)
        rest = _altered(comparison, diff, operation) if operation.has_changes() else []
        return [*rest, forbid]
    key = Key("column", f"{operation.table_name}.{operation.column_name}")
    pair = comparison.column(key)
    if pair is not None and operation.modify_type is not None:
        return _retype(comparison, operation, *pair)
    used = comparison.database.uses.get(key, frozenset())
    if operation.modify_server_default is False or not used & diff.replaced:
        return [Change(Stage.TABLES, [operation], [operation.reverse()])]
    # The default is dropped while the values change: it may not exist in the other enum.
    old, new = operation.existing_server_default, operation.modify_server_default
    operation.modify_server_default = operation.existing_server_default = False
    altered = [Change(Stage.TABLES, [operation], [operation.reverse()])]
    altered = altered if operation.has_changes() else []
    return _without_default(operation, old, altered, new, Stage.AWAY)


def _without_default(
    operation: ops.AlterColumnOp,
    old: Any,
    changes: list[Change],
    new: Any,
    away: Stage = Stage.TABLES,
) -> list[Change]:
    """The changes with the old default dropped before and the new one set after them."""

    def default(value: Any) -> list[MigrateOperation]:
        table, column = operation.table_name, operation.column_name
        return [ops.AlterColumnOp(table, column, modify_server_default=value)]

    return [
        *([Change(away, default(None), default(old))] if old is not None else []),
        *changes,
        *([Change(Stage.TABLES, default(new), default(None))] if new is not None else []),
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


def _retype(
    comparison: Comparison, operation: ops.AlterColumnOp, before: Column, after: Column
) -> list[Change]:
    """A type change. A default blocks it where PostgreSQL has no cast for the default.

    Where it has one, the default is set again too: it would keep the text of its old type.
    """
    column = quoted(str(operation.column_name))
    up = comparison.using(column, before.type, after.type)
    down = comparison.using(column, after.type, before.type)
    old, new = _default(before.default), _default(after.default)
    if operation.modify_server_default is not False:
        new = operation.modify_server_default
    if up is None and down is None and operation.existing_type is not None:
        if old is not None or new is not None:
            operation.existing_server_default, operation.modify_server_default = old, new
        return [Change(Stage.TABLES, [operation], [operation.reverse()])]
    operation.existing_server_default = operation.modify_server_default = False
    retype = Change(Stage.TABLES, [_using(operation, up)], _back(operation, down, before.type))
    return _without_default(operation, old, [retype], new)


def _back(
    operation: ops.AlterColumnOp, using: str | None, type_name: str
) -> list[MigrateOperation]:
    if operation.existing_type is not None:
        return [_using(operation.reverse(), using)]
    # SQLAlchemy does not know the type: PostgreSQL's name for it is used.
    table, column = quoted(str(operation.table_name)), quoted(str(operation.column_name))
    how = "" if using is None else f" USING {using}"
    retype = sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name}{how}")
    rest = operation.reverse()
    return [retype, rest] if rest.has_changes() else [retype]


def _using(operation: ops.AlterColumnOp, using: str | None) -> ops.AlterColumnOp:
    return operation if using is None else AlterColumnUsing(operation, using)


def _default(expression: str | None) -> DefaultClause | None:
    return None if expression is None else DefaultClause(text(expression))


def _pair(
    context: AutogenContext, schema: str | None, table: str, name: str
) -> tuple[Column, Column] | None:
    comparison = comparison_of(context)
    if comparison is None or schema is not None:
        return None
    return comparison.column(Key("column", f"{table}.{name}"))


_CALL = re.compile(r"(\w+)\(")
_SAYS_SO = re.compile(r"\b(IMMUTABLE|STABLE)\b")


def added(comparison: Comparison, operation: ops.AddColumnOp) -> list[Change]:
    """The changes that add a column.

    A volatile default is set after the column is added, for new rows only. NOT NULL without a value
    for existing rows is a change of its own.
    """
    table, column = str(operation.table_name), operation.column
    name = str(column.name)
    key = Key("column", f"{table}.{name}")
    declared = comparison.models.find(Column, key)
    by_row = declared is not None and is_volatile(comparison, declared)
    required = (
        declared is not None
        and declared.not_null
        and declared.generated is None
        and declared.identity is None
        and (by_row or declared.default is None)
    )
    checked = key in comparison.models.uses and checked_domain(comparison, key)
    fills = declared is not None and fills_rows(declared)
    if fills or (checked and not by_row and not required):
        return [Change(Stage.TABLES, [operation], [operation.reverse()], "make", key)]
    if not by_row and not required:
        return [Change(Stage.TABLES, [operation], [operation.reverse()])]
    copy = copy_column(column)
    copy.nullable = True
    if by_row:
        copy.server_default = None
    add = ops.AddColumnOp(table, copy, schema=operation.schema)
    drop = ops.DropColumnOp(table, name, schema=operation.schema)
    changes = [Change(Stage.TABLES, [add], [drop])]
    if by_row:
        default = ops.AlterColumnOp(table, name, modify_server_default=column.server_default)
        changes.append(Change(Stage.TABLES, [default], [], "default", key))
    return [*changes, not_null(table, name, column.type)] if required else changes


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
