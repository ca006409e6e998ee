"""The library's tests need no application: neither its code nor its files nor its variables."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# An example of a revision that must not import one, and a project that has one.
ALLOWED = ("hazards/avoid-importing-the-application", "installation/foreign")
FILES = [
    str(path.relative_to(TESTS))
    for path in sorted(TESTS.rglob("*.py"))
    if not str(path.relative_to(TESTS)).startswith(ALLOWED)
]


def imported(source: str) -> set[str]:
    """The top-level names of all modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_files_are_found() -> None:
    """Else the next test would prove nothing."""
    assert len(FILES) > 200


def test_no_application_is_imported() -> None:
    """Neither by a statement nor by an import string of VēgaFS's."""
    modules = {"app", "tests", "fastapi", "pydantic_settings"}
    names = ("app.db", "app.main", "app.cli", "app.settings", "VEGAFS" + "_")
    found = set()
    for file in FILES:
        source = (TESTS / file).read_text("utf-8")
        if not file.startswith("hazards/") and (
            modules & imported(source) or any(name in source for name in names)
        ):
            found.add(file)
    assert found == {"unit/test_independence.py"}


def test_no_example_imports_an_application() -> None:
    """Each is a revision by itself."""
    files = [file for file in FILES if file.startswith("hazards/")]
    found = {file for file in files if "app" in imported((TESTS / file).read_text("utf-8"))}
    assert not found
