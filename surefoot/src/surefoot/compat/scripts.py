"""Scripts of Alembic whose files are imported when somebody asks for their functions.

Private names and habits of Alembic that it uses, checked with Alembic 1.18 to 1.20:

Script.__init__             takes a module and reads three names of it.
Script.module, .longdoc     are asked for late: `module` by a step, `longdoc` for a listing.
ScriptDirectory             asks `revision_map` for everything; RevisionMap reads its scripts at the
  .revision_map             first question. Both are public, to replace the map is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import load_python_file

# A docstring at the beginning of a file, without escapes and indentation, which Python may change.
_DOCSTRING = re.compile(rb'\s*"""((?:[^\\\n]|\n(?![ \t]))*?)"""[ \t]*(?:#.*)?\r?\n')


@dataclass(frozen=True)
class KnownFile:
    """A revision file whose place in the chain is known, without labels and dependencies."""

    id: str
    down: tuple[str, ...]
    path: str
    code: bytes


class LateScript(Script):
    """A Script that imports its file when it is asked for the module."""

    def __init__(self, known: KnownFile) -> None:
        self._known = known
        self._module: ModuleType | None = None
        named: Any = SimpleNamespace(down_revision=known.down or None)
        super().__init__(named, known.id, known.path)

    @property
    def module(self) -> ModuleType:
        if self._module is None:
            path = Path(self._known.path)
            self._module = load_python_file(path.parent, path.name)
        return self._module

    @module.setter
    def module(self, module: object) -> None:
        self._module = module if isinstance(module, ModuleType) else None

    @property
    def longdoc(self) -> str:
        """The docstring; as a rule without an import of the file."""
        if self._module is None and (found := _DOCSTRING.match(self._known.code)):
            return found[1].decode().replace("\r\n", "\n").strip()
        return super().longdoc


def import_late(script: ScriptDirectory, files: Iterable[KnownFile]) -> None:
    """Let `script` have these revisions, in place of those that it would import."""
    script.revision_map = RevisionMap(lambda: [LateScript(each) for each in files])
