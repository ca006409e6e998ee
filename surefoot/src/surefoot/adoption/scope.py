"""Scope follows the local variables of a function of env.py to what they stand for."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from surefoot.adoption.statements import FACTORIES, dotted, last_name

# Calls on an engine whose result has the URL of the engine.
_CONNECTS = ("connect", "begin", "execution_options")


class Unclear(Exception):
    """An expression hangs on a variable whose value only shows when env.py runs."""


@dataclass
class Scope:
    """The variables of one function: all values that each is given; none for a parameter."""

    outer: Scope | None = None
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    # Functions in it that run no migration, and imports in it.
    helpers: dict[str, ast.stmt] = field(default_factory=dict)
    # The URL that it puts into the configuration.
    url: ast.expr | None = None
    # The variables that were looked up.
    used: set[str] = field(default_factory=set)

    def owner(self, name: str) -> Scope | None:
        """The scope that has the variable; None where it is one of the module."""
        if name in self.values or name in self.helpers:
            return self
        return self.outer.owner(name) if self.outer is not None else None

    def inlined(self, value: ast.expr) -> ast.expr:
        """The expression without local variables. On failure: Unclear."""
        inlined: ast.expr = _Inlined(self).visit(copy.deepcopy(value))
        if ast.dump(inlined) == ast.dump(value):
            return value
        return _placeless(inlined)

    def completes(self, item: ast.Subscript, value: ast.expr) -> bool:
        """Set an item of a dictionary that a variable was given; whether it was given one."""
        return self._complete(item.value, [item.slice], [value])

    def updates(self, call: ast.Call) -> bool:
        """The same by a call of `update()`, with dictionaries or with keywords."""
        assert isinstance(call.func, ast.Attribute)
        named = [ast.Constant(each.arg) if each.arg else None for each in call.keywords]
        values = [*call.args, *(each.value for each in call.keywords)]
        return self._complete(call.func.value, [*(None for _ in call.args), *named], values)

    def _complete(
        self, name: ast.expr, keys: Sequence[ast.expr | None], values: Sequence[ast.expr]
    ) -> bool:
        owner = self.owner(dotted(name))
        found = owner.values.get(dotted(name), []) if owner else []
        if len(found) != 1 or not isinstance(found[0], ast.Dict):
            return False
        found[0] = ast.Dict([*found[0].keys, *keys], [*found[0].values, *values])
        return True

    def around(self) -> Iterator[Scope]:
        """This scope, and those around it."""
        yield self
        if self.outer is not None:
            yield from self.outer.around()

    def section_url(self) -> ast.expr | None:
        """The URL that was put into the configuration."""
        if self.url is None and self.outer is not None:
            return self.outer.section_url()
        return self.url if self.url is None else self.inlined(self.url)


class _Inlined(ast.NodeTransformer):
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        owner = self._scope.owner(node.id)
        if owner is None or isinstance(node.ctx, ast.Store):
            return node
        owner.used.add(node.id)
        if node.id in owner.helpers:
            return node
        if len(found := owner.values[node.id]) != 1:
            raise Unclear(node.id)
        return owner.inlined(found[0])


def engine_url(engine: ast.expr, scope: Scope, module: Scope) -> ast.expr | None:
    """The URL of an engine, as an expression of the module; None where it has none.

    On failure: Unclear.
    """
    if isinstance(engine, ast.Await):
        awaited = engine.value
        if isinstance(awaited, ast.Call) and last_name(awaited) not in (*_CONNECTS, *FACTORIES):
            raise Unclear(last_name(awaited))  # a coroutine, which has no URL before it has run
        return engine_url(awaited, scope, module)
    if isinstance(engine, ast.Name):
        owner = scope.owner(engine.id)
        known = module if owner is None else owner
        if owner is not None:
            owner.used.add(engine.id)
        found = [engine_url(each, known, module) for each in known.values.get(engine.id, ())]
        urls = [each for each in found if each is not None]
        if urls or owner is not None:
            if len({ast.dump(each) for each in urls}) != 1:
                raise Unclear(engine.id)
            return urls[0]
        return _attribute(engine)
    if isinstance(engine, ast.Call):
        return _of_call(engine, scope, module)
    if isinstance(engine, ast.Constant):
        return None
    return _attribute(scope.inlined(engine))


def _of_call(call: ast.Call, scope: Scope, module: Scope) -> ast.expr | None:
    name = last_name(call)
    named = [each.value for each in call.keywords if each.arg in ("url", "configuration")]
    if name in FACTORIES and (call.args or named):
        first, *_ = (*call.args, *named)
        if "from_config" not in name:
            return scope.inlined(first)
        if isinstance(first, ast.Dict):
            for key, value in zip(first.keys, first.values, strict=True):
                if str(getattr(key, "value", "")).rpartition(".")[2] == "url":
                    return scope.inlined(value)
        if (given := scope.section_url()) is not None:
            return given
        prefixes = [each.value for each in call.keywords if each.arg == "prefix"]
        prefix = getattr([*call.args, *prefixes, None][1], "value", "sqlalchemy.")
        return _main_option(scope.inlined(first), f"{prefix}url")
    if name == "AsyncEngine" and call.args:
        return engine_url(call.args[0], scope, module)
    if "attributes" in dotted(call.func) or name == "pop":
        return None  # a connection that the caller hands in
    if isinstance(call.func, ast.Attribute) and name in _CONNECTS:
        return engine_url(call.func.value, scope, module)
    return _attribute(scope.inlined(call))


def _main_option(section: ast.expr, name: str) -> ast.expr:
    """The URL in a section of the ini file."""
    for each in ast.walk(section):
        if isinstance(each, ast.Call) and last_name(each) == "get_section":
            of = dotted(each.func).rpartition(".")[0]
            first = ast.unparse(each.args[0]) if each.args else ""
            if first == f"{of}.config_ini_section":
                return _parsed(f'{of}.get_main_option("{name}")')
            of_section = f'{of}.get_section_option({first}, "{name}")'
            return _parsed(of_section)
    return ast.Subscript(section, ast.Constant(name), ast.Load())


def _parsed(code: str) -> ast.expr:
    return _placeless(ast.parse(code, mode="eval").body)


def _placeless(made: ast.expr) -> ast.expr:
    """The expression, which is nowhere in the file."""
    vars(made).pop("lineno", None)
    return made


def _attribute(engine: ast.expr) -> ast.expr:
    return ast.Attribute(engine, "url", ast.Load())
