"""Alembic's entry point for plugins: what is of the `alembic` command and never reaches env.py.

`alembic show nope` reads the revision files without an environment, and which options there are is
decided before there is one. Alembic loads this module while it is being imported itself, so nothing
of Alembic can be imported at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin

RENAME_HELP = (
    "With --autogenerate: table.column:table.new_column or table:new_table is a rename, not a drop "
    "and an add; may be given several times"
)


def setup(plugin: Plugin) -> None:
    """Put the rendering of this project in the place of Alembic's, which exits with 255.

    And have `alembic revision` take --rename.
    """
    from alembic import util  # noqa: PLC0415 - see above

    util.err = _err
    sys.meta_path.insert(0, _Config())


def _err(message: str, quiet: bool = False) -> NoReturn:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - see above

    from app.migrate.run.commandline import fail, from_alembic  # noqa: PLC0415 - see above

    # Alembic calls this while it handles the exception, whose cause says more than its text.
    raised = sys.exc_info()[1]
    error = from_alembic(raised if isinstance(raised, CommandError) else CommandError(message))
    if quiet:
        sys.exit(error.exit_code)
    fail(error)


def _take_rename(command_line: Any) -> None:
    """Let the class's `revision` have the option."""
    register = command_line.register_command

    def register_command(self: Any, function: Any) -> None:
        register(self, function)
        if function.__name__ == "revision":
            self.subparsers.choices["revision"].add_argument(
                "--rename", action="append", metavar="OLD:NEW", help=RENAME_HELP
            )

    command_line.register_command = register_command


class _Config(MetaPathFinder, Loader):
    """Adds to alembic.config as it is imported, which comes after the plugins and before the words.

    Alembic has options of one's own only for a command line of one's own.
    """

    _loader: Loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module where it is, to be loaded by way of this."""
        if fullname != "alembic.config":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As ever."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As ever, and then the option."""
        self._loader.exec_module(module)
        _take_rename(module.__dict__["CommandLine"])
