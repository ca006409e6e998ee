"""The `vegafs` command: the service, and the library's commands for its database.

vegafs serve | dev        run the service
vegafs keys | settings    the service's keys, what is configured
vegafs plan | lint | …    the commands of `surefoot`, for this project
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from app import ALEMBIC_INI
from app import errors as errors  # `vegafs explain` knows their codes
from surefoot import cli

# name -> the line that `vegafs --help` shows without importing the command
COMMANDS = {
    "dev": "Start PostgreSQL, migrate to head and serve.",
    "keys": "API keys: create, list, revoke.",
    "serve": "Serve the API on a database that is at head.",
    "settings": "Print the settings in force and where each came from.",
}
# Arguments and options of each, for completion by the shell.
LINES = {
    "dev": "",
    "keys create": ":name --scope=ops|",
    "keys list": "--json",
    "keys revoke": ":name",
    "serve": "--migrate --log-format=text|json --log-level=debug|info|warning|error --access-log",
    "settings": "--json",
}


@click.group(
    cls=cli.Commands,
    packages={"app.cli": COMMANDS, "surefoot.cli": cli.COMMANDS},
    ini=ALEMBIC_INI,
    targets="app.db.engine:targets",
    lines=LINES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="vegafs", message="%(version)s")
@click.pass_context
def vegafs(context: click.Context) -> None:
    """VēgaFS: a file catalogue on a PostgreSQL whose schema it can vouch for.

    \b
    Examples:
      vegafs dev                    everything on this machine, from nothing
      vegafs keys create laptop     a key for the API
      vegafs settings               what is configured, and where
      vegafs status                 where the database is, and what is next

    Migrations are plain Alembic: `alembic upgrade head`.
    """
    context.obj = ALEMBIC_INI


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    cli.main(argv, group=vegafs, name="vegafs")
