"""Rules on gaps: what the run on the scratch database did not come to, so nobody has seen it.

A revision that breaks one of them has no verdict: it is `unknown`.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from surefoot.rules.findings import Hit, Rule, TracedRevision


def _incomplete(unit: TracedRevision) -> Iterator[Hit]:
    if not unit.complete:
        statements = unit.statements
        line = statements[-1].line if statements and statements[-1].error else unit.stopped_line
        yield Hit(line=line, values={"why": " ".join((unit.stopped or "?").split())})


def _unseen_lines(unit: TracedRevision) -> Iterator[Hit]:
    if unit.complete and unit.executed is not None:
        for first, last in unseen(unit.source, unit.executed):
            lines = f"line {first}" if first == last else f"lines {first} to {last}"
            yield Hit(line=first, values={"lines": lines})


def unseen(source: str, executed: frozenset[int]) -> Sequence[tuple[int, int]]:
    """The lines that call something and did not run, in upgrade() and all that it ran.

    Nothing is said of a `raise`, which ends the revision, and of a choice within one line.
    """
    found: list[tuple[int, int]] = []
    for function in _functions(ast.parse(source).body):
        parts = list(_parts(function.body))
        ran = [not executed.isdisjoint(range(a, b + 1)) for a, b, _ in parts]
        if function.name != "upgrade" and not any(ran):
            continue
        for (first, last, calls), was_run in zip(parts, ran, strict=True):
            if was_run or not calls:
                continue
            if found and found[-1][1] >= first - 1:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
    return found


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
            isinstance(node, (ast.Call, ast.Await)) for part in head for node in ast.walk(part)
        )
        yield statement.lineno, max(statement.lineno, last or statement.end_lineno or 0), calls
        for part in inner:
            yield from _parts(part.body if not isinstance(part, ast.stmt) else [part])


RULES = (
    Rule(
        id="require-complete-trace",
        title="A revision that does not run to its end on the scratch database",
        consequence="on the scratch database it was not run to its end, and the rest of it is "
        "unseen: {why}",
        help="correct the revision; where it needs something that a scratch database does not "
        "have, allow this rule with the reason",
        rewrite="# a revision that runs on the schema of the revisions before it",
        page="ddl-alter",
        detect=_incomplete,
        seen="run",
    ),
    Rule(
        id="require-every-line-run",
        title="A line that did not run on the scratch database",
        consequence="{lines} did not run on the scratch database: their statements are unseen",
        help="let the revision do the same on every database, or allow this rule with the reason",
        rewrite="# the same statements on every database, without a condition around {lines}",
        page="ddl-alter",
        detect=_unseen_lines,
        seen="run",
    ),
)
UNSEEN = frozenset(rule.id for rule in RULES)
