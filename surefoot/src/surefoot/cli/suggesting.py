"""Groups of commands that suggest a near name, and import a command when it is called."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from surefoot.cli.targets import chosen, target_option
from surefoot.errors.names import alembic
from surefoot.terminal.streams import stdout_kept
from surefoot.wording import suggestion

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "surefoot"
# They are about a development database, which no target is.
_OF_A_DEVELOPER = ("amend", "db", "drop-last")
# Alembic has them, and this program does not.
_OF_ALEMBIC = (
    *("branches", "check", "current", "edit", "heads", "history"),
    *("init", "merge", "revision", "show", "stamp"),
)


class Group(click.Group):
    """A group; a near spelling is suggested, never run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        is_wrong = args and args[0] not in known and not args[0].startswith("-")
        if is_wrong and not ctx.resilient_parsing:
            near = suggestion(args[0], known, f"`{ctx.command_path} {{}}`")
            if args[0] in _OF_ALEMBIC and ctx.parent is None:
                near = f"did you mean `{alembic()} {args[0]}`?"
            raise click.UsageError(f"there is no command {args[0]!r}{near and f'; {near}'}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self._lines(ctx)])

    def _lines(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        for name in self.list_commands(ctx):
            if (command := self.get_command(ctx, name)) is not None:
                paragraph = " ".join((command.help or "").split("\n\n")[0].split())
                yield name, paragraph.partition(". ")[0].rstrip(".") + "."


class Commands(Group):
    """Commands by name, each a module `package.name` that is imported when it is called."""

    def __init__(
        self,
        *,
        packages: Mapping[str, Mapping[str, str]],
        ini: Path | None = None,
        targets: str | None = None,
        lines: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """`packages` names the package of each command, and its line in the help.

        `ini` is the ini file of a project that has no option for it. For completion by the shell
        are `targets`, an import string of a function that gives the targets by name without running
        env.py, and `lines`, which say what each command of the project takes, as
        `surefoot.cli.completion` does for those of the library.
        """
        super().__init__(**options)
        target_option(self)
        self.helps = {name: line for of in packages.values() for name, line in of.items()}
        self.ini, self.targets, self.lines = ini, targets, lines or {}
        self._modules = {
            name: f"{package}.{name.replace('-', '_')}"
            for package, of in packages.items()
            for name in of
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        if ctx.resilient_parsing:  # a shell completes a word
            from surefoot.cli.completion import LINES, outline  # noqa: PLC0415 - only then

            if (made := outline(cmd_name, {**LINES, **self.lines})) is not None:
                return made
        is_librarys = self._modules[cmd_name].startswith(f"{__package__}.")
        if chosen(ctx) is not None and (not is_librarys or cmd_name in _OF_A_DEVELOPER):
            raise click.UsageError(f"{cmd_name} takes no --target", ctx)
        command = importlib.import_module(self._modules[cmd_name]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._modules[cmd_name]}.command is not a command")
        return _called(command, ctx.find_root().info_name or PROGRAM)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """The commands without importing one, and the options."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for completion alone

        options = click.Command.shell_complete(self, ctx, incomplete)
        named = (each for each in sorted(self.helps.items()) if each[0].startswith(incomplete))
        return [*(CompletionItem(name, help=line) for name, line in named), *options]

    def _lines(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        yield from sorted(self.helps.items())


def _called(command: click.Command, program: str) -> click.Command:
    """The command whose help has the program that the user called: a project may mount it.

    While it runs, stdout is for its answer; a group has none.
    """
    made = copy(command)
    if made.help is not None:
        made.help = re.sub(rf"\b{PROGRAM} (?=[a-z])", f"{program} ", made.help)
    if isinstance(made, click.Group):
        made.commands = {name: _called(each, program) for name, each in made.commands.items()}
    elif made.callback is not None:
        made.callback = stdout_kept()(made.callback)
    return made
