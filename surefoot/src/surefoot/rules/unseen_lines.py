"""unseen(), choices() and unmade() read in the source of a revision which of its parts did not run.

given() finds the statements whose text comes from outside of the file.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from surefoot.chain.coding import parsed

# How a revision asks for the dialect, and what else it may be.
_DIALECT = re.compile(r"(dialect|dialect_?name|(dialect|engine)\.name)$", re.IGNORECASE)
_DIALECTS = frozenset({"postgresql", "sqlite", "mysql", "mariadb", "oracle", "mssql"})
# Calls that read something outside of the file of the revision.
_OUTSIDE = re.compile(
    r"\b(?:environ|getenv|argv|get_x_argument|gethostname|server_version\w*)\b"
    r"|\b(?:random|secrets)\.\w+\(|\bdate(?:time)?\.(?:now|utcnow|today)\("
    r"|\b(?:execute|exec_driver_sql|scalars?|inspect|exists|is_file)\("
)
_MAKE_TEXT = {"text", "DDL", "format", "join", "replace", "get", "getenv", "pop", "choice", "f"}
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
    tree = parsed(source)
    passed = _passed(tree)
    for function in _functions(tree.body):
        parts = list(_parts(function.body))
        ran = [not executed.isdisjoint(range(a, b + 1)) for a, b, _ in parts]
        if function.name != "upgrade" and function.name not in passed and not any(ran):
            continue
        is_open = False
        for (first, last, calls), was_run in zip(parts, ran, strict=True):
            if was_run:
                is_open = False
            elif calls:
                found.append((found.pop()[0] if is_open else first, last))
                is_open = True
    return found


def _passed(tree: ast.Module) -> set[str]:
    """The names outside of downgrade() that are not called where they stand: somebody chooses."""
    body = [each for each in tree.body if getattr(each, "name", "") != "downgrade"]
    nodes = [node for part in body for node in ast.walk(part)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = (node for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - {"downgrade"}


def choices(source: str, executed: frozenset[int], sent: Counter[int]) -> Sequence[tuple[int, int]]:
    """The choices within a line that ran, of which not every part has sent a statement.

    `sent` is how often each line has sent one.
    """
    found = []
    functions: Counter[int] = Counter()
    for node in ast.walk(parsed(source)):
        sending = [part for part in _optional(node) if any(map(_sends, ast.walk(part)))]
        if not sending:
            continue
        first, last = _lines(node)
        lines = frozenset(range(first, last + 1))
        if isinstance(node, ast.Lambda):
            functions[first] += 1
            ran = sum(sent[line] for line in lines) >= functions[first]
        else:
            ran = len(sending) <= len(lines & sent.keys())
        if lines & executed and not ran:
            found.append((first, last))
    return found


def unmade(
    source: str, executed: frozenset[int], sent: Collection[int], changed: Collection[int]
) -> Iterator[int]:
    """The lines that ran, and sent or changed nothing although they are written to.

    SQLAlchemy makes or drops what it finds missing or there; a function that is given an operation
    calls it as often as there is something to call it with.
    """
    tree = parsed(source)
    own = {function.name for function in _functions(tree.body)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or node.lineno not in executed:
            continue
        first, last = _lines(node)
        looks = getattr(node.func, "attr", "") in ("create_all", "drop_all")
        looks |= any(each.arg == "checkfirst" for each in node.keywords)
        name = ast.unparse(node.func)
        gives = name not in own and not name.endswith("partial") and any(map(_is_sender, node.args))
        did = changed if looks else sent
        if (looks or gives) and not any(first <= line <= last for line in did):
            yield node.lineno


def given(source: str, executed: frozenset[int]) -> Sequence[int]:
    """The lines that ran and send SQL, or name an object, that is made from what is outside.

    That is the environment, the version of the server or the result of a query.
    """
    tree = parsed(source)
    known: set[str] = set()
    flows = list(_flows(tree))
    size = -1
    while size != len(known):
        size = len(known)
        for names, value in flows:
            if _is_outside(value, known):
                known |= names
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.lineno in executed
        if any(_varies(text, known) for text in _texts(node))
    ]


def _flows(tree: ast.AST) -> Iterator[tuple[set[str], ast.AST]]:
    """The names that get a value, and the value: by assignment, by a loop, as an argument."""
    functions = {f.name: f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield {name for target in node.targets for name in _names(target)}, node.value
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value:
            yield _names(node.target), node.value
        elif isinstance(node, (ast.For, ast.comprehension)):
            yield _names(node.target), node.iter
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = functions.get(node.func.id)
            for value in (*node.args, *(each.value for each in node.keywords)) if called else ():
                yield {each.arg for each in called.args.args} if called else set(), value


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _is_outside(node: ast.AST, known: set[str]) -> bool:
    return bool(_names(node) & known or _OUTSIDE.search(ast.unparse(node)))


def _texts(call: ast.Call) -> Sequence[ast.AST]:
    """The arguments of what sends something that are SQL, or names: of an operation, too."""
    match call.func:
        case ast.Call(func=ast.Name("getattr"), args=[ast.Name("op"), attribute]):
            return [attribute]
    if not _sends(call) or not isinstance(call.func, ast.Attribute):
        return []
    name = call.func.attr
    if name in (*_SEND, "run_async", "bulk_insert"):
        return call.args[:1] if name in ("execute", "exec_driver_sql", "scalar", "scalars") else []
    return [*call.args, *(each.value for each in call.keywords)]


def _varies(node: ast.AST, known: set[str]) -> bool:
    """Whether a text is made from what is outside; rows in a SQLAlchemy expression are no text."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in _MAKE_TEXT and _is_outside(node, known)
        case ast.IfExp():
            parts = (node.body, node.orelse)
            return _is_outside(node.test, known) or any(_varies(each, known) for each in parts)
        case ast.Name() | ast.JoinedStr() | ast.BinOp() | ast.BoolOp() | ast.Subscript():
            return _is_outside(node, known)
    return False


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
    if isinstance(node, ast.Lambda):
        return [node.body]
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


def _is_sender(node: ast.AST) -> bool:
    """Whether it is an operation or such a method itself, which is not called here."""
    return isinstance(node, ast.Attribute) and _sends(ast.Call(func=node, args=[], keywords=[]))


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
