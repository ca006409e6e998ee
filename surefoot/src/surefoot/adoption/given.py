"""given() tells the models, the database and the options that an env.py gives to Alembic."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from surefoot.adoption.env_file import EnvFile, Option, Remark
from surefoot.adoption.scope import Scope, Unclear, engine_url
from surefoot.adoption.statements import CHECK, LOOP, bound, dotted, names, place, place_of
from surefoot.environment.options import treatment

# Arguments of configure that belong to a way of running, which Environment chooses by itself.
_OF_A_WAY = frozenset({"connection", "url", "dialect_name", "dialect_opts", "literal_binds"})
_UNKNOWN = object()
_OURS = "left out: Surefoot has a lock and bounds of its own, Limits(…)"
_NO_URL = "the URL that it connects to was not found; write Environment(database=…)"


@dataclass
class Parts:
    """The statements of an env.py that matter, each with the variables around it."""

    file: EnvFile
    tree: ast.Module
    module: Scope = field(default_factory=Scope)
    configured: list[tuple[ast.Call, Scope]] = field(default_factory=list)
    # The engines that are connected.
    opened: list[tuple[ast.expr, Scope]] = field(default_factory=list)
    # The search path that a statement sets.
    paths: list[tuple[ast.Call, ast.expr, Scope]] = field(default_factory=list)
    # Checks of a variable: one that only the URL needs has an error of its own where it is missing.
    checks: list[tuple[ast.stmt, str, Scope]] = field(default_factory=list)
    # Statements that may be left out where their variable is looked up.
    pending: list[tuple[ast.stmt, str, Scope]] = field(default_factory=list)
    left: list[Remark] = field(default_factory=list)
    replaced: list[Remark] = field(default_factory=list)

    def remark(self, node: ast.stmt | ast.expr, where: str | None) -> None:
        """Note a statement, which belongs `where`: a place, None or nothing as in `place`."""
        code = self.file.code(node).splitlines()[0].rstrip(": ")
        if where is None:
            self.replaced.append(Remark(node.lineno, code, _OURS))
        elif where:
            self.left.append(Remark(node.lineno, code, where))


def given(parts: Parts) -> Mapping[str, object]:
    """The fields of EnvFile that it fills; what is not clear becomes a remark."""
    database = _database(parts, is_called=bool(parts.paths))
    of_url = [(name, scope) for _, name, scope in parts.checks if name in scope.used]
    for name, scope in of_url:
        scope.used.discard(name)
    metadata, options, spread = _options(parts)
    path = _search_path(parts)
    for statement, name, scope in parts.checks:
        if name in scope.used:
            parts.remark(statement, CHECK)
    for name, scope in of_url:
        scope.used.add(name)
    for statement, name, scope in parts.pending:
        if name not in scope.used:
            parts.remark(statement, place_of(statement))
    found = {"metadata": metadata, "database": database, "search_path": path, "options": options}
    return {**found, "spread": spread, "kept": [*dict.fromkeys(_kept(parts))]}


def _kept(parts: Parts) -> Iterator[ast.stmt]:
    """The functions and imports that the call needs, and those that these need."""
    done = set[str]()
    for _, inner in (*parts.configured, *parts.opened):
        for scope in inner.around():
            for name in scope.helpers:
                if name in scope.used:
                    yield from _with_needed(parts, scope, name, done)


def _with_needed(parts: Parts, scope: Scope, name: str, done: set[str]) -> Iterator[ast.stmt]:
    """One of these. A function that needs a local variable becomes a remark."""
    if name in done:
        return
    done.add(name)
    statement = scope.helpers[name]
    yield statement
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return
    for needed in sorted({*names(statement)} - {name} - {*bound(statement)}):
        if (owner := scope.owner(needed)) is None:
            continue
        if needed in owner.helpers:
            yield from _with_needed(parts, owner, needed, done)
        else:
            parts.remark(statement, f"move it to the top level of the file, with {needed}")


def _search_path(parts: Parts) -> str | None:
    """The search path of the connection. One that only shows in a run becomes a remark."""
    found: dict[str, None] = {}
    for call, value, scope in parts.paths:
        with suppress(Unclear):
            found[parts.file.code(scope.inlined(value))] = None
            if len(found) == 1:
                continue
        parts.remark(call, place(call))
    return next(iter(found), None)


def _database(parts: Parts, *, is_called: bool) -> str | None:
    """The URL of the engine that is connected, or else of `--sql`; a function of the file is named,
    unless it `is_called` there.
    """
    opened = {ast.dump(url): (engine, url) for engine, url in _opened(parts)}
    urls = [*(url for _, url in opened.values()), *_offline(parts)]
    for engine, _ in [*opened.values()][1:]:
        parts.remark(engine, LOOP)
    if not urls:
        parts.remark(parts.configured[0][0] if parts.configured else parts.tree.body[-1], _NO_URL)
        return None
    url, known = urls[0], {e.name for e in parts.tree.body if isinstance(e, ast.FunctionDef)}
    if (
        isinstance(url, ast.Call)
        and not (is_called or url.args or url.keywords)
        and dotted(url.func) in known
    ):
        return dotted(url.func)  # called when it is needed
    return parts.file.code(url)


def _opened(parts: Parts) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The engines that are connected, each with its URL."""
    for engine, scope in parts.opened:
        with suppress(Unclear):
            if (found := engine_url(engine, scope, parts.module)) is not None:
                yield engine, found


