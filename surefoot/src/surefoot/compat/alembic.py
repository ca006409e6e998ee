"""Private names of Alembic that the library uses. Checked with Alembic 1.18 to 1.20.

ModuleClsProxy._install_proxy   Alembic keeps the meaning of `op.…` and `context.…` in one global
ModuleClsProxy._remove_proxy    each, so two upgrades as tasks of one event loop would write into
ModuleClsProxy._setups          each other's databases. `install()` keeps it in a context variable,
                                of which every task has its own value. Nothing public does this.
MigrationContext                creates the version table. Alembic does it in a transaction of its
  ._ensure_version_table        own before it asks which steps to run; `WRITES_NOTHING` (an option
                                that `alembic current` sets) leaves it to the run, after the guards.
MigrationContext._version       its table. `--sql` from base always writes CREATE TABLE, while an
                                online run creates it where there is none.
MigrationContext._transaction   of the running revision. A revision of the past may have ended it in
                                a way that Alembic does not see; `renew_transaction` replaces it.
MigrationContext                whether it begins and commits a transaction around each revision. It
  ._transaction_per_migration   is an option of `configure()`, and no revision can have another
                                value; `own_transaction` sets it for the next one.
HeadMaintainer                  knows which rows of its table a step leaves, and writes them.
  ._insert_version              `rows_after` has it follow the steps of a plan and write nothing:
  ._delete_version              a step does not name the rows of other branches. With
  ._update_version              `WRITES_NOTHING` the run writes them, in a message of its own.
script.revision                 asserts that a name is not empty (`upgrade ""`) and raises nothing
                                public. Its other assertions are about itself.
util.load_python_file           loads a revision as Alembic does. `unused` loads one again whose
                                function ran before; nothing public does.
ScriptDirectory.from_config     reads the revision files. It is public, to replace it is not;
                                `files_read_once` keeps one for several commands.
ScriptDirectory.run_env         runs env.py from its file; `env_text` runs a text in its place. The
                                method is public, to replace it is not.
Config.cmd_opts.cmd             the function that the command line chose. `cmd_opts` is public, its
                                content is not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from alembic.runtime import migration
from alembic.runtime.migration import HeadMaintainer, StampStep
from alembic.script import ScriptDirectory, revision
from alembic.util import load_python_file
from alembic.util.langhelpers import ModuleClsProxy
from sqlalchemy.schema import CreateTable

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

WRITES_NOTHING: Mapping[str, Any] = {"dont_mutate": True}
# The objects that `op` or `context` mean, the newest last: calls may be nested.
_Meanings = tuple[Any, ...]
_ALEMBICS_LEAVE = ModuleClsProxy._remove_proxy
_ALEMBICS_FROM_CONFIG: Callable[..., ScriptDirectory] = ScriptDirectory.from_config.__func__  # type: ignore[attr-defined]
# By the ini file, those that were read in the block of `files_read_once`.
_directories: ContextVar[dict[str | PathLike[str], ScriptDirectory] | None] = ContextVar(
    "script directories", default=None
)
# The modules of revisions whose function ran.
_ran: WeakSet[ModuleType] = WeakSet()
_meanings: dict[type[Any], ContextVar[_Meanings]] = {}


def command_name(config: Config) -> str | None:
    """The command that was typed (`upgrade`), or None where Alembic is called as a library."""
    command: tuple[Callable[..., object], object, object] | None = getattr(
        config.cmd_opts, "cmd", None
    )
    return command[0].__name__ if command else None


def is_empty_name(error: BaseException) -> bool:
    """Whether Alembic was asked for a revision with an empty name."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return isinstance(error, AssertionError) and [(f.filename, f.line) for f in last] == [
        (revision.__file__, "assert resolved_id")
    ]


def ensure_version_table(ctx: MigrationContext) -> None:
    """Create the version table where there is none, in the transaction that is open."""
    ctx._ensure_version_table()


def create_version_table_once(ctx: MigrationContext) -> None:
    """Let the script that `ctx` writes create the version table only where there is none."""
    table: Any = ctx._version
    statement = CreateTable(table, if_not_exists=True)
    table.create = lambda _connection: ctx.execute(statement)


def renew_transaction(ctx: MigrationContext) -> None:
    """Begin a transaction for the running revision, whose own has ended."""
    if ctx.connection is None:
        raise RuntimeError("there is no connection")
    ctx._transaction = ctx.connection.begin()


