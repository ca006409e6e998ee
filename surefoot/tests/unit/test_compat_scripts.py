"""Alembic asks for the module of a script late, as surefoot.compat.scripts relies on."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from surefoot.chain.lockfile import write_lock
from surefoot.compat.scripts import KnownFile, import_late
from surefoot.environment.late_files import phases_known
from surefoot.project import Project

# The first lines of files, each with the docstring that Python gives the module.
DOCSTRINGS = {
    "one line": '"""Add a column."""\n',
    "several lines": '\n"""Add a column.\n\nIt has "quotes".\n"""\n',
    "indented lines": '"""Add a column:\n\n    as code\n"""\n',
    "an escape": '"""Add \\x61 column."""\n',
    "another encoding": '# coding: latin-1\n"""Spalte hinzuf\u00fcgen."""\n',
    "line feeds of Windows": '"""Add\r\na column."""\r\n',
    "an expression": '"""Add""" + " a column"\n',
    "none": "import sys\n",
}


def written(folder: Path, first: str, more: str = "", encoding: str = "utf-8") -> ScriptDirectory:
    """A directory of two revisions that begin so, and the lock beside it."""
    versions = folder / "versions"
    versions.mkdir()
    for number, down in (("0001", None), ("0002", "0001")):
        code = f"{first}revision = {number!r}\ndown_revision = {down!r}\n{more}"
        (versions / f"{number}_step.py").write_bytes(code.encode(encoding))
    ini = folder / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = {folder}\npath_separator = os\n", "utf-8")
    return ScriptDirectory.from_config(Config(ini))


def known(folder: Path) -> Sequence[KnownFile]:
    """The two files."""
    paths = sorted((folder / "versions").glob("*.py"))
    downs: tuple[tuple[str, ...], ...] = ((), ("0001",))
    return [
        KnownFile(path.stem[:4], down, str(path), path.read_bytes())
        for path, down in zip(paths, downs, strict=True)
    ]


@pytest.mark.parametrize("first", DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_late_scripts_say_what_imported_ones_say(tmp_path: Path, first: str) -> None:
    """Their order, their docstrings, and their functions once they are asked for."""
    encoding = "latin-1" if "coding" in first else "utf-8"
    script = written(tmp_path, first, "def upgrade() -> None:\n    pass\n", encoding)
    imported = list(script.walk_revisions())
    import_late(script, known(tmp_path))
    late = list(script.walk_revisions())
    assert [each.log_entry for each in late] == [each.log_entry for each in imported]
    assert [str(each) for each in late] == [str(each) for each in imported]
    assert script.get_heads() == ["0002"]
    assert late[0].module.upgrade() is None


def test_nothing_is_imported_before_that(tmp_path: Path) -> None:
    """A file may even fail to be imported: a listing goes on without it."""
    script = written(tmp_path, '"""Step."""\n', "raise RuntimeError\n")
    import_late(script, known(tmp_path))
    found: list[Script] = list(script.walk_revisions())
    assert [each.doc for each in found] == ["Step."] * 2
    with pytest.raises(RuntimeError):
        found[0].module  # noqa: B018 - it imports


@pytest.mark.parametrize(
    "more",
    ["branch_labels = ('a',)\n", "depends_on = '0001'\n", "branch_labels: str = 'a'\n"],
)
def test_labels_and_dependencies_are_left_to_alembic(tmp_path: Path, more: str) -> None:
    """The lock does not tell them from predecessors."""
    nothing = "branch_labels = None\ndepends_on: str | None = None\nphase = 'expand'\n"
    script = written(tmp_path, "", nothing)
    project = Project.read(tmp_path / "alembic.ini")
    write_lock(project.lock, project.revisions())
    assert phases_known(script, project) == {"0001": "expand", "0002": "expand"}
    newest = tmp_path / "versions" / "0002_step.py"
    newest.write_text(newest.read_text("utf-8").replace(nothing, more), "utf-8")
    assert phases_known(script, project) == {}  # the lock is of other files
    write_lock(project.lock, project.revisions())
    assert phases_known(script, project) == {}
