"""Adds columns to a table with rows, where possible without a rewrite or a scan."""

import re

from alembic.operations import ops

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.domains import checked_domain
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Routine
from surefoot.compat.sqlalchemy import copy_column

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
