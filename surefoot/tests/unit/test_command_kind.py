"""Which commands may run without protection: those that are known to read only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from surefoot.run.upgrade.steps import kind_of


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A project with one revision."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "script.py.mako").touch()
    (tmp_path / "versions" / "0001_a.py").write_text("revision = '0001'\ndown_revision = None\n")
    found = Config()
    found.set_main_option("script_location", str(tmp_path))
    found.set_main_option("path_separator", "os")
    return found


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda config: command.upgrade(config, "head"), "upgrade"),
        (lambda config: command.downgrade(config, "base"), "downgrade"),
        (lambda config: command.stamp(config, "head"), "stamp"),
        (command.check, "reads"),
        (command.current, "reads"),
        (command.ensure_version, "reads"),
        (lambda config: command.show(config, "current"), "reads"),
        (lambda config: command.edit(config, "current"), "reads"),
        (lambda config: command.history(config, indicate_current=True), "reads"),
        (lambda config: command.revision(config, "x", autogenerate=True), "reads"),
    ],
)
def test_commands_of_alembic_are_known(
    config: Config, monkeypatch: pytest.MonkeyPatch, call: Callable[[Config], Any], kind: str
) -> None:
    """Each by the function that it really hands to its environment."""

    class Stopped(Exception):
        pass

    def environment(*_: Any, fn: Callable[..., Any], **__: Any) -> Any:
        assert kind_of(fn) == kind
        raise Stopped

    monkeypatch.setattr(command, "EnvironmentContext", environment)
    monkeypatch.setattr(ScriptDirectory, "run_env", lambda _: None)
    with pytest.raises(Stopped):
        call(config)


def test_other_functions_are_unknown() -> None:
    """Of another module, by the name alone, or by a name that Alembic does not have."""

    def upgrade() -> None: ...

    assert kind_of(upgrade) == "unknown"
    upgrade.__module__ = "alembic.command"
    assert kind_of(upgrade) == "unknown"
    upgrade.__qualname__ = "upgrade_all.<locals>.upgrade"
    assert kind_of(upgrade) == "unknown"
    upgrade.__qualname__ = "upgrade.<locals>.upgrade"
    assert kind_of(upgrade) == "upgrade"
    assert kind_of(None) == "reads"
