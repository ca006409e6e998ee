"""module_names() reads the names that a module binds, without running it.

`a = "1"`, `a: str = "1"` and `a, b = "1", "2"` are understood.
"""

import ast
from collections.abc import Iterator, Mapping


def module_names(tree: ast.Module) -> Mapping[str, object]:
    """The names and their literal values.

    `...` stands for any other value, and for a name that is bound in a block, which may not run.
    """
    return dict(pair for statement in tree.body for pair in _bound(statement))


def _bound(statement: ast.stmt) -> Iterator[tuple[str, object]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _unpacked(target, statement.value)
    elif isinstance(statement, ast.AnnAssign):
        if statement.value is not None:
            yield from _unpacked(statement.target, statement.value)
    elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id, ...
            elif isinstance(node, ast.alias):
                yield node.asname or node.name, ...


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, object]]:
    if isinstance(target, ast.Name):
        try:
            yield target.id, ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError):
            yield target.id, ...
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        alike = len(values) == len(target.elts)
        for number, each in enumerate(target.elts):
            yield from _unpacked(each, values[number] if alike else value)