def _offline(parts: Parts) -> Iterator[ast.expr]:
    """The URLs of `--sql`."""
    for call, scope in parts.configured:
        for each in call.keywords:
            with suppress(Unclear):
                if each.arg == "url":
                    yield scope.inlined(each.value)


def _options(parts: Parts) -> tuple[str | None, Sequence[Option], Sequence[str]]:
    """The models, the options by name, those for a connection first, and what is spread."""
    metadata: str | None = None
    found: dict[str, Option] = {}
    spread: dict[str, None] = {}
    online = [e for e in parts.configured if any(k.arg == "connection" for k in e[0].keywords)]
    for call, scope in [*online, *parts.configured]:
        for name, value in _named(call.keywords, scope, parts.module):
            if name in _OF_A_WAY:
                continue
            try:
                is_refused = name is not None and treatment(name).word == "refused"
                code = parts.file.code(value if is_refused else scope.inlined(value))
            except Unclear as unclear:
                parts.remark(value, f"give it to Environment; {unclear} is known in a run only")
                continue
            if name is None:
                spread[code] = None
            elif name == "target_metadata":
                metadata = metadata or code
            else:
                literal = value.value if isinstance(value, ast.Constant) else _UNKNOWN
                known = treatment(name) if literal is _UNKNOWN else treatment(name, literal)
                option = found.setdefault(name, Option(name, code, value.lineno, known))
                if option.value != code and (call, scope) in online and not is_refused:
                    parts.remark(value, f"give {name} to Environment: it has two values")
    return metadata, [*found.values()], [*spread]


def _is_dict(call: ast.Call) -> bool:
    return dotted(call.func) == "dict" and not call.args


def _named(
    keywords: Sequence[ast.keyword], scope: Scope, module: Scope
) -> Iterator[tuple[str | None, ast.expr]]:
    """Keyword arguments, also those in a dictionary that the file writes out."""
    for each in keywords:
        if each.arg is None:
            yield from _items(each.value, scope, module)
        else:
            yield each.arg, each.value


def _items(value: ast.expr, scope: Scope, module: Scope) -> Iterator[tuple[str | None, ast.expr]]:
    """The items of a dictionary; itself, without a name, where they are not known."""
    owner = scope.owner(dotted(value)) or module
    values = owner.values.get(dotted(value), [])
    known = values[0] if len(values) == 1 else value
    if isinstance(known, ast.Call) and _is_dict(known):
        yield from _named(known.keywords, scope, module)
    elif isinstance(known, ast.Dict) and all(
        key is None or isinstance(key, ast.Constant) for key in known.keys
    ):
        for key, inner in zip(known.keys, known.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), inner
            else:
                yield from _items(inner, scope, module)
    else:
        yield None, value
        return
    owner.used.add(dotted(value))
