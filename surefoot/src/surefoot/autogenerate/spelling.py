"""Operations for a table in use, as a revision spells them."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.operations import MigrateOperation, ops
from alembic.util import to_list

from surefoot.operations.constraints import (
    PrimaryKeyUsingIndex,
    UniqueUsingIndex,
    ValidateConstraint,
)
from surefoot.operations.refuse_rows import RefuseRows


class BuildIndex(MigrateOperation):
    """An index that is built while readers and writers go on."""

    def __init__(self, index: ops.CreateIndexOp) -> None:
        self.index = index


class UnbuildIndex(MigrateOperation):
    """An index that is dropped while readers and writers go on."""

    def __init__(self, name: str) -> None:
        self.name = name


class RenameColumn(MigrateOperation):
    """Another name for a column."""

    def __init__(self, table: str, old: str, new: str) -> None:
        self.table, self.old, self.new = table, old, new

    def reverse(self) -> RenameColumn:
        """The former name again."""
        return RenameColumn(self.table, self.new, self.old)


class RenameTable(MigrateOperation):
    """Another name for a table."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new


class NotValid(MigrateOperation):
    """A constraint that holds for what is written from now on."""

    def __init__(self, constraint: ops.AddConstraintOp) -> None:
        self.constraint = constraint


@renderers.dispatch_for(BuildIndex)
def _render_build(context: AutogenContext, operation: BuildIndex) -> str:
    return _line(context, operation.index).replace(
        "op.create_index(", "op.create_index_concurrently(", 1
    )


@renderers.dispatch_for(UnbuildIndex)
def _render_unbuild(context: AutogenContext, operation: UnbuildIndex) -> str:
    return f"op.drop_index_concurrently(op.f({operation.name!r}))"


@renderers.dispatch_for(RenameColumn)
def _render_rename(context: AutogenContext, operation: RenameColumn) -> str:
    return (
        f"op.alter_column({operation.table!r}, {operation.old!r}, "
        f"new_column_name={operation.new!r})"
    )


@renderers.dispatch_for(RenameTable)
def _render_rename_table(context: AutogenContext, operation: RenameTable) -> str:
    return f"op.rename_table({operation.old!r}, {operation.new!r})"


@renderers.dispatch_for(RefuseRows)
def _render_refusal(context: AutogenContext, operation: RefuseRows) -> str:
    return f"op.refuse_rows({operation.table_name!r}, {operation.condition!r}, {operation.hint!r})"


@renderers.dispatch_for(NotValid)
def _render_not_valid(context: AutogenContext, operation: NotValid) -> str:
    return f"{_line(context, operation.constraint)[:-1]}, postgresql_not_valid=True)"


@renderers.dispatch_for(ValidateConstraint)
def _render_validate(context: AutogenContext, operation: ValidateConstraint) -> str:
    name, table = operation.constraint_name, operation.table_name
    return f"op.validate_constraint(op.f({name!r}), {table!r})"


@renderers.dispatch_for(UniqueUsingIndex)
def _render_unique(context: AutogenContext, operation: UniqueUsingIndex) -> str:
    return _using("create_unique_constraint_using_index", operation)


@renderers.dispatch_for(PrimaryKeyUsingIndex)
def _render_key(context: AutogenContext, operation: PrimaryKeyUsingIndex) -> str:
    return _using("create_primary_key_using_index", operation)


def _using(name: str, operation: UniqueUsingIndex) -> str:
    arguments: list[Any] = [
        f"op.f({operation.constraint_name!r})",
        repr(operation.table_name),
        f"op.f({operation.index_name!r})",
    ]
    if operation.deferrable:
        arguments.append("deferrable=True")
    if operation.initially is not None:
        arguments.append(f"initially={operation.initially!r}")
    return f"op.{name}({', '.join(arguments)})"


def _line(context: AutogenContext, operation: MigrateOperation) -> str:
    return "".join(to_list(render_op(context, operation)))
