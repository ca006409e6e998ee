"""Scripts of Alembic whose files are imported when somebody asks for their functions.

Private names and habits of Alembic that it uses, checked with Alembic 1.18 to 1.20:

Script.__init__             takes a module and reads three names of it.
Script.module, .longdoc     are asked for late: `module` by a step, `longdoc` for a listing.
ScriptDirectory             asks `revision_map` for everything. Both are public, to replace the map
  .revision_map             is not.
ScriptDirectory             imports the files in its folders.
  ._load_revisions
RevisionMap._revision_map   is there once the map was asked something, and has read its scripts: by
                            their ids and labels. Public are only walks, which sort all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import load_python_file

from surefoot.frozen import dataclass

# A docstring at the beginning of a file, without escapes and indentation, which Python may change.
_DOCSTRING = re.compile(rb'\s*"""((?:[^\\\n]|\n(?![ \t]))*?)"""[ \t]*(?:#.*)?\r?\n')


@dataclass(frozen=True)
class KnownFile:
    """A revision file whose place in the chain is known."""

    id: str
    down: tuple[str, ...]
    path: str
    code: bytes
    # Whether these are all that Alembic asks it for: it has no labels and no dependencies.
    is_plain: bool = True


class LateScript(Script):
    """A Script that imports its file when it is asked for the module."""

    def __init__(self, known: KnownFile) -> None:
        self._known = known
        self._module: ModuleType | None = None
        named: Any = SimpleNamespace(down_revision=known.down or None)
        super().__init__(named, known.id, _real(known.path))

    @property
    def module(self) -> ModuleType:
        if self._module is None:
            self._module = _loaded(self.path)
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


def import_late(script: ScriptDirectory, files: Callable[[], Sequence[KnownFile]]) -> None:
    """Let `script` have these revisions, once it is asked, in place of those that it imports.

    Files that are not plain are imported then, as Alembic does; without a file it imports all. A
    `script` that was asked before stays as it is.
    """
    if "_revision_map" in vars(script.revision_map):
        return

    def scripts() -> Iterable[Script]:
        known = () if script.sourceless else files()
        return map(_script, known) if known else script._load_revisions()

    script.revision_map = RevisionMap(scripts)


def every(script: ScriptDirectory) -> Iterable[Script]:
    """The revisions of `script`, in no order. On failure: as the first question to it."""
    found = {each.revision: each for each in script.revision_map._revision_map.values() if each}
    return (each for each in found.values() if isinstance(each, Script))


def _script(known: KnownFile) -> Script:
    if known.is_plain:
        return LateScript(known)
    path = _real(known.path)
    return Script(_loaded(path), known.id, path)


def _loaded(path: str) -> ModuleType:
    folder, name = os.path.split(path)
    return load_python_file(folder, name)


def _real(path: str) -> str:
    """The file itself, as Alembic names it. Only the file may be a link, the folder is none."""
    is_link = os.path.islink(path)  # noqa: PTH114 - of thousands of files a Path takes long
    return os.path.realpath(path) if is_link else path
