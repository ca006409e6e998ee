"""Alembic still has the private names that surefoot.compat.alembic uses."""

from __future__ import annotations

import builtins
import inspect
import io
from pathlib import Path
from typing import Any

import pytest
from alembic import context, op
from alembic.config import CommandLine, Config
from alembic.environment import EnvironmentContext
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.runtime.migration import HeadMaintainer, StampStep
from alembic.script import ScriptDirectory
from alembic.util.langhelpers import ModuleClsProxy

from surefoot.compat.alembic import (
    WRITES_NOTHING,
    command_name,
    create_version_table_once,
    env_text,
    files_read_once,
    install,
    rows_after,
    unused,
)


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


def test_the_version_table_is_created_only_when_it_is_asked_for() -> None:
    """`dont_mutate` keeps a run from it, and the method that creates it takes no argument."""
    source = inspect.getsource(MigrationContext.run_migrations)
    assert all(name in source for name in WRITES_NOTHING)
    ensure = inspect.signature(MigrationContext._ensure_version_table)
    assert ensure.parameters["purge"].default is False


def test_a_script_creates_the_version_table_where_there_is_none() -> None:
    """Alembic calls `create` of its table, once, where a script begins at base."""
    written = io.StringIO()
    ctx = MigrationContext.configure(
        url="postgresql+asyncpg://",
        opts={"as_sql": True, "output_buffer": written, "fn": lambda *_: [Step()]},
    )
    create_version_table_once(ctx)
    ctx.run_migrations()
    assert "CREATE TABLE IF NOT EXISTS alembic_version" in written.getvalue()


def test_the_rows_after_a_step_are_those_of_all_branches() -> None:
    """Alembic writes each change of a row by one of three methods, and nothing else writes."""
    methods = {name: f for name, f in vars(HeadMaintainer).items() if inspect.isfunction(f)}
    assert {name for name, f in methods.items() if "_exec(" in inspect.getsource(f)} == {
        "_insert_version",
        "_delete_version",
        "_update_version",
    }
    ctx = MigrationContext.configure(url="postgresql+asyncpg://", opts={"as_sql": True})
    up = [StampStep((), ("1",), True, True), StampStep(("1",), ("2",), True, False)]
    steps = [*up, StampStep((), ("3",), True, True), StampStep(("2", "3"), ("4",), True, False)]
    found = list(rows_after(ctx, ("0",), steps))  # type: ignore[arg-type]  # steps of a stamp
    assert found == [("0", "1"), ("0", "2"), ("0", "2", "3"), ("0", "4")]


def test_the_rows_of_a_run_are_not_written_by_alembic() -> None:
    """The option that a run sets; a script has them still."""
    install()
    for options, is_written in (({}, True), (WRITES_NOTHING, False)):
        written = io.StringIO()
        ctx = MigrationContext.configure(
            url="postgresql+asyncpg://",
            opts={"as_sql": True, "output_buffer": written, "fn": lambda *_: [Step()], **options},
        )
        ctx.run_migrations()
        assert ("INSERT INTO alembic_version" in written.getvalue()) == is_written


class Step(StampStep):
    """A step of a chain of one."""

    short_log = "of a test"

    def __init__(self) -> None:
        super().__init__(None, "0001", True, True)

    @property
    def info(self) -> Any:
        return None


def test_a_text_runs_in_place_of_env_py(tmp_path: Path) -> None:
    """With the names that Alembic gives to the module of the file."""
    (tmp_path / "env.py").write_text("raise RuntimeError('the file')\n", "utf-8")
    (tmp_path / "versions").mkdir()
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    script = ScriptDirectory.from_config(config)
    told = "from alembic import context\ncontext.config.attributes['is'] = __name__, __file__\n"
    with EnvironmentContext(config, script):
        with env_text(tmp_path / "env.py", told):
            script.run_env()
        assert config.attributes["is"] == ("env_py", str(tmp_path / "env.py"))
        with pytest.raises(RuntimeError, match="the file"):
            script.run_env()


LOADED = """\
import builtins

builtins.loaded = getattr(builtins, "loaded", 0) + 1
revision, down_revision = "0001", None
seen = []


def upgrade():
    seen.append(1)
    assert len(seen) == 1
"""


def test_the_commands_of_a_block_read_the_files_once(tmp_path: Path) -> None:
    """Each of them has modules that did not run, and after the block the files are read again."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_step.py").write_text(LOADED, "utf-8")
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s\n", "utf-8")
    install()

    def loads() -> int:
        """How often the file was loaded for this command, which runs it."""
        before = getattr(builtins, "loaded", 0)
        script = ScriptDirectory.from_config(Config(tmp_path / "alembic.ini"))
        (step,) = script._upgrade_revs("head", "base")
        unused(step)()
        return int(getattr(builtins, "loaded", 0)) - before

    with files_read_once():
        assert [loads(), loads(), loads()] == [1, 1, 1]  # the second and third are of `unused`
        script = ScriptDirectory.from_config(Config(tmp_path / "alembic.ini"))
        assert script is ScriptDirectory.from_config(Config(tmp_path / "alembic.ini"))
    assert script is not ScriptDirectory.from_config(Config(tmp_path / "alembic.ini"))
    assert loads() == 1
