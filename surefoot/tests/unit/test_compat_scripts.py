"""Alembic asks for the module of a script late, as surefoot.compat.scripts relies on."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from surefoot.chain.lockfile import write_lock
from surefoot.compat.scripts import KnownFile, every, import_late
from surefoot.environment.late_files import phases, put_off
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
    script = ScriptDirectory.from_config(Config(tmp_path / "alembic.ini"))
    import_late(script, lambda: known(tmp_path))
    late = list(script.walk_revisions())
    assert {*every(script)} == {*late}
    assert [each.log_entry for each in late] == [each.log_entry for each in imported]
    assert [str(each) for each in late] == [str(each) for each in imported]
    assert script.get_heads() == ["0002"]
    assert late[0].module.upgrade() is None


def test_nothing_is_imported_before_that(tmp_path: Path) -> None:
    """A file may even fail to be imported: a listing goes on without it."""
    script = written(tmp_path, '"""Step."""\n', "raise RuntimeError\n")
    import_late(script, lambda: known(tmp_path))
    found: list[Script] = list(script.walk_revisions())
    assert [each.doc for each in found] == ["Step."] * 2
    with pytest.raises(RuntimeError):
        found[0].module  # noqa: B018 - it imports


@pytest.mark.parametrize(
    "more",
    [
        "branch_labels = ('a',)\n",
        "depends_on = '0001'\n",
        "branch_labels: str = 'a'\n",
        "down_revision = f'{1:04}'\n",
        "globals()['down_revision'] = '0001'\n",
        "revision = ''.join(('00', '02'))\n",
    ],
)
def test_a_file_that_is_not_plain_is_left_to_alembic(tmp_path: Path, more: str) -> None:
    """It is imported with the first question, the others are not; what is said is the same."""
    nothing = "branch_labels = None\ndepends_on: str | None = None\nphase = 'expand'\n"
    recorded = (
        f"with open({str(tmp_path / 'imported')!r}, 'a') as told:\n    told.write(revision + ' ')\n"
    )
    written(tmp_path, "", nothing + recorded)
    newest = tmp_path / "versions" / "0002_step.py"
    source = newest.read_text("utf-8")
    if more.startswith("revision"):
        source = source.replace("revision = '0002'\n", more, 1)
    else:
        source = source.replace(nothing, f"{more}phase = 'expand'\n")
    newest.write_text(source, "utf-8")
    config = Config(tmp_path / "alembic.ini")
    project = Project.read(tmp_path / "alembic.ini")
    alembics = [each.log_entry for each in ScriptDirectory.from_config(config).walk_revisions()]
    for is_locked in (False, True):
        if is_locked:
            write_lock(project.lock, project.revisions())
        (tmp_path / "imported").unlink()
        script = ScriptDirectory.from_config(config)
        put_off(script, project)
        assert script.get_heads() == ["0002"]
        assert set((tmp_path / "imported").read_text("utf-8").split()) == {"0002"}
        assert [each.log_entry for each in script.walk_revisions()] == alembics
        assert phases(project) == {"0001": "expand", "0002": "expand"}


def test_a_directory_that_was_asked_keeps_its_scripts(tmp_path: Path) -> None:
    """No module runs twice, where env.py has looked at the revisions."""
    script = written(tmp_path, '"""Step."""\n')
    before = list(script.walk_revisions())
    import_late(script, lambda: known(tmp_path))
    assert all(one is other for one, other in zip(before, script.walk_revisions(), strict=True))


def test_alembic_imports_what_nobody_has_read(tmp_path: Path) -> None:
    """Its own error says what is wrong with a file."""
    script = written(tmp_path, "", "raise RuntimeError('on import')\n")
    import_late(script, tuple)
    with pytest.raises(RuntimeError, match="on import"):
        script.get_heads()
