"""The chain of a project is the one that Alembic's ScriptDirectory loads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from surefoot.chain.lockfile import write_lock
from surefoot.environment.environment import glimpse, load
from surefoot.errors import ConfigurationInvalid
from surefoot.project import Project, alembic_config

FILE = 'revision = "{0}"\ndown_revision = {1!r}\n\n\ndef upgrade():\n    pass\n'
# The lines of an ini file, and the revisions that they lead to.
SPELLINGS = {
    "the default": ("", "0001"),
    "nested folders": ("recursive_version_locations = true", "0001 0002"),
    "nested folders in other words": ("recursive_version_locations = yes", "0001"),
    "one folder": ("version_locations = %(here)s/more", "0003"),
    "os": (
        f"path_separator = os\nversion_locations = a/versions{os.pathsep}%(here)s/more",
        "0001 0003",
    ),
    "colon": ("path_separator = :\nversion_locations = a/versions:more", "0001 0003"),
    "semicolon": ("path_separator = ;\nversion_locations = a/versions; more;", "0001 0003"),
    "space": ("path_separator = space\nversion_locations = a/versions more", "0001 0003"),
    "newline": (
        "path_separator = newline\nversion_locations =\n    a/versions\n    %(here)s/more",
        "0001 0003",
    ),
    "the former name": (
        "version_path_separator = space\nversion_locations = a/versions more",
        "0001 0003",
    ),
    "both names": (
        "path_separator = ;\nversion_path_separator = :\nversion_locations = a/versions;more",
        "0001 0003",
    ),
    "no separator": ("version_locations = a/versions, more", "0001 0003"),
    "no separator, and blanks": ("version_locations = a/versions  more", "0001 0003"),
    "a package": (
        "path_separator = ;\nversion_locations = migrated:inner:versions;a/versions",
        "0001 0004",
    ),
    "a package without __init__.py": ("path_separator = ;\nversion_locations = a:versions", "0001"),
    "a folder in another": (
        "path_separator = :\nversion_locations = a/versions/old:a/versions\n"
        "recursive_version_locations = true",
        "0001 0002",
    ),
    "a folder twice": ("path_separator = :\nversion_locations = more:more", "0003"),
    "a folder that is not there": ("path_separator = :\nversion_locations = more:nope", "0003"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Revisions here and there; three files are none for Alembic."""
    for name, identifier in (
        ("a/versions/0001.py", "0001"),
        ("a/versions/old/0002.py", "0002"),
        ("more/0003.py", "0003"),
        ("migrated/inner/versions/0004.py", "0004"),
        ("a/versions/__init__.py", "0005"),
        ("a/versions/old/__pycache__/0006.py", "0006"),
        ("a/versions/.#0007.py", "0007"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILE.format(identifier, None), "utf-8")
    (tmp_path / "a" / "versions" / "link.py").symlink_to(tmp_path / "a" / "versions" / "0001.py")
    (tmp_path / "migrated" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def ini(folder: Path, lines: str, location: str = "script_location = a") -> Path:
    path = folder / "alembic.ini"
    path.write_text(f"[alembic]\n{location}\n{lines}\n", "utf-8")
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:File .* loaded twice")
@pytest.mark.parametrize(("lines", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_project_has_the_revisions_that_alembic_loads(
    folder: Path, lines: str, expected: str
) -> None:
    """Read with Alembic and without, by every spelling that Alembic has for the folders."""
    path = ini(folder, lines)
    config = Config(path)
    loaded = sorted(each.revision for each in ScriptDirectory.from_config(config).walk_revisions())
    assert loaded == expected.split()
    project = Project.read(path)
    assert project == Project.of(config)
    assert [revision.id for revision in project.revisions()] == loaded
    write_lock(project.lock, project.revisions())
    assert project.is_locked()


TOML = 'script_location = "%(here)s/a"\n'
# What pyproject.toml and the ini file say, and the revisions that they lead to.
TABLES = {
    "no ini file": (TOML, None, "0001"),
    "folders": (f'{TOML}version_locations = ["a/versions", "%(here)s/more"]', "", "0001 0003"),
    "nested folders": (f"{TOML}recursive_version_locations = true", "[logger]", "0001 0002"),
    "both": (f"{TOML}version_locations = ['more']", "[alembic]\nscript_location = b", "0003"),
}


@pytest.mark.filterwarnings("ignore:File .* loaded twice")
@pytest.mark.parametrize(("table", "lines", "expected"), TABLES.values(), ids=TABLES)
def test_pyproject_has_what_the_ini_file_does_not_say(
    folder: Path, table: str, lines: str | None, expected: str
) -> None:
    """The table of Alembic in it."""
    (folder / "pyproject.toml").write_text(f"[tool.alembic]\n{table}\n", "utf-8")
    path = folder / "alembic.ini"
    if lines is not None:
        path.write_text(lines, "utf-8")
    (folder / "b").mkdir()
    config = alembic_config(path)
    loaded = sorted(each.revision for each in ScriptDirectory.from_config(config).walk_revisions())
    assert loaded == expected.split()
    project = Project.read(path)
    assert project == Project.of(config)
    assert [revision.id for revision in project.revisions()] == loaded


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "No such file"),
        ("[tool.ruff]", "No such file"),
        ("[tool.alembic]\nsourceless = true", "it has no script_location"),
        ("[tool.alembic]\nscript_location = ", "Invalid value"),
        ("tool.alembic = 1", "tool.alembic is not a table"),
    ],
)
def test_a_project_without_a_location_is_an_error(tmp_path: Path, table: str, says: str) -> None:
    """Also where pyproject.toml cannot be read."""
    (tmp_path / "pyproject.toml").write_text(table, "utf-8")
    with pytest.raises(ConfigurationInvalid, match=says):
        Project.read(tmp_path / "alembic.ini")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("location", ["migrated:inner", "%(here)s/migrated/inner"])
def test_a_script_location_may_be_in_a_package(folder: Path, location: str) -> None:
    """As `package:folder`."""
    path = ini(folder, "", f"script_location = {location}")
    project = Project.read(path)
    assert project == Project.of(Config(path))
    assert [revision.id for revision in project.revisions()] == ["0004"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_lock_lies_beside_one_folder_or_in_the_one_of_several(folder: Path) -> None:
    """Two folders have no place beside both of them."""
    for lines, place in (
        ("", "a"),
        ("version_locations = more", "."),
        ("path_separator = :\nversion_locations = migrated/inner/versions:more", "a"),
    ):
        project = Project.read(ini(folder, lines))
        assert project.lock == (folder / place / "revisions.lock").resolve(), lines


def test_a_service_may_start_in_another_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Alembic would not find a relative folder, the one beside the ini file is meant."""
    path = ini(folder, "path_separator = :\nversion_locations = more:a/versions")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    project = Project.read(path)
    assert [
        each.relative_to(folder.resolve()) for each in (project.folder, *project.locations)
    ] == [
        Path("a"),
        Path("more"),
        Path("a/versions"),
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("path_separator = comma\nversion_locations = a, b", "'comma' is no path_separator"),
        ("path_separator = ;\nversion_locations = nopackage:versions;a", "nopackage"),
        ("version_locations = %(there)s/a", "there"),
    ],
)
def test_a_place_that_cannot_be_read_is_said(folder: Path, lines: str, reason: str) -> None:
    """With the ini file that names it."""
    with pytest.raises(ConfigurationInvalid, match=f"alembic.ini cannot be used: .*{reason}"):
        Project.read(ini(folder, lines))


def test_a_command_in_another_folder_says_where_to_go(tmp_path: Path) -> None:
    """There is no file that could be corrected."""
    with pytest.raises(ConfigurationInvalid) as refused:
        alembic_config(tmp_path / "alembic.ini")
    assert refused.value.help == "run the command in the folder that has it, or name it with -c"


def test_an_env_py_that_fails_twice_is_told_by_its_first_reason(tmp_path: Path) -> None:
    """Models of a library keep the tables that the first run has declared."""
    path = ini(tmp_path, "", "script_location = %(here)s/a")
    (tmp_path / "a" / "versions").mkdir(parents=True)
    left = f"left_by_{tmp_path.name}"
    (tmp_path / "a" / "env.py").write_text(
        f"import sys\nif {left!r} in sys.modules:\n"
        f'    raise RuntimeError("the table is declared already")\n'
        f'sys.modules[{left!r}] = sys\nraise AttributeError("no such helper")\n',
        "utf-8",
    )
    first = glimpse(path)
    assert isinstance(first, AttributeError)
    with pytest.raises(ConfigurationInvalid, match="no such helper") as refused:
        load(path, first=first)
    assert "a second run, by Alembic: RuntimeError: the table is decl" in refused.value.message


@pytest.mark.parametrize("name", ["schemas", "extensions", "manages", "exclude"])
def test_a_string_is_no_list_of_names(tmp_path: Path, name: str) -> None:
    """Its letters were schemas, and the database had no drift in them."""
    path = ini(tmp_path, "", "script_location = %(here)s/a")
    (tmp_path / "a" / "versions").mkdir(parents=True)
    (tmp_path / "a" / "env.py").write_text(
        f"from surefoot import Environment\nEnvironment(metadata=None, {name}='app').run()\n",
        "utf-8",
    )
    with pytest.raises(ConfigurationInvalid) as refused:
        load(path)
    assert f"Environment({name}=…)" in refused.value.message
    assert "it is a string; write ['app']" in refused.value.message
