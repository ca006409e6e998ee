"""Prints: answers on stdout, everything else on stderr."""

import json
from collections.abc import Callable
from typing import Any

import click

from surefoot.errors.disclosure import disclosed, in_json, printable
from surefoot.run.narration import narrated


def answer(text: str) -> None:
    """The answer, on stdout. It is not masked: it may be the URL, or SQL to run, as asked for."""
    click.echo(printable(text))


def answer_json(value: Any) -> None:
    """The answer as one JSON document."""
    click.echo(in_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)))


def answer_as(json_: bool, found: Any, text: Callable[[], str]) -> None:
    """The result as JSON where that was asked for, or as text."""
    if json_:
        answer_json(found.as_json())
    else:
        answer(text())


def narrate(text: str) -> None:
    """Narration, on stderr."""
    click.echo(disclosed(text), err=True)


tell = narrated(narrate)


def error(text: str) -> None:
    """An error; only the state word in front is coloured."""
    word, space, rest = disclosed(text).partition(" ")
    click.echo(click.style(word, fg="red", bold=True) + space + rest, err=True)
