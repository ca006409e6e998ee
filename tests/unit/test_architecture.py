"""Who may import whom, and what may stand where."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
SERVICE = [*sorted((ROOT / "app").rglob("*.py")), ROOT / "alembic" / "env.py"]
PUBLIC = (
    "surefoot",
    *(f"surefoot.{name}" for name in ("cli", "connect", "errors", "startup", "web", "wording")),
)
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


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_service_imports_the_public_names_of_the_library_only(path: Path) -> None:
    """Those of `surefoot` and of its documented submodules."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("surefoot"):
            assert node.module in PUBLIC, node.module
            module = import_module(node.module)
            # The errors are all public; `cli` is a submodule.
            offered = [*getattr(module, "__all__", dir(module)), "cli"]
            names = {alias.name for alias in node.names}
            assert names <= set(offered), f"{node.module} does not export {names - set(offered)}"


def test_the_service_is_small() -> None:
    """At most 4,500 lines."""
    assert sum(len(path.read_text("utf-8").splitlines()) for path in SERVICE) <= 4500


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_a_revision_imports_alembic_and_sqlalchemy_only(path: Path) -> None:
    """Models move on; a revision stays as it was applied."""
    packages = {name.partition(".")[0] for name in imported(path)}
    assert packages <= {"alembic", "sqlalchemy"}


def test_the_folder_of_revisions_does_not_shadow_the_library() -> None:
    """`import alembic` in the project's root finds the library."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
