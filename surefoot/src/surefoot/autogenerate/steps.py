"""Step is one change and its way back, each made of Alembic's own operations.

Steps are put in order once, for the upgrade. The downgrade is the way back of each in reverse:
it passes through the same states, so what the one may do the other may do.
"""

from __future__ import annotations

import enum
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alter_column, render_op
from alembic.operations import MigrateOperation, ops
from alembic.util import to_list

from surefoot.catalog import Key
from surefoot.operations.enums import AddEnumValueOp, RenameEnumValueOp, ReplaceEnumOp

# What SQLAlchemy takes for a parameter in a text.
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w+(?!:)\b)")
_LINE_BREAK_IN_STRING = re.compile(r"'[^']*\n[^']*'|\$\w*\$")
_INDENT = " " * 8


class Stage(enum.IntEnum):
    """When a step has its turn in an upgrade."""

    DROP = 1  # what needs tables, or stands in the way of a change of theirs
    TYPES = 2  # what tables need: types, sequences, functions
    AWAY = 3  # defaults and generated columns that stand in the way of what follows
    ENUMS = 4  # types that are replaced under the tables that use them
    TABLES = 5
    CREATE = 6  # what needs tables
    STATE = 7  # what is changed in place, once everything is there
    CLEAN = 8  # what no table needs any more


class Step(ops.OpContainer):
    """One change. `ops` does it, `undo` takes it back, both in the order in which they run.

    `word` says what becomes of the object `key`: make, drop, change, or remake for one that is
    dropped and made because of something else. A step of Alembic's own operations says it itself.
    """

    def __init__(
        self,
        stage: Stage,
        do: Sequence[MigrateOperation],
        undo: Sequence[MigrateOperation],
        word: str = "",
        key: Key | None = None,
    ) -> None:
        super().__init__(do)
        self.stage = stage
        self.undo = list(undo)
        self.word = word
        self.key = key

    def reverse(self) -> Step:
        """The way back as a step."""
        return Step(self.stage, self.undo, self.ops)


class Note(MigrateOperation):
    """Words in the file: what a person has to know or to write there."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` reports."""
        return ("note", " ".join(self.lines))


class CreatePrimaryKey(ops.CreatePrimaryKeyOp):
    """Alembic's operation, which Alembic runs and does not render."""


class CreateCheck(ops.CreateCheckConstraintOp):
    """Alembic's operation, which Alembic renders only since 1.19."""


class AlterColumnUsing(ops.AlterColumnOp):
    """A change of type that PostgreSQL makes only when it is told how."""


class GoOn(ops.ExecuteSQLOp):
    """A sequence that goes on after the highest number among the rows."""

    def __init__(self, sequence: str, again: str, table: str, column: str) -> None:
        # Nothing is set where there is no row: setval takes no null.
        super().__init__(f"SELECT setval({sequence}, max({column})) FROM {table}")  # noqa: S608 - names of a catalog, quoted
        self.again = again

    def reverse(self) -> ops.ExecuteSQLOp:
        """The first number again."""
        return sql(self.again)


def sql(statement: str) -> ops.ExecuteSQLOp:
    """A statement as `op.execute`. One of several lines is indented with the code around it.

    The text of a function and a string over several lines stay as they are: there it counts.
    """
    text = _PARAMETER.sub(r"\\:", statement.strip())
    if "\n" in text:
        counts = _LINE_BREAK_IN_STRING.search(text) is not None
        text = f"\n{text}\n" if counts else f"\n{textwrap.indent(text, _INDENT)}\n{_INDENT}"
    return ops.ExecuteSQLOp(text)


@renderers.dispatch_for(Step)
def _render_step(context: AutogenContext, step: Step) -> list[str]:
    return [line for operation in step.ops for line in to_list(render_op(context, operation))]


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
