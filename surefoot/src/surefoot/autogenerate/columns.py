"""Changes columns: Alembic finds which ones differ, and the catalogs say how."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import DefaultClause, String, text
from sqlalchemy.types import NullType, TypeEngine

from surefoot.autogenerate.additions import not_null
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, comparison_of
from surefoot.autogenerate.object_diff import ObjectDiff
from surefoot.autogenerate.rendering import AlterColumnUsing, ContinueSequence, sql
from surefoot.autogenerate.type_change import is_swappable
from surefoot.catalog import Key, alterations
from surefoot.catalog.kinds import Column
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
    table, name, *_ = place
    pair = _pair(context, schema, table, name)
    if pair is None:
        return PriorityDispatchResult.CONTINUE
    found, expected = pair
    operation.existing_nullable = not found.not_null
    if found.not_null != expected.not_null:
        operation.modify_nullable = not expected.not_null
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
    operation.existing_server_default = _default(before) if before else False
    if before != after:
        operation.existing_server_default = _default(before)
        operation.modify_server_default = (
            declared.server_default
            if after and isinstance(declared.server_default, DefaultClause)
            else _default(after)
        )
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
        operation.modify_nullable = None
        operation.existing_nullable = True
        kind = operation.modify_type or operation.existing_type
        forbid = not_null(str(operation.table_name), str(operation.column_name), kind)
        rest = _altered(comparison, diff, operation) if operation.has_changes() else []
        return [*rest, forbid]
    key = Key("column", f"{operation.table_name}.{operation.column_name}")
    pair = comparison.column(key)
    if pair is not None and operation.modify_type is not None:
        return _retype(comparison, operation, *pair)
    if (
        operation.modify_server_default is not False
        and comparison.database.uses.get(key, frozenset()) & diff.replaced
    ):
        return _past_replaced_enum(operation)
    return [Change(Stage.TABLES, [operation], [operation.reverse()])]


def _past_replaced_enum(operation: ops.AlterColumnOp) -> list[Change]:
    """Drops the default while the values change: it may not exist in the other enum."""
    old, new = operation.existing_server_default, operation.modify_server_default
    operation.modify_server_default = operation.existing_server_default = False
    changes = []
    if old is not None:
        changes.append(Change(Stage.AWAY, [_set(operation, None)], [_set(operation, old)]))
    if operation.has_changes():
        changes.append(Change(Stage.TABLES, [operation], [operation.reverse()]))
    if new is not None:
        changes.append(Change(Stage.TABLES, [_set(operation, new)], [_set(operation, None)]))
    return changes


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
        return [
            sql(first),
            ContinueSequence(
                f"pg_get_serial_sequence({literal(quoted(table))}, {literal(name)})",
                f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} RESTART",
                quoted(table),
                quoted(name),
            ),
        ]

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
    changes = [Change(Stage.TABLES, [_using(operation, up)], _back(operation, down, before.type))]
    if old is not None:
        changes.insert(0, Change(Stage.TABLES, [_set(operation, None)], [_set(operation, old)]))
    if new is not None:
        changes.append(Change(Stage.TABLES, [_set(operation, new)], [_set(operation, None)]))
    return changes


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
    if using is None:
        return operation
    return AlterColumnUsing(
        operation.table_name,
        operation.column_name,
        existing_type=operation.existing_type,
        existing_nullable=operation.existing_nullable,
        existing_server_default=operation.existing_server_default,
        existing_comment=operation.existing_comment,
        modify_nullable=operation.modify_nullable,
        modify_comment=operation.modify_comment,
        modify_server_default=operation.modify_server_default,
        modify_type=operation.modify_type,
        postgresql_using=using,
    )


def _set(operation: ops.AlterColumnOp, default: Any) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        operation.table_name, operation.column_name, modify_server_default=default
    )


def _default(expression: str | None) -> DefaultClause | None:
    return None if expression is None else DefaultClause(text(expression))


def _pair(
    context: AutogenContext, schema: str | None, table: str, name: str
) -> tuple[Column, Column] | None:
    comparison = comparison_of(context)
    if comparison is None or schema is not None:
        return None
    return comparison.column(Key("column", f"{table}.{name}"))
