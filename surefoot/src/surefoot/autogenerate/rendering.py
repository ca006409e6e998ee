"""The operations that autogenerate writes, each spelled as a revision spells it.

The spelling is the operation: it is written to the file, or evaluated for its SQL.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import sqlalchemy
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations, ops
from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.change import Change
from surefoot.operations import concurrently, constraints, enums  # noqa: F401 - `Call` names theirs
from surefoot.quoting import APART, own_name, shown

# A colon that SQLAlchemy takes for a parameter in a text, and a backslash that it takes away.
_SPECIAL = re.compile(r"(?<![:\w\\]):(?=\w+(?!:)\b)|\\(?=:\w*(?![:\w]))")
_LINE_BREAK_IN_STRING = re.compile(r"'[^']*\n[^']*'|\$\w*\$")
_INDENT = " " * 8
_SAID = {"type_": "type", "server_default": "default"}


def escaped(text: str) -> str:
    """SQL as SQLAlchemy's `text()` takes it, which every operation calls."""
    return _SPECIAL.sub(r"\\\g<0>", text)


class ByHand(MigrateOperation):
    """A change that no statement makes, with the steps for a person; no revision is written.

    A downgrade that would need it refuses to run.
    """

    def __init__(self, change: str, *steps: str) -> None:
        self.change, self.steps = shown(change), [*map(shown, steps)]

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("by hand", self.change)

    def told(self) -> str:
        listed = (f"  {number}. {each}" for number, each in enumerate(self.steps, 1))
        asked = "no revision is written for it. By hand, while the service runs:"
        return "\n".join((f"{self.change}; {asked}", *listed))


class Statement(ops.ExecuteSQLOp):
    """A statement as `op.execute`. Its lines are indented with the surrounding code.

    A function body and a string of several lines are not indented: whitespace matters there.
    """

    def __init__(self, statement: str) -> None:
        self.statement = statement.strip()
        text = escaped(self.statement)
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


class Code(str):
    """A part of a call that is Python already."""

    # The name of a column.
    called = ""

    def __repr__(self) -> str:
        return str(self)


class Name(str):
    """A final name, which no naming convention changes."""

    def __repr__(self) -> str:
        return f"op.f({str(self)!r})"


class Call(MigrateOperation):
    """A call as a revision spells it; an option that is None or False is left out."""

    def __init__(self, name: str, /, *arguments: object, **options: object) -> None:
        self.name, self.arguments, self.options = name, arguments, options

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The entry for `alembic check`, such as `remove index` and `things.ix`."""
        given = [each for each in self.arguments if isinstance(each, str)]
        given.sort(key=lambda each: isinstance(each, Name))
        named = [name for each in given if (name := getattr(each, "called", each))]
        named = [shown(named[0]), *map(own_name, named[1:])]
        if self.name == "alter_column":
            said = (_SAID.get(each, each) for each in self.options if each != "postgresql_using")
            return (f"modify_{' and '.join(said)}", None, *named)
        named = named[:1] if self.name == "create_table" else named
        verb = self.name.replace("create_", "add_").replace("drop_", "remove_")
        return (verb.replace("_", " "), ".".join(dict.fromkeys((named[0], named[-1]))))

    def spelled(self, module: str = "op") -> str:
        schemas: dict[str, str] = {}
        of_key = ("", "source_schema", "referent_schema")

        def own(value: object, place: int = 0) -> object:
            if not isinstance(value, str) or isinstance(value, Code) or APART not in value:
                return value
            word = of_key[place] if self.name == "create_foreign_key" else "schema"
            schemas[word] = value.partition(APART)[0]
            return type(value)(own_name(value))

        arguments = [own(each, place) for place, each in enumerate(self.arguments)]
        given = {name: own(each) for name, each in self.options.items()}
        given = {name: each for name, each in given.items() if each not in (None, False)}
        named = (f"{name}={value!r}" for name, value in (given | schemas).items())
        return f"{module}.{self.name}({', '.join((*map(repr, arguments), *named))})"

    def evaluate(self, op: Operations, names: Mapping[str, Any] | None = None) -> None:
        """Make the call, as a revision with these imported names would."""
        known = {"sa": sqlalchemy, "postgresql": postgresql, **(names or {}), "op": op}
        eval(self.spelled(), known)  # noqa: S307 - code of our own, with values as literals


def code(name: str, /, *arguments: object, **options: object) -> Code:
    """A call of SQLAlchemy, as part of another one."""
    return Code(Call(name, *arguments, **options).spelled("sa"))


def text_code(expression: str | None) -> Code:
    """An expression of PostgreSQL, or None."""
    return Code("None") if expression is None else code("text", escaped(expression))


@cache
def offline() -> MigrationContext:
    """A context of PostgreSQL that runs and writes nothing."""
    return MigrationContext.configure(dialect_name="postgresql")


def drop_index(name: str) -> Call:
    return Call("drop_index_concurrently", Name(name))


@renderers.dispatch_for(Change)
def _change(context: AutogenContext, change: Change) -> list[str]:
    return [line for each in change.ops for line in render_op(context, each)]


@renderers.dispatch_for(ByHand)
def _refusal(_: AutogenContext, each: ByHand) -> str:
    return f"raise NotImplementedError({f'There is no downgrade: {each.change}'!r})"


@renderers.dispatch_for(Call)
def _call(context: AutogenContext, each: Call) -> str:
    spelled = each.spelled()
    if "postgresql." in spelled:
        context.imports.add("from sqlalchemy.dialects import postgresql")
    return spelled


class _Statements(list[str]):
    """A file of statements, for Alembic."""

    def write(self, text: str) -> None:
        statement = text.strip().removesuffix(";")
        # Alembic writes these around a step outside of a transaction.
        if statement not in ("BEGIN", "COMMIT"):
            self.append(statement)

    def flush(self) -> None: ...


def as_sql(operations: Iterable[MigrateOperation]) -> tuple[str, ...]:
    """The statements of the operations, in order."""
    written = _Statements()
    # With the parameters of asyncpg: those of psycopg2 would double every percent sign.
    dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    options = {"as_sql": True, "output_buffer": written}
    op = Operations(MigrationContext.configure(dialect=dialect, opts=options))
    for each in operations:
        if isinstance(each, Statement):
            written.append(each.statement)
        elif isinstance(each, Call):
            each.evaluate(op)
    return tuple(written)
