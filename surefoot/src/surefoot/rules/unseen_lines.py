"""unseen() and choices() read in the source of a revision which of its parts did not run."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

# How a revision asks for the dialect, and what else it may be.
_DIALECT = re.compile(r"(dialect|dialect_?name|(dialect|engine)\.name)$", re.IGNORECASE)
_DIALECTS = frozenset({"postgresql", "sqlite", "mysql", "mariadb", "oracle", "mssql"})
# Of `op`, and of a connection or a cursor.
_SEND_NOTHING = {"f", "get_bind", "get_context", "inline_literal", "batch_alter_table"}
_SEND = {"execute", "exec_driver_sql", "executemany", "fetch", "scalar", "scalars"}


def unseen(source: str, executed: frozenset[int]) -> Sequence[tuple[int, int]]:
    """The lines that call something and did not run, in upgrade() and all that it ran.

    Nothing is said of a `raise`, which ends the revision, of a message, and of a branch for
    another dialect. Lines without a call between others are included. `choices` knows the choices
    within a line.
    """
    found: list[tuple[int, int]] = []
    for function in _functions(ast.parse(source).body):
        parts = list(_parts(function.body))
        ran = [not executed.isdisjoint(range(a, b + 1)) for a, b, _ in parts]
        if function.name != "upgrade" and not any(ran):
            continue
        is_open = False
        for (first, last, calls), was_run in zip(parts, ran, strict=True):
            if was_run:
                is_open = False
            elif calls:
                found.append((found.pop()[0] if is_open else first, last))
                is_open = True
    return found


def choices(
    source: str, executed: frozenset[int], sent: frozenset[int]
) -> Sequence[tuple[int, int]]:
    """The choices within a line that ran, of which not every part has sent a statement.

    `sent` are the lines that have sent one.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        sending = [part for part in _optional(node) if any(map(_sends, ast.walk(part)))]
        if not sending:
            continue
        first, last = _lines(node)
        lines = frozenset(range(first, last + 1))
        if lines & executed and len(sending) > len(lines & sent):
            found.append((first, last))
    return found


def _lines(node: ast.AST) -> tuple[int, int]:
    first = getattr(node, "lineno", 0)
    return first, getattr(node, "end_lineno", None) or first


def _optional(node: ast.AST) -> Sequence[ast.AST]:
    """The parts of a node that may not run although its line does."""
    if isinstance(node, (ast.If, ast.IfExp)) and _holds(node.test) is not None:
        return []
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values[1:]
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return [node.elt]
    if isinstance(node, (ast.If, ast.For, ast.While)):
        return [part for part in node.body if part.lineno == node.lineno][:1]
    return []


def _sends(node: ast.AST) -> bool:
    """Whether it calls an operation, or a method that sends SQL."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of, name = node.func.value, node.func.attr
    is_operation = isinstance(of, ast.Name) and of.id == "op"
    return name not in _SEND_NOTHING if is_operation else name in _SEND


def _functions(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a file, also where they stand in a class or below a condition."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement
        else:
            yield from _functions(_inner(statement))


def _inner(statement: ast.AST) -> list[Any]:
    """The statements below a statement, and the handlers and cases that hold more of them."""
    fields = ("body", "handlers", "orelse", "finalbody", "cases")
    return [part for name in fields for part in getattr(statement, name, ())]


def _parts(body: Sequence[ast.stmt]) -> Iterator[tuple[int, int, bool]]:
    """Each statement, or its head where it has a body: its lines, and whether it calls."""
    for statement in body:
        inner = _inner(statement)
        head = [
            node
            for node in ast.iter_child_nodes(statement)
            if node not in inner and not isinstance(node, ast.arguments)
        ]
        last = inner[0].lineno - 1 if inner and hasattr(inner[0], "lineno") else None
        calls = not isinstance(statement, ast.Raise) and any(
            isinstance(node, ast.Await) or (isinstance(node, ast.Call) and not _tells(node))
            for part in head
            for node in ast.walk(part)
        )
        yield statement.lineno, max(statement.lineno, last or statement.end_lineno or 0), calls
        if isinstance(statement, ast.If) and (holds := _holds(statement.test)) is not None:
            inner = statement.body if holds else statement.orelse
        for part in inner:
            yield from _parts(part.body if not isinstance(part, ast.stmt) else [part])


def _tells(call: ast.Call) -> bool:
    """Whether a call writes a message."""
    words = ast.unparse(call.func).lower().split(".")
    return words == ["print"] or words[0].strip("_") in ("log", "logger", "logging", "warnings")


def _holds(test: ast.expr) -> bool | None:
    """Whether a condition on the dialect holds on PostgreSQL; None for any other condition."""
    match test:
        case ast.UnaryOp(op=ast.Not()):
            held = _holds(test.operand)
            return None if held is None else not held
        case ast.BoolOp():
            decides = isinstance(test.op, ast.Or)
            held_ = [_holds(value) for value in test.values]
            return decides if decides in held_ else None if None in held_ else not decides
        case ast.Compare(left=left, ops=[how], comparators=[other]):
            try:
                names = set(re.split(r"\W+", str(ast.literal_eval(other)))) - {""}
            except ValueError:
                return None
            if not _DIALECT.search(ast.unparse(left)) or not names <= _DIALECTS:
                return None
            return ("postgresql" in names) == isinstance(how, (ast.Eq, ast.In))
    return None
