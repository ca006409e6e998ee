"""The statements of a revision file by their lines."""

import ast
from collections.abc import Sequence
from functools import lru_cache

from surefoot.chain.coding import parsed

# First and last line, both counted.
Lines = tuple[int, int]


@lru_cache(maxsize=8)
def statements(source: str) -> Sequence[ast.stmt]:
    """All statements, each before those within it."""
    found = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.stmt)]
    return sorted(found, key=lambda node: (node.lineno, -lines_of(node)[1]))


def lines_of(statement: ast.stmt) -> Lines:
    """Its lines, with those of its body."""
    return statement.lineno, statement.end_lineno or statement.lineno


def statement_at(source: str, line: int) -> ast.stmt | None:
    """The innermost statement that has the line."""
    holding = [s for s in statements(source) if s.lineno <= line <= lines_of(s)[1]]
    return holding[-1] if holding else None


def last_line(source: str, line: int) -> int:
    """The last line of the statement that has the line, without its body."""
    found = statement_at(source, line)
    if found is None:
        return line
    body = getattr(found, "body", None)
    return max(line, body[0].lineno - 1) if body else lines_of(found)[1]
