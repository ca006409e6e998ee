"""A group of commands that are imported when they are called, and how a command line ends."""

import gc
import importlib
import logging
import os
import re
import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from surefoot.cli import output
from surefoot.errors import SurefootError, names
from surefoot.terminal.streams import outlast

PROGRAM = "surefoot"
DEFAULT_INI = "alembic.ini"
# Where Flask-Migrate has it, seen from the folder in which commands are typed.
FLASK_INI = "migrations/alembic.ini"

# name -> the line that `--help` shows without importing the command
COMMANDS = {
    "adopt": "Move a project of Alembic in: show the change of env.py, or write it.",
    "backfill": "Change the rows of large tables in batches, beside the service.",
    "db": "The embedded PostgreSQL: start, stop, url, psql.",
    "downgrade": "Revert revisions, with a report as JSON.",
    "drift": "Show where the database differs from its revisions.",
    "explain": "Explain a rule or an error code.",
    "ledger": "Print the runs on the database.",
    "lint": "Find revisions that would hurt a database in use.",
    "lock": "Write revisions.lock from the revision files.",
    "ops": "Override a guard, with a recorded reason: stamp, adopt, accept-checksum.",
    "plan": "Show pending revisions with their locks, durations and undo cost.",
    "schema": "Show the tables at a revision, or what a revision changes.",
    "scratch": "Show or remove the scratch servers that are kept between two commands.",
    "services": "List running services and the revisions of their code.",
    "status": "Show where the database is: applied and pending revisions, what is next.",
    "squash": "Write the first revisions as one file, for empty databases.",
    "upgrade": "Apply revisions, with a report as JSON.",
    "verify": "Run all checks: files, ledger, start-up check, drift.",
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
        _rename(command, ctx.find_root().info_name or PROGRAM)
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


def _rename(command: click.Command, program: str) -> None:
    """Let the help show the program that the user called: a project may mount these commands."""
    if command.help is not None:
        command.help = re.sub(rf"\b{PROGRAM} (?=[a-z])", f"{program} ", command.help)
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _rename(each, program)


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
      surefoot verify            all checks of the database

    Migrations are plain Alembic: `alembic upgrade head`.
    """
    if config == Path(DEFAULT_INI) and not config.is_file() and Path(FLASK_INI).is_file():
        config = Path(FLASK_INI)
    context.obj = config
    # Without Alembic's log of each step on a scratch database, which env.py may have asked for.
    logging.disable(logging.INFO)
    context.call_on_close(lambda: logging.disable(logging.NOTSET))


def main(
    argv: Sequence[str] | None = None, *, group: click.Group = surefoot, name: str = "surefoot"
) -> None:
    """Run a command line and exit with its code."""
    gc.set_threshold(50_000, 20, 100)  # as Environment.run does for `alembic`
    outlast()
    names.type_(shlex.join([name, *(sys.argv[1:] if argv is None else argv)]))
    try:
        code = group.main(args=argv, prog_name=name, standalone_mode=False) or 0
        gc.freeze()
        sys.stdout.flush()
        sys.exit(code)
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
    except Exception as error:
        _fail(output.understood(error))


def _fail(error: SurefootError) -> NoReturn:
    if os.environ.get("SUREFOOT_TRACEBACK"):
        traceback.print_exc()
    output.error(error.render())
    sys.exit(error.exit_code)
