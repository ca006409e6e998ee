"""Who may import whom, and what may stand where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = sorted((ROOT / "alembic" / "versions").glob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_modules_import_only_what_they_may(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contracts in pyproject.toml hold."""
    # It would disable every logger that exists, for the tests that come after this one.
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda _: None)
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_a_revision_imports_alembic_and_sqlalchemy_only(path: Path) -> None:
    """Models move on; a revision stays as it was applied."""
    packages = {name.partition(".")[0] for name in imported(path)}
    assert packages <= {"alembic", "sqlalchemy"}


def test_the_environment_imports_settings_errors_db_and_migrate_only() -> None:
    """alembic/env.py stays a short list of what is handed in."""
    ours = {name for name in imported(ROOT / "alembic" / "env.py") if name.startswith("app")}
    assert ours
    allowed = ("app.settings", "app.errors", "app.db", "app.migrate")
    assert all(name.startswith(allowed) for name in ours)


def test_the_folder_of_revisions_does_not_shadow_the_library() -> None:
    """`import alembic` in the project's root finds the library."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
