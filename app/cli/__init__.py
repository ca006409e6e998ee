"""The `vegafs` command: what Alembic has no word for.

    vegafs serve | dev        run the service
    vegafs db | keys          the developer's database, the service's keys
    vegafs upgrade|downgrade  as Alembic does, with a report and a reason
    vegafs plan|lint|explain  see what a revision does before it does it
    vegafs drift | verify     is the database what its revisions give
    vegafs ledger | ops       what was done to the database; against a guard, in the open
    vegafs services           which builds live on the database
    vegafs lock | settings    the list of revisions, what is configured

Each command is a module of this package, imported when it is called: help comes at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from app.cli import output
from app.errors import VegafsError

# name -> the line that `vegafs --help` shows without importing the command
COMMANDS = {
    "db": "The embedded PostgreSQL: start, stop, url, psql.",
    "dev": "Start PostgreSQL, migrate to head and serve.",
    "downgrade": "Revert revisions; in production with leave to drop data.",
    "drift": "Say where the database is not what its revisions give.",
    "explain": "Say what a rule is about, or the code of an error.",
    "keys": "API keys: create, list, revoke.",
    "ledger": "Print what was done to the database.",
    "lint": "Refuse revisions that would hurt a database in use.",
    "lock": "Write alembic/revisions.lock from the revision files.",
    "ops": "Contradict a guard, in the open: stamp, adopt, accept-checksum.",
    "plan": "Say what is pending, which locks it takes, and for how long.",
    "serve": "Serve the API on a database that is at head.",
    "services": "List the services that live, and the revisions of their code.",
    "settings": "Print the settings in force and where each came from.",
    "upgrade": "Apply revisions, with a report as JSON.",
    "verify": "Prove that the database is what its revisions say.",
}


class Group(click.Group):
    """Commands by name; a near spelling is suggested and never run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"app.cli.{cmd_name}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"app.cli.{cmd_name}.command is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415 - only on a mistake

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(
                f"No such command {args[0]!r}. Did you mean `vegafs {near[0]}`?", ctx
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vegafs", message="%(version)s")
def vegafs() -> None:
    """VēgaFS: a file catalogue on a PostgreSQL whose schema it can vouch for.

    \b
    Examples:
      vegafs dev                 everything on this machine, from nothing
      vegafs keys create laptop  a key for the API
      vegafs settings            what is configured, and where

    Migrations are plain Alembic: `alembic upgrade head`.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    try:
        sys.exit(vegafs.main(args=argv, prog_name="vegafs", standalone_mode=False) or 0)
    except VegafsError as error:
        output.error(error.render())
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "vegafs"
        output.error(f"ERROR [usage]  {error.format_message()}\n  help: {command} --help")
        sys.exit(2)
    except click.ClickException as error:
        output.error(f"ERROR [usage]  {error.format_message()}")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        output.error("INTERRUPTED")
        sys.exit(130)
