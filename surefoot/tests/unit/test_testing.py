"""The files of a chain are read."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from surefoot.chain.revisions import Revision, read_revisions
from surefoot.errors import RevisionImports, RevisionMisnamed, UsageError, names
from surefoot.testing import ChainTests
from surefoot.testing.conventions import check_imports, check_name, declared_losses


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the command of the library."""
    monkeypatch.setattr(names, "_in_use", names.Names())


def revision(
    folder: Path,
    name: str,
    docstring: str = "Do it.",
    *,
    identifier: str | None = None,
    down: str | None = None,
    imports: str = "",
) -> Revision:
    """The one in a file of that name, which builds on an empty one."""
    if down is not None:
        (folder / f"{down}_base.py").write_text(f"revision = {down!r}\ndown_revision = None\n")
    (folder / f"{name}.py").write_text(
        f'"""{docstring}"""\n{imports}\nrevision = {identifier or name.partition("_")[0]!r}\n'
        f"down_revision = {down!r}\n"
    )
    return read_revisions(folder)[-1]


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("0002_add_city", "0002"),
        ("ae1027a6_add_city", "ae1027a6"),
        ("0002_v2", "0002"),
        ("0002_Add-City", "0002"),
        ("0002_add_city_to_", "0002"),
        ("2026_01_02_1200-ae10_add_city", "ae10"),
        ("add_city", "ae10"),
    ],
)
def test_every_name_that_says_something_is_a_good_name(
    tmp_path: Path, name: str, identifier: str
) -> None:
    """Alembic's file_template decides on its form."""
    check_name(revision(tmp_path, name, identifier=identifier, down="0001"))


@pytest.mark.parametrize(
    ("name", "options", "message", "help_line"),
    [
        (
            "0002_",
            {"identifier": "0002"},
            "0002_.py is named by its id, '0002', alone",
            "rename it to 0002_what_it_does.py, then `surefoot lock`",
        ),
        (
            "0002_add_city",
            {"docstring": ""},
            "0002_add_city.py has no docstring for `alembic history` to show",
            "describe the change in the first line of a docstring",
        ),
        (
            "0002_add_city",
            {"down": "0003"},
            "0002_add_city.py builds on 0003, but its number is not higher",
            "give it the next number, then `surefoot lock`",
        ),
        (
            f"{'7' * 33}_add_city",
            {},
            f"{'7' * 33}_add_city.py has an id of 33 characters; the version table holds 32",
            "shorten the id, and the down_revision of its successor",
        ),
    ],
)
def test_another_name_is_refused(
    tmp_path: Path, name: str, options: dict[str, str], message: str, help_line: str
) -> None:
    """With what is wrong with it, and the right one."""
    with pytest.raises(RevisionMisnamed) as caught:
        check_name(revision(tmp_path, name, **options))
    assert (caught.value.message, caught.value.help) == (message, help_line)


def test_every_import_of_what_moves_on_is_named(tmp_path: Path) -> None:
    """With its line."""
    imports = "import re\nfrom alembic import op\nimport shop.models\nfrom . import helpers"
    with pytest.raises(RevisionImports) as caught:
        check_imports(revision(tmp_path, "0001_start", imports=imports))
    assert caught.value.message == (
        "0001_start.py:4: shop.models may have changed when this revision runs on a new "
        "database\n"
        "0001_start.py:5: . may have changed when this revision runs on a new database"
    )


def test_an_import_that_the_file_allows_is_left_alone(tmp_path: Path) -> None:
    """As lint does."""
    allowed = "# allow avoid-importing-the-application: a type of columns\nimport pgvector"
    check_imports(revision(tmp_path, "0001_start", imports=allowed))


@pytest.mark.parametrize(
    ("docstring", "names"),
    [
        ("Do it.", set()),
        ("Do it. Loses: nothing.", set()),
        ("Do it.\n\nLoses: jobs.", {"jobs"}),
        ("Do it.\n\nLoses: jobs.state and files;\nas told.\nUndo: no.", {"jobs.state", "files"}),
        ("Do it.\n\nLoses: jobs\n\nNothing of files.", {"jobs"}),
    ],
)
def test_a_docstring_declares_losses(tmp_path: Path, docstring: str, names: set[str]) -> None:
    """Tables and columns, from `Loses:` to the end of its paragraph."""
    declared = declared_losses(revision(tmp_path, "0001_start", docstring))
    assert declared - {"and", "as", "told"} == names


@pytest.mark.parametrize("told", [{"since": "0009"}, {"between": {"0009": "SELECT 1"}}])
def test_a_project_names_its_own_revisions_only(tmp_path: Path, told: dict[str, Any]) -> None:
    """A fault that would never happen is refused."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s\n")
    revision(tmp_path / "versions", "0001_start")
    with pytest.raises(UsageError) as caught:
        ChainTests(tmp_path / "alembic.ini", MetaData(), **told).line()
    assert caught.value.message == (
        f"ChainTests names 0009, which is no revision of {tmp_path / 'versions'}"
    )
    assert caught.value.help == "correct since=… or between=…"
