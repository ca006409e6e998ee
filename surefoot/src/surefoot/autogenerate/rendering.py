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
        return ("note", " ".join(self.lines))


class CreateCheck(ops.CreateCheckConstraintOp):
    """Alembic's operation, which Alembic renders only since 1.19."""


class AlterColumnUsing(ops.AlterColumnOp):
    """A type change with a USING expression."""

    def __init__(self, operation: ops.AlterColumnOp, using: str) -> None:
        vars(self).update(vars(operation), kw={"postgresql_using": using})


class Statement(ops.ExecuteSQLOp):
    """A statement as `op.execute`. Its lines are indented with the surrounding code.

    A function body and a string of several lines are not indented: whitespace matters there.
    """

    def __init__(self, statement: str) -> None:
        self.statement = statement.strip()
        text = _PARAMETER.sub(r"\\:", self.statement)
        if "\n" in text:
            counts = _LINE_BREAK_IN_STRING.search(text) is not None
            text = f"\n{text}\n" if counts else f"\n{textwrap.indent(text, _INDENT)}\n{_INDENT}"
        super().__init__(text)


sql = Statement


class ContinueSequence(Statement):
    """Sets a sequence to the highest number among the rows."""

    def __init__(self, sequence: str, again: str, table: str, column: str) -> None:
        # Without a row, max is null and setval does nothing.
        super().__init__(f"SELECT setval({sequence}, max({column})) FROM {table}")  # noqa: S608 - names of a catalog, quoted
        self.again = again

    def reverse(self) -> Statement:
        return Statement(self.again)


class Name(str):
    """A final name, which no naming convention changes."""

    def __repr__(self) -> str:
        return f"op.f({str(self)!r})"


class Call(MigrateOperation):
    """A call as a revision spells it; an option that is None or False is left out."""

    def __init__(self, name: str, *arguments: object, **options: object) -> None:
        self.name, self.arguments, self.options = name, arguments, options

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (self.name, *map(str, self.arguments))

    def spelled(self) -> str:
        given = {name: each for name, each in self.options.items() if each not in (None, False)}
        named = (f"{name}={value!r}" for name, value in given.items())
        return f"op.{self.name}({', '.join((*map(repr, self.arguments), *named))})"


def drop_index(name: str) -> Call:
    return Call("drop_index_concurrently", Name(name))


def rename_column(table: str, old: str, new: str) -> Call:
    return Call("alter_column", table, old, new_column_name=new)


def validate(name: str, table: str) -> Call:
    return Call("validate_constraint", Name(name), table)


class _Variant(MigrateOperation):
    """One of Alembic's operations in another form."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def to_diff_tuple(self) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self.plain.to_diff_tuple()
        return found


class BuildIndex(_Variant):
    """CREATE INDEX CONCURRENTLY."""

    def reverse(self) -> Call:
        return drop_index(str(self.plain.index_name))


class NotValid(_Variant):
    """A constraint that is added NOT VALID."""


def _rendered(context: AutogenContext, operation: MigrateOperation) -> str:
    return "".join(to_list(render_op(context, operation)))


def _check(context: AutogenContext, operation: CreateCheck) -> str:
    condition = operation.condition
    if not isinstance(condition, str):
        condition = context.migration_context.impl.render_ddl_sql_expr(condition)
    name, table = Name(operation.constraint_name), str(operation.table_name)
    return Call("create_check_constraint", name, table, condition).spelled()


def _type_change(context: AutogenContext, operation: AlterColumnUsing) -> str:
    rendered = _alter_column(context, operation)
    return f"{rendered[:-1]},\npostgresql_using={operation.kw['postgresql_using']!r})"


def _added_value(each: AddEnumValueOp) -> Call:
    after = each.after if each.before is None else None
    return Call("add_enum_value", each.type_name, each.value, before=each.before, after=after)


def _replaced_enum(each: ReplaceEnumOp) -> Call:
    values, columns = list(each.values), list(each.columns) or None
    return Call("replace_enum", each.type_name, values, columns=columns)


_SPELLINGS: Mapping[type[MigrateOperation], Callable[[AutogenContext, Any], str | list[str]]] = {
    Note: lambda _, each: [f"# {row}" for text in each.lines for row in textwrap.wrap(text, 92)],
    Call: lambda _, each: each.spelled(),
    CreateCheck: _check,
    AlterColumnUsing: _type_change,
    AddEnumValueOp: lambda _, each: _added_value(each).spelled(),
    RenameEnumValueOp: lambda _, each: Call(*each.to_diff_tuple()).spelled(),
    ReplaceEnumOp: lambda _, each: _replaced_enum(each).spelled(),
    BuildIndex: lambda context, each: _rendered(context, each.plain).replace(
        "op.create_index(", "op.create_index_concurrently(", 1
    ),
    NotValid: lambda context, each: (
        f"{_rendered(context, each.plain)[:-1]}, postgresql_not_valid=True)"
    ),
}
for _kind, _spelling in _SPELLINGS.items():
    renderers.dispatch_for(_kind)(_spelling)
