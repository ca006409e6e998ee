"""Options and arguments that several commands of backfills have."""

from collections.abc import Callable
from typing import Any

import click

workers_option = click.option(
    "--workers",
    metavar="NUMBER",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Sessions at work.",
)
name_argument = click.argument("name")


def bounds(function: Callable[..., Any]) -> Callable[..., Any]:
    """The bounds of a run, which may be changed while it is at work."""
    for option in (
        click.option(
            "--max-rows-per-second",
            metavar="ROWS",
            type=click.FloatRange(min=0, min_open=True),
            help="The most rows a second, in this process; without it, what the database bears.",
        ),
        click.option(
            "--batch-seconds",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            help="What a batch should take; its number of rows follows.",
        ),
    ):
        function = option(function)
    return function
