"""What the plain `alembic` command says, and with which code it exits.

Alembic prints its CommandError on stdout and exits with 255 for everything, and lets all other
errors out as tracebacks. Errors that come through alembic/env.py are rendered by `rendered()`;
those that Alembic raises without it (`alembic show nope`) by app.migrate.run.plugin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic.config import Config
from alembic.script.revision import MultipleHeads, ResolutionError, RevisionError
from alembic.util.exc import CommandError

from app.errors import RevisionUnknown, UsageError, VegafsError


def command_name(config: Config) -> str | None:
    """The command that was typed (`upgrade`), or None where Alembic is called as a library."""
    command: tuple[Callable[..., object], object, object] | None = getattr(
        config.cmd_opts, "cmd", None
    )
    return command[0].__name__ if command else None


def say(line: str) -> None:
    """Narration: stderr, so that stdout stays clean for `--sql`."""
    sys.stderr.write(line + "\n")


@contextmanager
def rendered(config: Config) -> Iterator[None]:
    """Errors of the block as one message and the exit code of their class, where typed by a person.

    A library's caller gets the exception.
    """
    try:
        yield
    except Exception as error:
        meant = understood(error)
        if meant is None:
            raise
        if command_name(config) is None:
            if meant is error:
                raise
            raise meant from error
        say(meant.render())
        sys.exit(meant.exit_code)


def understood(error: BaseException) -> VegafsError | None:
    """The error of ours that an error of Alembic's means."""
    if isinstance(error, VegafsError):
        return error
    if isinstance(error, CommandError):
        return from_alembic(error)
    return None


def from_alembic(error: CommandError) -> VegafsError:
    """Alembic's complaint in our words where it is about a revision, in its own elsewhere."""
    reason, cause = str(error).strip(), error.__cause__
    if isinstance(cause, MultipleHeads):
        return UsageError(
            reason, help="`alembic heads` shows them; give the newer file the next number"
        )
    if isinstance(cause, ResolutionError) and str(cause).startswith("Multiple revisions"):
        return RevisionUnknown(str(cause))  # Alembic's own says that there is none
    if isinstance(cause, RevisionError) or reason.startswith("Can't locate revision"):
        return RevisionUnknown(reason)
    return UsageError(reason)