def take_transaction(ctx: MigrationContext) -> None:
    """Let Alembic know the transaction that is open, which it did not begin."""
    if ctx.connection is not None:
        ctx._transaction = ctx.connection.get_transaction()


def own_transaction(ctx: MigrationContext, has_one: bool) -> None:
    """Whether Alembic is to begin and commit a transaction around the next revision."""
    ctx._transaction_per_migration = has_one


class _Rows(HeadMaintainer):
    """The rows of the version table, in memory."""

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self._delete_version(from_)
        self._insert_version(to_)


def rows_after(
    ctx: MigrationContext, heads: Iterable[str], steps: Iterable[RevisionStep]
) -> Iterator[tuple[str, ...]]:
    """The revisions that the version table names after each step, of all branches."""
    rows = _Rows(ctx, heads)
    for step in steps:
        rows.update_to_step(step)
        yield tuple(sorted(rows.heads))


def unused(step: RevisionStep | StampStep) -> Callable[..., Any]:
    """The function of a step, of a module whose functions did not run before.

    A revision that is tried again must not meet what the attempt before left in the names of its
    module: a table in a MetaData, an item in a list.
    """
    function: Callable[..., Any] = step.migration_fn
    if isinstance(step, StampStep):
        return function
    script = step.revision
    if script.module in _ran:
        path = Path(script.path)
        script.module = load_python_file(path.parent, path.name)
        function = script.module.upgrade if step.is_upgrade else script.module.downgrade
    _ran.add(script.module)
    return function


def _maintainer(ctx: MigrationContext, heads: Iterable[str]) -> HeadMaintainer:
    return (_Rows if WRITES_NOTHING.items() <= ctx.opts.items() else HeadMaintainer)(ctx, heads)


@contextmanager
def files_read_once() -> Iterator[None]:
    """Let the Alembic commands of the block read the files of a project once, not each of them."""
    token = _directories.set({})
    try:
        yield
    finally:
        _directories.reset(token)


def _from_config(cls: type[ScriptDirectory], config: Config) -> ScriptDirectory:
    known = _directories.get()
    if known is None or config.config_file_name is None:
        return _ALEMBICS_FROM_CONFIG(cls, config)
    if config.config_file_name not in known:
        known[config.config_file_name] = _ALEMBICS_FROM_CONFIG(cls, config)
    return known[config.config_file_name]


def install() -> None:
    """Let runs of this process overlap, and write the rows of the version table, from here on."""
    ScriptDirectory.from_config = classmethod(_from_config)  # type: ignore[assignment,method-assign]
    migration.HeadMaintainer = _maintainer  # type: ignore[assignment,misc]
    ModuleClsProxy._install_proxy = _enter  # type: ignore[assignment,method-assign]
    ModuleClsProxy._remove_proxy = _leave  # type: ignore[assignment,method-assign]


class _Dispatch:
    """Stands in Alembic's modules and passes every access on to the object of the task."""

    def __init__(self, meanings: ContextVar[_Meanings]) -> None:
        self._meanings = meanings

    def __getattr__(self, name: str) -> Any:
        meanings = self._meanings.get()
        if not meanings:
            raise NameError(f"Can't use {name!r} of Alembic outside of a run")
        return getattr(meanings[-1], name)


def _enter(proxy: Any) -> None:
    kind = type(proxy)
    meanings = _meanings.setdefault(kind, ContextVar(f"alembic {kind.__name__}", default=()))
    meanings.set((*meanings.get(), proxy))
    attribute_names, modules = kind._setups[kind]
    for module, _ in modules:
        module["_proxy"] = _Dispatch(meanings)
        # Plain attributes (`context.config`) cannot be looked up late: env.py reads them first.
        module.update({name: getattr(proxy, name) for name in attribute_names})


def _leave(proxy: Any) -> None:
    meanings = _meanings.get(type(proxy))
    if meanings is None:
        _ALEMBICS_LEAVE(proxy)  # it was entered before `install()`
        return
    meanings.set(tuple(item for item in meanings.get() if item is not proxy))


@contextmanager
def env_text(path: Path, text: str) -> Iterator[None]:
    """Let Alembic run this text as the env.py at `path`, which stays as it is on disk."""
    former = ScriptDirectory.run_env

    def run_env(self: ScriptDirectory) -> None:
        module = ModuleType("env_py")  # the name that Alembic gives it
        module.__file__ = str(path)
        exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102 - as Alembic runs it

    ScriptDirectory.run_env = run_env  # type: ignore[method-assign]
    try:
        yield
    finally:
        ScriptDirectory.run_env = former  # type: ignore[method-assign]
