"""EnvFile is an env.py, read without running it: what it gives to Alembic, what else it does."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.environment.options import Treatment, treatment


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
        made = ast.unparse(node)
        return made if '"' in made else made.replace("'", '"')
