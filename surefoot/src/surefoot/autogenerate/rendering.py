"""The operations that autogenerate writes, and how a revision spells each of them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
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

    def __init__(self, operation: ops.AlterColumnOp, using: str) -> None:
        vars(self).update(vars(operation), kw={"postgresql_using": using})


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


def _op(name: str, *arguments: object, **options: object) -> str:
    """A call as a revision spells it; an option that is None or False is left out."""
    named = (f"{name}={value!r}" for name, value in options.items() if value not in (None, False))
    return f"op.{name}({', '.join((*map(repr, arguments), *named))})"


class _Named(str):
    """A final name, which no naming convention changes."""

    def __repr__(self) -> str:
        return f"op.f({str(self)!r})"


def _rendered(context: AutogenContext, operation: MigrateOperation) -> str:
    return "".join(to_list(render_op(context, operation)))


def _check(context: AutogenContext, operation: CreateCheck) -> str:
    condition = operation.condition
    if not isinstance(condition, str):
        condition = context.migration_context.impl.render_ddl_sql_expr(condition)
    name = _Named(operation.constraint_name)
    return _op("create_check_constraint", name, str(operation.table_name), condition)


def _type_change(context: AutogenContext, operation: AlterColumnUsing) -> str:
    rendered = _alter_column(context, operation)
    return f"{rendered[:-1]},\npostgresql_using={operation.kw['postgresql_using']!r})"


def _key(name: str) -> Callable[[AutogenContext, UniqueUsingIndex], str]:
    return lambda _, each: _op(
        f"create_{name}_using_index",
        _Named(each.constraint_name),
        each.table_name,
        _Named(each.index_name),
        deferrable=each.deferrable,
        initially=each.initially,
    )


_SPELLINGS: Mapping[type[MigrateOperation], Callable[[AutogenContext, Any], str | list[str]]] = {
    Note: lambda _, each: [f"# {row}" for text in each.lines for row in textwrap.wrap(text, 92)],
    CreatePrimaryKey: lambda _, each: _op(
        "create_primary_key", _Named(each.constraint_name), str(each.table_name), list(each.columns)
    ),
    CreateCheck: _check,
    AlterColumnUsing: _type_change,
    AddEnumValueOp: lambda _, each: _op(
        "add_enum_value",
        each.type_name,
        each.value,
        before=each.before,
        after=each.after if each.before is None else None,
    ),
    RenameEnumValueOp: lambda _, each: _op("rename_enum_value", each.type_name, each.old, each.new),
    ReplaceEnumOp: lambda _, each: _op(
        "replace_enum", each.type_name, list(each.values), columns=list(each.columns) or None
    ),
    BuildIndex: lambda context, each: _rendered(context, each.index).replace(
        "op.create_index(", "op.create_index_concurrently(", 1
    ),
    RemoveIndex: lambda _, each: _op("drop_index_concurrently", _Named(each.name)),
    RenameColumn: lambda _, each: _op(
        "alter_column", each.table, each.old, new_column_name=each.new
    ),
    RenameTable: lambda _, each: _op("rename_table", each.old, each.new),
    RefuseRows: lambda _, each: _op("refuse_rows", each.table_name, each.condition, each.hint),
    NotValid: lambda context, each: (
        f"{_rendered(context, each.constraint)[:-1]}, postgresql_not_valid=True)"
    ),
    ValidateConstraint: lambda _, each: _op(
        "validate_constraint", _Named(each.constraint_name), each.table_name
    ),
    UniqueUsingIndex: _key("unique_constraint"),
    PrimaryKeyUsingIndex: _key("primary_key"),
}
for _kind, _spelling in _SPELLINGS.items():
    renderers.dispatch_for(_kind)(_spelling)
