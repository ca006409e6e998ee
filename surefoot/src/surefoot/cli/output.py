"""Prints: answers on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, NoReturn

import click

from surefoot.errors import RunFailed, SurefootError
from surefoot.errors.disclosure import disclosed, disclosed_in, in_json, printable
from surefoot.terminal.kind import colours, emphasized
from surefoot.terminal.streams import stdout_kept

events_option = click.option("--json", "json_", is_flag=True, help="One JSON object a line.")


def answer(text: str) -> None:
    """The answer, on stdout. It is not masked: it may be the URL, or SQL to run, as asked for."""
    _write(printable(text))


def answer_json(value: Any) -> None:
    """The answer as one JSON document."""
    _write(in_json(json.dumps(value, indent=2, ensure_ascii=False, default=_plain)))


def answer_line(event: str, fields: Mapping[str, Any]) -> None:
    """One event of a long command, as a JSON object on one line. Its texts are masked."""
    at = datetime.now(timezone.utc)
    _write(as_line({"schema_version": 1, "event": event, "at": at, **fields}))


def _write(text: str) -> None:
    """A part of the answer, on stdout, where prints of the project's code do not go."""
    with stdout_kept(False):
        click.echo(text)


def as_line(fields: Mapping[str, Any]) -> str:
    """A JSON object on one line, whose texts are masked."""
    return in_json(json.dumps(disclosed_in(fields), ensure_ascii=False, default=_plain))


def in_line(text: str) -> str:
    """A text of others as a part of one line, as everybody may read it."""
    return disclosed(text).replace("\n", "\\n")


def event_name(event: object) -> str:
    """`revision_done` for RevisionDone."""
    return re.sub(r"\B(?=[A-Z])", "_", type(event).__name__).lower()


@contextmanager
def error_as_line(json_: bool) -> Iterator[None]:
    """An error of the block is the last line of its events, too, where they are JSON."""
    try:
        yield
    except Exception as error:
        if json_:
            meant = understood(error)
            answer_line("error", {"exit_code": meant.exit_code, **meant.as_json()})
        raise


def understood(error: BaseException) -> SurefootError:
    """The error of the library that says the same, or that nobody foresaw it."""
    if isinstance(error, SurefootError):
        return error
    # Alembic's classes are known there, and loaded by now where one of them was raised.
    from surefoot.environment import commandline  # noqa: PLC0415

    return commandline.understood(error) or commandline.unforeseen(error)


def _plain(value: object) -> object:
    """A value that JSON does not have: a moment by ISO 8601 with its zone, a set in its order."""
    if isinstance(value, datetime):
        return value.isoformat()
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def answer_as(json_: bool, found: Any, text: Callable[[], str]) -> None:
    """The result as JSON where that was asked for, or as text."""
    if json_:
        answer_json(found.as_json())
    else:
        answer(text())


def narrate(text: str) -> None:
    """Narration, on stderr."""
    click.echo(disclosed(text), err=True)


def failed_on_scratch(cause: SurefootError) -> NoReturn:
    """Say why nothing more was tried, and exit with the code of the error."""
    # The help of a run that failed is about the next run of it.
    help_ = "" if isinstance(cause, RunFailed) else f"\n  help: {cause.help}"
    error(f"{cause.word} [{cause.code}]  on the scratch database: {cause.message}{help_}")
    raise SystemExit(cause.exit_code)


def error(text: str) -> None:
    """An error, on stderr."""
    click.echo(emphasized(disclosed(text)), err=True, color=colours())
