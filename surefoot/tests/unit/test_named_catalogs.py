"""A search path may lead to tables of other schemas before it leads to the catalogs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import surefoot

# What every run and every start asks. Where a whole schema is read, the search path is set first.
PACKAGES = ("adoption", "ledger", "run", "startup")
_UNNAMED = re.compile(r"(?:\b(?:FROM|JOIN) (?!pg_catalog\.|pg_temp\.)pg_\w+|'pg_\w+'::reg\w+)")


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module, those of f-strings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_catalogs_are_named_with_their_schema() -> None:
    """In FROM, and where a name is looked up as a relation."""
    root = Path(surefoot.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}: {match}"
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        for line, text in texts(ast.parse(path.read_text("utf-8")))
        for match in _UNNAMED.findall(text)
    ]
    assert found == []
