"""Rules on gaps: what the run on the scratch database did not come to, so nobody has seen it.

A revision that breaks one of them has no verdict: it is `unknown`.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from surefoot.operations.lock_class import without_comments
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.trace.statement import Statement

_BLOCK = re.compile(r"\s*DO\b", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
# A choice that only refuses, or that passes an error over: there is nothing to see in it.
_HARMLESS = re.compile(
    r"\bIF\b[^;]*?\bTHEN\s+RAISE\b[^;]*;\s*END\s+IF|"
    r"\bWHEN\s+[\w\s]+THEN\s+(?:NULL|RAISE\b[^;]*)\s*;|\bIF\s+(?:NOT\s+)?EXISTS\s+(?!\()\w",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\b(?<!END )(?:IF|ELSE|ELSIF|ELSEIF|LOOP|EXCEPTION\s+WHEN)\b", re.IGNORECASE)

# How a revision asks for the dialect, and what else it may be.
_DIALECT = re.compile(r"(dialect|dialect_?name|(dialect|engine)\.name)$", re.IGNORECASE)
_DIALECTS = frozenset({"postgresql", "sqlite", "mysql", "mariadb", "oracle", "mssql"})


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


def _skipped(unit: TracedRevision) -> Iterator[Hit]:
    for number, statement in enumerate(unit.statements):
        for notice in statement.skipped:
            if not _is_made(notice, unit.statements[number + 1 :]):
                yield Hit.at(statement, notice=notice)


def _is_made(notice: str, statements: Sequence[Statement]) -> bool:
    """Whether one of the statements creates what was to be dropped first."""
    name = re.search(r'"([^"]+)"|(\w+)\(', notice)
    if name is None:
        return False
    made = re.compile(rf"\s*CREATE\b.*\b{re.escape(name[1] or name[2])}\b", re.DOTALL)
    return any(made.match(without_comments(each.sql)) for each in statements)


def _passed_over(unit: TracedRevision) -> Iterator[Hit]:
    failed = [statement for statement in unit.statements if statement.error]
    for statement in failed if unit.complete else failed[:-1]:
        yield Hit.at(statement, sqlstate=statement.error)


def _chooses(unit: TracedRevision) -> Iterator[Hit]:
    """One of a revision: it does not become clearer by repetition."""
    for statement in unit.statements:
        what = " and ".join(sorted(statement.calls))
        if _BLOCK.match(without_comments(statement.sql)):
            text = _HARMLESS.sub(" ", _TEXT.sub(" ", statement.sql))
            what = "the block" if _CHOICE.search(text) else ""
        if what:
            yield Hit.at(statement, what=what)
            return


def unseen(source: str, executed: frozenset[int]) -> Sequence[tuple[int, int]]:
    """The lines that call something and did not run, in upgrade() and all that it ran.

    Nothing is said of a `raise`, which ends the revision, of a message, of a choice within one
    line, and of a branch for another dialect. Lines without a call between others are included.
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
    Rule(
        id="require-effect-of-statement",
        title="A statement that did nothing on the scratch database",
        consequence="it did not do all that it says ({notice}); where somebody has made or dropped "
        "this by hand, it does more, unseen",
        help="name only what the revisions before have made, or allow this rule with the reason",
        rewrite="# the statement without IF EXISTS or IF NOT EXISTS",
        page="sql-dropindex",
        detect=_skipped,
        seen="run",
    ),
    Rule(
        id="avoid-passing-over-an-error",
        title="A statement that failed, and the revision went on",
        consequence="it ends with SQLSTATE {sqlstate} on the scratch database, and the revision "
        "goes on: what it does where it succeeds is unseen",
        help="let the revision fail, or allow this rule with the reason",
        rewrite="# without try and except",
        page="sql-savepoint",
        detect=_passed_over,
        seen="run",
    ),
    Rule(
        id="avoid-choice-in-sql",
        title="A block or a function that may choose what it does",
        consequence="{what} may do something else on another database; nobody sees which of its "
        "branches ran on the scratch database",
        help="write the statements into the revision, without conditions",
        rewrite="# op.execute() for each statement, without a condition",
        page="sql-do",
        detect=_chooses,
        seen="run",
        level="warning",
    ),
)
UNSEEN = frozenset(rule.id for rule in RULES if rule.level == "error")
