"""`--target`: the name of another database than the project's own, for the commands that take it.

It stands before the name of the command or behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from surefoot.errors import names

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_CHOSEN = "surefoot.target"
# The key of what env.py has raised when the command ran it first.
ENV_PY = "surefoot.env_py"


def _choose(context: click.Context, _: click.Parameter, target: str | None) -> None:
    if target is not None and not context.resilient_parsing:  # a shell completes a word
        context.meta[_CHOSEN] = target
        names.aim(target)


def _words(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    from surefoot.cli import completion, words  # noqa: PLC0415 - where a shell completes a word

    return completion.words_of(words.targets, context, parameter, begun)


target_option = click.option(
    "--target",
    metavar="NAME",
    expose_value=False,
    callback=_choose,
    shell_complete=_words,
    help="Another database, by its name in the targets of env.py.",
)


def chosen(context: click.Context | None = None) -> str | None:
    """The target that the command line names; None for the project's own database."""
    found: str | None = (context or click.get_current_context()).meta.get(_CHOSEN)
    return found
