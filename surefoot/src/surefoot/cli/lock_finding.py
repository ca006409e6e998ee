"""A revisions.lock that stops a command is a finding of it, where a format was asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from surefoot.errors import LockFileStale, RevisionsBroken
from surefoot.linting.formats import FORMATS
from surefoot.rules.findings import Finding

format_option = click.option(
    "--format", "format_", type=click.Choice(sorted(FORMATS)), help="For a pull request."
)


@contextmanager
def lock_finding(
    lock: Path, answer: Callable[[Sequence[Finding]], None] | None = None
) -> Iterator[None]:
    """On failure: LockFileStale and RevisionsBroken of the block; `answer` gets the finding."""
    try:
        yield
    except (LockFileStale, RevisionsBroken) as error:
        if answer is not None:
            help_ = error.help or ""
            answer([Finding(error.code, "error", "", lock, 1, error.message, help_)])
        raise
