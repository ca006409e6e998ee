"""The operations that autogenerate writes, and how a revision spells each of them."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alter_column, render_op
from alembic.operations import MigrateOperation, ops
from alembic.util import to_list

from surefoot.operations.constraints import (
    PrimaryKeyUsingIndex,
    RefuseRows,
    UniqueUsingIndex,
    ValidateConstraint,
)
from surefoot.operations.enums import AddEnumValueOp, RenameEnumValueOp, ReplaceEnumOp

# SQLAlchemy takes this for a parameter in a text.
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w+(?!:)\b)")
_LINE_BREAK_IN_STRING = re.compile(r"'[^']*\n[^']*'|\$\w*\$")
_INDENT = " " * 8


class Note(MigrateOperation):
    """A comment in the file, for the person who reviews it."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The difference as `alembic check` reports it."""
        return ("note", " ".join(self.lines))


class CreatePrimaryKey(ops.CreatePrimaryKeyOp):
    """Alembic's operation, which Alembic runs and does not render."""


class CreateCheck(ops.CreateCheckConstraintOp):
    """Alembic's operation, which Alembic renders only since 1.19."""


class AlterColumnUsing(ops.AlterColumnOp):
    """A type change with a USING expression."""


class ContinueSequence(ops.ExecuteSQLOp):
    """Sets a sequence to the highest number among the rows."""

    def __init__(self, sequence: str, again: str, table: str, column: str) -> None:
        # Without a row, max is null and setval does nothing.
        super().__init__(f"SELECT setval({sequence}, max({column})) FROM {table}")  # noqa: S608 - names of a catalog, quoted
        self.again = again

    def reverse(self) -> ops.ExecuteSQLOp:
        """Restarts the sequence."""
        return sql(self.again)


def sql(statement: str) -> ops.ExecuteSQLOp:
    """A statement as `op.execute`. Its lines are indented with the surrounding code.

    A function body and a string of several lines are not indented: whitespace matters there.
    """
    text = _PARAMETER.sub(r"\\:", statement.strip())
    if "\n" in text:
        counts = _LINE_BREAK_IN_STRING.search(text) is not None
        text = f"\n{text}\n" if counts else f"\n{textwrap.indent(text, _INDENT)}\n{_INDENT}"
    return ops.ExecuteSQLOp(text)


class BuildIndex(MigrateOperation):
    """CREATE INDEX CONCURRENTLY."""

    def __init__(self, index: ops.CreateIndexOp) -> None:
        self.index = index


class RemoveIndex(MigrateOperation):
    """DROP INDEX CONCURRENTLY."""

    def __init__(self, name: str) -> None:
        self.name = name


class RenameColumn(MigrateOperation):
    """Renames a column."""

    def __init__(self, table: str, old: str, new: str) -> None:
        self.table, self.old, self.new = table, old, new

    def reverse(self) -> RenameColumn:
        """Renames it back."""
        return RenameColumn(self.table, self.new, self.old)


class RenameTable(MigrateOperation):
    """Renames a table."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new


class NotValid(MigrateOperation):
    """A constraint that is added NOT VALID."""

    def __init__(self, constraint: ops.AddConstraintOp) -> None:
        self.constraint = constraint


@renderers.dispatch_for(Note)
def _render_note(context: AutogenContext, note: Note) -> list[str]:
    return [f"# {line}" for text in note.lines for line in textwrap.wrap(text, 92)]


@renderers.dispatch_for(CreatePrimaryKey)
def _render_primary_key(context: AutogenContext, operation: CreatePrimaryKey) -> str:
    name, table, columns = operation.constraint_name, operation.table_name, operation.columns
    return f"op.create_primary_key(op.f({str(name)!r}), {str(table)!r}, {list(columns)!r})"


@renderers.dispatch_for(CreateCheck)
def _render_check(context: AutogenContext, operation: CreateCheck) -> str:
    name, table = operation.constraint_name, operation.table_name
    condition = operation.condition
    if not isinstance(condition, str):
        condition = context.migration_context.impl.render_ddl_sql_expr(condition)
    return f"op.create_check_constraint(op.f({str(name)!r}), {str(table)!r}, {condition!r})"


@renderers.dispatch_for(AlterColumnUsing)
def _render_using(context: AutogenContext, operation: AlterColumnUsing) -> str:
    rendered = _alter_column(context, operation)
    return f"{rendered[:-1]},\npostgresql_using={operation.kw['postgresql_using']!r})"


@renderers.dispatch_for(AddEnumValueOp)
def _render_add_enum_value(context: AutogenContext, operation: AddEnumValueOp) -> str:
    place = ""
    if operation.before is not None:
        place = f", before={operation.before!r}"
    elif operation.after is not None:
        place = f", after={operation.after!r}"
    return f"op.add_enum_value({operation.type_name!r}, {operation.value!r}{place})"


@renderers.dispatch_for(RenameEnumValueOp)
def _render_rename_enum_value(context: AutogenContext, operation: RenameEnumValueOp) -> str:
    return f"op.rename_enum_value({operation.type_name!r}, {operation.old!r}, {operation.new!r})"


@renderers.dispatch_for(ReplaceEnumOp)
def _render_replace_enum(context: AutogenContext, operation: ReplaceEnumOp) -> str:
    columns = f", columns={list(operation.columns)!r}" if operation.columns else ""
    return f"op.replace_enum({operation.type_name!r}, {list(operation.values)!r}{columns})"


@renderers.dispatch_for(BuildIndex)
def _render_build(context: AutogenContext, operation: BuildIndex) -> str:
    return _line(context, operation.index).replace(
        "op.create_index(", "op.create_index_concurrently(", 1
    )


@renderers.dispatch_for(RemoveIndex)
def _render_unbuild(context: AutogenContext, operation: RemoveIndex) -> str:
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
