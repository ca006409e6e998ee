"""The questions before a table is dropped: its model may exist, and only not be imported.

They are asked on stderr before a file is written, and in the docstring of the revision that drops
the table.
"""

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from surefoot.quoting import own_name, shown

# Folders of other people's code, and of revisions, which name tables that are gone.
_PASSED_OVER = re.compile(r"^\.|^(?:__pycache__|node_modules|site-packages|venv|versions)$")
_MOST_FILES = 5_000


def questions(tables: Collection[str], folder: Path) -> Iterator[str]:
    """The question about all dropped tables, and the files below the folder that declare one."""
    if not tables:
        return
    count = "1 table is" if len(tables) == 1 else f"{len(tables)} tables are"
    yield (
        f"{count} dropped, because no model has {'it' if len(tables) == 1 else 'them'}: "
        f"{', '.join(sorted(map(shown, tables)))}; if a model is only not imported, delete the new "
        "revisions and import it"
    )
    for table, path in sorted(_declared(tables, folder).items()):
        yield f"{table} is declared in {os.path.relpath(path)}, which is not imported"


def doubt(table: str) -> str:
    """The warning in the revision that drops a table."""
    return (
        f"No model has the table {table}. If its model is only not imported, this drops its data: "
        "delete this revision instead."
    )


def _declared(tables: Collection[str], folder: Path) -> Mapping[str, Path]:
    """The files that declare one of the tables and are not imported."""
    by_name = {own_name(each): shown(each) for each in tables}
    names = "|".join(map(re.escape, by_name))
    declares = re.compile(rf"(?:__tablename__[^=\n]*=|\bTable\()\s*[\"']({names})[\"']")
    files = (getattr(each, "__file__", None) for each in [*sys.modules.values()])
    known = {os.path.realpath(each) for each in files if each}
    found: dict[str, Path] = {}
    for path in _sources(folder):
        if os.path.realpath(path) not in known:
            with suppress(OSError):  # such as a link that leads nowhere
                text = path.read_text("utf-8", errors="replace")
                found |= dict.fromkeys(declares.findall(text), path)
    return {by_name[name]: path for name, path in found.items()}


def _sources(folder: Path) -> Iterator[Path]:
    count = 0
    for here, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not _PASSED_OVER.search(each)]
        for name in files:
            if name.endswith(".py") and (count := count + 1) <= _MOST_FILES:
                yield Path(here, name)
