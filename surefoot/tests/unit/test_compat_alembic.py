"""Alembic still has the private names that surefoot.compat.alembic uses."""

from __future__ import annotations

import inspect
from typing import Any

from alembic import context, op
from alembic.config import CommandLine, Config
from alembic.environment import EnvironmentContext
from alembic.operations import Operations
from alembic.util.langhelpers import ModuleClsProxy

from surefoot.compat.alembic import command_name


def test_a_proxy_is_installed_and_removed_by_these_methods() -> None:
    """Both take the proxy alone, and entering a context calls them."""
    for name in ("_install_proxy", "_remove_proxy"):
        assert list(inspect.signature(getattr(ModuleClsProxy, name)).parameters) in (
            ["self"],
            ["proxy"],
        )
    assert "_install_proxy" in inspect.getsource(EnvironmentContext.__enter__)
    assert "_remove_proxy" in inspect.getsource(EnvironmentContext.__exit__)


def test_a_proxy_knows_the_modules_that_it_stands_in() -> None:
    """`op` and `context` are the globals that a run is looked up in."""
    modules: dict[type[Any], Any] = {Operations: op, EnvironmentContext: context}
    for kind, module in modules.items():
        names, places = ModuleClsProxy._setups[kind]
        assert any(globals_ is vars(module) for globals_, _ in places)
        assert all(isinstance(name, str) for name in names)


def test_the_typed_command_is_known() -> None:
    """By what Alembic's own parser leaves; a library's caller typed none."""
    config = Config(cmd_opts=CommandLine().parser.parse_args(["upgrade", "head"]))
    assert command_name(config) == "upgrade"
    assert command_name(Config()) is None
