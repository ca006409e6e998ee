"""Options and arguments that several commands of backfills have."""

from collections.abc import Callable
from math import isnan
from typing import Any

import click

from surefoot.backfill.definition import MOST_BATCH_S

# More rows a second no database changes.
_MOST_ROWS = 1_000_000_000


class _Above0(click.FloatRange):
    """A number above 0, up to another one."""

    def __init__(self, most: float) -> None:
        super().__init__(min=0, min_open=True, max=most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """On failure: BadParameter, also for what is no number, and so neither below nor above."""
        found = super().convert(value, param, ctx)
        if isnan(found):
            self.fail(f"{value} is no number.", param, ctx)
        return found


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
            type=_Above0(_MOST_ROWS),
            help="The most rows a second, in this process; without it, what the database bears.",
        ),
        click.option(
            "--batch-seconds",
            metavar="SECONDS",
            type=_Above0(MOST_BATCH_S),
            help="What a batch should take; its number of rows follows.",
        ),
    ):
        function = option(function)
    return function
