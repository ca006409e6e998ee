"""EnvFile is an env.py, read without running it: what it gives to Alembic, what else it does."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from pathlib import Path

from surefoot.environment.options import Treatment, treatment
from surefoot.frozen import dataclass


@dataclass(frozen=True)
class Option:
    """A keyword argument of `context.configure`, as it is written."""

    name: str
    value: str
    line: int
    treatment: Treatment

    @property
    def is_carried(self) -> bool:
        """Whether it is an argument of Environment, or one of its options, afterwards."""
        is_default = self.name.startswith("compare_") and self.value == "True"
        return treatment(self.name).word != "refused" and not is_default


@dataclass(frozen=True)
class Remark:
    """A statement that the three lines do not have, and where it belongs."""

    line: int
    code: str
    where: str


@dataclass(frozen=True)
class EnvFile:
    """The parts of an env.py. Expressions are Python as it is written in the file."""

    path: Path
    text: str
    # Whether it runs Surefoot's Environment already.
    is_adopted: bool = False
    is_async: bool = False
    is_of_flask: bool = False
    metadata: str | None = None
    database: str | None = None
    # The option of libpq that sets the search path, where a statement does.
    search_path: str | None = None
    options: Sequence[Option] = ()
    # Those of the models, where these name any.
    schemas: Sequence[str] = ()
    # Those of the database that no revision creates.
    extensions: Sequence[str] = ()
    # Further options that only show when it runs: `**expression`.
    spread: Sequence[str] = ()
    # Replaced by bounds and locks of Surefoot; and not understood, so that a person has to move it.
    replaced: Sequence[Remark] = ()
    left: Sequence[Remark] = ()
    # The statements of the module that run migrations; functions and imports in them to keep.
    running: Sequence[ast.stmt] = ()
    kept: Sequence[ast.stmt] = ()

    def code(self, node: ast.AST) -> str:
        """A node as the file has it in one line, or as Python would write it."""
        found = ast.get_source_segment(self.text, node)
        if found and "\n" not in found:
            return found
        made = ast.unparse(_Portable().visit(copy.deepcopy(node)))
        return made if '"' in made else made.replace("'", '"')


class _Portable(ast.NodeTransformer):
    """Writes an f-string with strings in its expressions as `format`.

    From Python 3.12 on `ast.unparse` gives both the same quotes, which no older Python reads.
    """

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        given = [each for each in node.values if isinstance(each, ast.FormattedValue)]
        inner = (part for each in given for part in ast.walk(each.value))
        if not any(
            isinstance(part, ast.Constant) and isinstance(part.value, str) for part in inner
        ):
            return node
        values: list[ast.expr] = []
        text = "".join(_formatted(each, values) for each in node.values)
        return ast.Call(ast.Attribute(ast.Constant(text), "format"), values, [])


def _formatted(part: ast.expr, values: list[ast.expr]) -> str:
    """A part of an f-string as `format` has it; its values are appended in their order."""
    if not isinstance(part, ast.FormattedValue):
        text = str(part.value) if isinstance(part, ast.Constant) else ""
        return text.replace("{", "{{").replace("}", "}}")
    values.append(part.value)
    conversion = "" if part.conversion == -1 else f"!{chr(part.conversion)}"
    spec = part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else ()
    detail = "".join(_formatted(each, values) for each in spec)
    return f"{{{conversion}{detail and f':{detail}'}}}"
