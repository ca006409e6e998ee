"""Who may import whom, and what may stand where."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = sorted((ROOT / "alembic" / "versions").glob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_a_revision_imports_alembic_and_sqlalchemy_only(path: Path) -> None:
    """Models move on; a revision stays as it was applied."""
    packages = {name.partition(".")[0] for name in imported(path)}
    assert packages <= {"alembic", "sqlalchemy"}


def test_the_folder_of_revisions_does_not_shadow_the_library() -> None:
    """`import alembic` in the project's root finds the library."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
