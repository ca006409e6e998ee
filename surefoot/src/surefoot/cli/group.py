"""A group of commands that are imported when they are called, and how a command line ends."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from surefoot.cli import output
from surefoot.errors import SurefootError

DEFAULT_INI = "alembic.ini"

# name -> the line that `--help` shows without importing the command
COMMANDS = {
    "db": "The embedded PostgreSQL: start, stop, url, psql.",
    "downgrade": "Revert revisions; in production with leave to drop data.",
    "drift": "Say where the database is not what its revisions give.",
    "explain": "Say what a rule is about, or the code of an error.",
    "ledger": "Print what was done to the database.",
    "lint": "Refuse revisions that would hurt a database in use.",
    "lock": "Write revisions.lock from the revision files.",
    "ops": "Override a guard, with a recorded reason: stamp, adopt, accept-checksum.",
    "plan": "Say what is pending, which locks it takes, and for how long.",
    "services": "List the services that live, and the revisions of their code.",
    "upgrade": "Apply revisions, with a report as JSON.",
    "verify": "Prove that the database is what its revisions say.",
}


class Commands(click.Group):
    """Commands by name, each a module `package.name`; a near spelling is suggested, never run."""

    def __init__(self, *, packages: Mapping[str, Mapping[str, str]], **options: Any) -> None:
        """`packages` names the package of each command, and its line in the help."""
        super().__init__(**options)
        self.helps = {name: line for of in packages.values() for name, line in of.items()}
        self._modules = {
            name: f"{package}.{name}" for package, of in packages.items() for name in of
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        command = importlib.import_module(self._modules[cmd_name]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._modules[cmd_name]}.command is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415 - only on a mistake

            near = difflib.get_close_matches(args[0], self.helps, n=1)
            if not near:
                raise
            raise click.UsageError(
                f"No such command {args[0]!r}. Did you mean `{ctx.command_path} {near[0]}`?", ctx
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self.helps.items()))


@click.group(
    cls=Commands,
    packages={"surefoot.cli": COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="surefoot", message="%(version)s")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT_INI,
    envvar="ALEMBIC_CONFIG",
    show_default=True,
    help="The ini file of Alembic.",
)
@click.pass_context
def surefoot(context: click.Context, config: Path) -> None:
    """Alembic on PostgreSQL that cannot hurt a database in use.

    \b
    Examples:
      surefoot plan              what is pending, with its locks
      surefoot lint              what would hurt a database in use
      surefoot verify            is the database what its revisions say

    Migrations are plain Alembic: `alembic upgrade head`.
    """
    context.obj = config


def main(
    argv: Sequence[str] | None = None, *, group: click.Group = surefoot, name: str = "surefoot"
) -> None:
    """Run a command line and exit with its code."""
    try:
        sys.exit(group.main(args=argv, prog_name=name, standalone_mode=False) or 0)
    except SurefootError as error:
        output.error(error.render())
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else name
        output.error(f"ERROR [usage]  {error.format_message()}\n  help: {command} --help")
        sys.exit(2)
    except click.ClickException as error:
        output.error(f"ERROR [usage]  {error.format_message()}")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        output.error("INTERRUPTED")
        sys.exit(130)
