"""The group of all commands, and how a command line ends."""

import gc
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from surefoot.cli import output
from surefoot.cli.ending import as_ctrl_c
from surefoot.cli.ini_path import DEFAULT_INI, ini_file
from surefoot.cli.suggesting import PROGRAM, Commands
from surefoot.errors import AnswerLost, SurefootError, names
from surefoot.terminal.streams import lost_answer, outlast
from surefoot.wording import suggestion

# name -> the line that `--help` shows without importing the command
COMMANDS = {
    "adopt": "Move a project of Alembic in: show the change of env.py, or write it.",
    "amend": "Write the newest revision again from the models.",
    "backfill": "Change the rows of large tables in batches, beside the service.",
    "db": "The development database: start, stop, status, url, psql, goto, reset, seed.",
    "downgrade": "Revert revisions, as `alembic downgrade` does.",
    "drop-last": "Take the newest revision back and delete it.",
    "drift": "Show where the database differs from its revisions.",
    "explain": "Explain a rule or an error code.",
    "ledger": "Print the runs on the database.",
    "lint": "Find revisions that would hurt a database in use.",
    "lock": "Write revisions.lock from the revision files.",
    "ops": "Override a guard, with a reason that the ledger keeps.",
    "plan": "Show pending revisions with their locks, durations and undo cost.",
    "rebase": "Put the revisions of this branch behind those of another.",
    "schema": "Show the tables at a revision, or what a revision changes.",
    "scratch": "Show or remove the scratch servers that are kept between two commands.",
    "services": "List running services and the revisions of their code.",
    "squash": "Write the first revisions as one file, for empty databases.",
    "status": "Show where the database is: applied and pending revisions, what is next.",
    "upgrade": "Apply what is pending, as `alembic upgrade` does.",
    "verify": "Run all checks: files, ledger, start-up check, drift.",
}


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
    """Protect a database in use while Alembic migrates it, on PostgreSQL.

    \b
    Examples:
      surefoot status            where the database is, and what is next
      surefoot plan              what is pending, with its locks
      surefoot lint              what would hurt a database in use
      surefoot verify            all checks of the database

    Exit codes, of `alembic` too: 0 success; 1 a check said no; 2 usage; 3 refused, and nothing was
    changed; 4 stopped part-way; 75 a retry is safe; 129, 130, 143
    interrupted.

    Migrations are plain Alembic: `alembic upgrade head`.
    """
    context.obj = ini_file(context)
    # Without Alembic's log of each step on a scratch database, which env.py may have asked for.
    logging.disable(logging.INFO)
    context.call_on_close(lambda: logging.disable(logging.NOTSET))


def main(
    argv: Sequence[str] | None = None, *, group: click.Group = surefoot, name: str = PROGRAM
) -> None:
    """Run a command line and exit with its code."""
    gc.set_threshold(50_000, 20, 100)  # as Environment.run does for `alembic`
    outlast()
    completes = f"_{name}_COMPLETE".replace("-", "_").upper() in os.environ
    if completes:
        from surefoot.cli.bash import register  # noqa: PLC0415 - for completion alone

        register()
    names.aim(None)
    names.type_(shlex.join([name, *(sys.argv[1:] if argv is None else argv)]))
    came: list[int] = []
    try:
        with as_ctrl_c() as came:
            code = group.main(args=argv, prog_name=name, standalone_mode=False) or 0
        gc.freeze()
        sys.exit(code)
    except SystemExit as end:
        if reason := lost_answer():
            _fail(AnswerLost(reason, end.code or 0))
        raise
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else name
        output.error(f"ERROR [usage]  {_said(error)}\n  help: {command} --help")
        sys.exit(2)
    except click.ClickException as error:
        output.error(f"ERROR [usage]  {error.format_message()}")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        output.error("INTERRUPTED")
        sys.exit(128 + (came or [signal.SIGINT])[0])
    except Exception as error:
        if completes:
            sys.exit(1)  # a shell that completes a word shows no message
        _fail(output.understood(error))


def _said(error: click.UsageError) -> str:
    """The sentence about a mistake on the command line, also where Click has one of its own."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error.format_message()
    known = (each for param in error.ctx.command.get_params(error.ctx) for each in param.opts)
    options = [each for each in known if each.startswith("--")]
    near = suggestion(error.option_name, options)
    return f"there is no option {error.option_name!r}{near and f'; {near}'}"


def _fail(error: SurefootError) -> NoReturn:
    if os.environ.get("SUREFOOT_TRACEBACK"):
        traceback.print_exc()
    output.error(error.render())
    sys.exit(error.exit_code)
