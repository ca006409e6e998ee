"""Prints: answers on stdout, everything else on stderr."""

import json
from collections.abc import Callable
from typing import Any

import click

from surefoot.run.narration import narrated


def answer(text: str) -> None:
    """The answer, on stdout."""
    click.echo(text)


def answer_json(value: Any) -> None:
    """The answer as one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def answer_as(json_: bool, found: Any, text: Callable[[], str]) -> None:
    """The result as JSON where that was asked for, or as text."""
    if json_:
        answer_json(found.as_json())
    else:
        answer(text())


def narrate(text: str) -> None:
    """Narration, on stderr."""
    click.echo(text, err=True)


tell = narrated(narrate)


def error(text: str) -> None:
    """An error; only the state word in front is coloured."""
    word, space, rest = text.partition(" ")
    click.echo(click.style(word, fg="red", bold=True) + space + rest, err=True)
