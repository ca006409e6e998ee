"""read_env() finds in the source of an env.py what three lines have to keep.

Each function that runs migrations is taken apart. Its statements open a connection, configure
Alembic or run it; they give values that these need; or they are remarks for a person.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.adoption import statements
from surefoot.adoption.env_file import EnvFile
from surefoot.adoption.given import Parts, given
from surefoot.adoption.scope import Scope
from surefoot.adoption.statements import calls, dotted, last_name, names
from surefoot.chain.coding import parsed
from surefoot.errors import ConfigurationInvalid

_RUNS = ("configure", "run_migrations", "begin_transaction")
_HIDDEN = (
    "nothing in the file itself runs migrations; write Environment(…).run() in place of what does"
)
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_Loop = (ast.For, ast.AsyncFor, ast.While)


def read_env(path: Path, text: str) -> EnvFile:
    """Read the text of an env.py. On failure: ConfigurationInvalid, where it is not Python."""
    try:
        tree = parsed(text)
    except (SyntaxError, ValueError) as error:
        place = f"{path}:{getattr(error, 'lineno', None) or 1}"
        said = f"it is not Python: {getattr(error, 'msg', error)}"
        raise ConfigurationInvalid(place, said) from None
    return _Reader(path, text, tree).read()


def runs_migrations(path: Path) -> bool:
    """Whether this is an env.py that runs migrations without an Environment."""
    try:
        return bool(read_env(path, path.read_text("utf-8")).running)
    except (OSError, ValueError, ConfigurationInvalid):
        return False


class _Reader:
    """One reading of a file."""

    def __init__(self, path: Path, text: str, tree: ast.Module) -> None:
        self._parts = Parts(EnvFile(path, text), tree)
        self._tree = tree
        self._contexts = {*statements.contexts(tree)}
        self._running = self._runners()
        # The conditions around a statement that are known in a run only.
        self._unsure = 0

    def read(self) -> EnvFile:
        """The parts of the file."""
        parts = self._parts
        imports = [each for each in ast.walk(self._tree) if isinstance(each, ast.ImportFrom)]
        if any((each.module or "").partition(".")[0] == "surefoot" for each in imports):
            return replace(parts.file, is_adopted=True)
        running = [each for each in self._tree.body if self._runs(each)]
        if not running:
            parts.remark(self._tree.body[-1] if self._tree.body else ast.Pass(lineno=1), _HIDDEN)
            return replace(parts.file, left=parts.left)
        taken = {n for each in running for n in range(each.lineno, (each.end_lineno or 0) + 1)}
        for each in self._tree.body:
            if each not in running and each.lineno in taken:
                parts.remark(each, "write it on a line of its own")
            if isinstance(each, (ast.Assign, ast.AnnAssign)) and each not in running:
                self._assigned(each, parts.module)
        for name in statements.changed(self._tree):
            # A dictionary that is changed afterwards is not the one that is written.
            parts.module.values.get(name, []).append(ast.Constant(None))
        for each in running:
            self._visit([each], Scope())
        for call in calls(self._tree):
            if (where := statements.unheard(call)) is not None:
                parts.remark(call, where)
        fields: dict[str, Any] = {**given(parts)}
        return replace(
            parts.file,
            is_async=any(isinstance(each, ast.AsyncFunctionDef) for each in ast.walk(self._tree)),
            is_of_flask="current_app" in {*names(self._tree)},
            replaced=parts.replaced,
            left=sorted({*parts.left}, key=lambda each: each.line),
            running=running,
            **fields,
        )

    # -- which statements run migrations -----------------------------------------------------------

    def _runners(self) -> set[str]:
        """The functions that run migrations, or call one that does."""
        found: set[str] = set()
        while True:
            more = {
                each.name
                for each in ast.walk(self._tree)
                if isinstance(each, _Function) and self._runs(each, found)
            }
            if more <= found:
                return found
            found |= more

    def _runs(self, node: ast.AST, running: Iterable[str] | None = None) -> bool:
        known = self._running if running is None else running
        return any(self._is_of_context(each, *_RUNS) for each in calls(node)) or any(
            name in known for name in names(node)
        )

    def _is_of_context(self, call: ast.Call, *wanted: str) -> bool:
        base, _, name = dotted(call.func).rpartition(".")
        return base in self._contexts and name in wanted

    # -- what they say -----------------------------------------------------------------------------

    def _visit(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            if isinstance(statement, _Function):
                for each in statement.decorator_list:
                    self._parts.remark(each, statements.DECORATOR)
                if self._runs(statement):
                    of = statement.args
                    given = [each for each in ast.walk(of) if isinstance(each, ast.arg)]
                    self._visit(statement.body, Scope(scope, {arg.arg: [] for arg in given}))
                else:
                    scope.helpers[statement.name] = statement
            elif isinstance(statement, (ast.With, ast.AsyncWith)):
                self._with(statement, scope)
            elif isinstance(statement, ast.If):
                self._if(statement, scope)
            elif isinstance(statement, ast.Try):
                handled = [each for handler in statement.handlers for each in handler.body]
                inner = [*statement.body, *handled, *statement.orelse, *statement.finalbody]
                self._visit(inner, scope)
            else:
                self._leaf(statement, scope)

    def _with(self, statement: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for item in statement.items:
            opened = item.context_expr
            if isinstance(opened, ast.Call) and last_name(opened) == "execution_options":
                opened = opened.func.value if isinstance(opened.func, ast.Attribute) else opened
            if isinstance(item.optional_vars, ast.Name):
                scope.values.setdefault(item.optional_vars.id, [])
            if isinstance(opened, ast.Call) and last_name(opened) in statements.STACKS:
                continue
            if not isinstance(opened, ast.Call) or last_name(opened) not in statements.OPENS:
                if not self._runs(statement):
                    self._remark(statement, statements.ABOVE, scope)
                    return
                self._parts.remark(statement, statements.AROUND)
            elif isinstance(opened.func, ast.Attribute):
                self._open(opened.func.value, scope)
        self._visit(statement.body, scope)

    def _open(self, engine: ast.expr, scope: Scope) -> None:
        if dotted(engine) not in self._contexts:
            self._parts.opened.append((engine, scope))

    def _if(self, statement: ast.If, scope: Scope) -> None:
        body, is_answered = statement.body, self._is_answered(statement.test, scope)
        is_check = all(isinstance(each, ast.Raise) for each in body) and not statement.orelse
        if is_check and self._checked(body[0], statement.test, scope):
            return
        returns = any(isinstance(each, ast.Return) for each in (*body, *statement.orelse))
        if not is_answered and (self._runs(statement) or returns):
            self._parts.remark(statement, statements.CONDITION)
        paths, known = self._parts.paths, len(self._parts.paths)
        self._unsure += not is_answered
        self._visit([*body, *statement.orelse], scope)
        self._unsure -= not is_answered
        if not is_answered:
            for call, _, _ in paths[known:]:
                self._parts.remark(call, statements.place(call))
            del paths[known:]

    def _checked(self, statement: ast.stmt, test: ast.expr, scope: Scope) -> bool:
        """Whether the statement is a check of local variables."""
        owners = {name: scope.owner(name) for name in names(test)}
        found = [(statement, name, owner) for name, owner in owners.items() if owner is not None]
        self._parts.checks += found
        return bool(found)

    def _is_answered(self, test: ast.expr, scope: Scope) -> bool:
        """Whether it is known what a condition will be: a run by Alembic, on PostgreSQL."""
        asked = [test]
        for name in names(test):
            owner = scope.owner(name) or self._parts.module
            asked += owner.values.get(name, ())
        words = {word for each in asked for word in re.findall(r"\w+", ast.unparse(each))}
        return not words.isdisjoint(statements.ANSWERED)

    def _leaf(self, statement: ast.stmt, scope: Scope) -> None:
        value = getattr(statement, "value", None)
        value = statements.entered(value) if isinstance(value, ast.expr) else value
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                scope.helpers[alias.asname or alias.name.partition(".")[0]] = statement
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            self._assigned(statement, scope)
        elif isinstance(statement, (ast.Expr, ast.Return)) and isinstance(value, ast.IfExp):
            for each in (value.body, value.orelse):
                self._leaf(ast.copy_location(ast.Expr(each), each), scope)
        elif isinstance(statement, (ast.Expr, ast.Return)) and isinstance(value, ast.Call):
            self._call(value, statement, scope)
        elif isinstance(statement, ast.Assert) and self._checked(statement, statement.test, scope):
            pass
        elif isinstance(statement, _Loop) and self._runs(statement):
            self._parts.remark(statement, statements.LOOP)
        elif not _does_nothing(statement, value):
            self._remark(statement, statements.place_of(statement), scope)

    def _remark(self, statement: ast.stmt, where: str | None, scope: Scope) -> None:
        """Note a statement; one that needs a variable of the run has no place above it."""
        read = {*names(statement)} - {*statements.bound(statement)}
        owners = {name: scope.owner(name) for name in read}
        local = [name for name, owner in owners.items() if owner and name in owner.values]
        if where == statements.ABOVE and local:
            where = statements.RUN_ONLY.format(", ".join(sorted(local)))
        for name in local if where is None else ():
            if (owner := owners[name]) is not None:
                owner.used.add(name)  # it goes with the statement
        self._parts.remark(statement, where)

    def _assigned(self, statement: ast.Assign | ast.AnnAssign, scope: Scope) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        value = statement.value and statements.entered(statement.value)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                scope.values.setdefault(target.id, []).append(value)
                if isinstance(value, ast.Call) and last_name(value) in ("connect", "begin"):
                    assert isinstance(value.func, ast.Attribute)
                    self._open(value.func.value, scope)
                if scope is not self._parts.module and not statements.is_quiet(value):
                    self._parts.pending.append((statement, target.id, scope))
            elif scope is self._parts.module:
                if dotted(target).endswith(".version_locations"):
                    self._parts.remark(statement, statements.place_of(statement))
                continue  # it stays
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                key = str(target.slice.value)
                if key.rpartition(".")[2] == "url":
                    scope.url = value
                elif value and not self._unsure and scope.completes(target, value):
                    continue
                elif not key.startswith("sqlalchemy.") and not self._is_no_empty(value, scope):
                    self._remark(statement, statements.ABOVE, scope)
            elif not (self._parts.paths and "default_schema_name" in ast.unparse(target)):
                # The search path decides that, too.
                self._remark(statement, statements.place_of(statement), scope)

    def _is_no_empty(self, value: ast.expr | None, scope: Scope) -> bool:
        """Whether it is a hook that writes no empty revision, which Surefoot does not either."""
        helper = scope.helpers.get(dotted(value)) if value is not None else None
        return helper is not None and "is_empty()" in ast.unparse(helper)

    def _call(self, call: ast.Call, statement: ast.stmt, scope: Scope) -> None:
        name = last_name(call)
        inner = [each for each in calls(call) if self._is_of_context(each, "configure")]
        self._parts.configured += [(each, scope) for each in inner]
        if self._is_of_context(call, "run_migrations") and (call.args or call.keywords):
            said = "revisions get no arguments; let them read what they need"
            self._parts.remark(statement, said)
        elif name == "set_main_option" and ast.unparse(call.args[0]) == "'sqlalchemy.url'":
            scope.url = statements.unescaped(call.args[-1])
        elif (path := statements.search_path(call)) is not None:
            self._parts.paths.append((call, path, scope))
        elif name == "update" and not self._unsure and scope.updates(call):
            pass
        elif not (
            inner
            or self._is_of_context(call, *_RUNS)
            or name in self._running
            or (name in statements.STARTERS and self._runs(call))
            or name in statements.ENDS
            or statements.is_narration(call)
        ):
            # One that is given the function of a run would only run it.
            where = statements.DECORATOR if self._runs(call) else statements.place(call)
            self._remark(statement, where, scope)


def _does_nothing(statement: ast.stmt, value: ast.expr | None) -> bool:
    if isinstance(statement, ast.Raise):
        return statement.exc is None
    if isinstance(statement, (ast.Expr, ast.Return)):
        return value is None or isinstance(value, (ast.Constant, ast.Name))
    return isinstance(statement, (ast.Pass, ast.Global, ast.Nonlocal))
