"""Every command of a command line, its help, and the examples in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import click

_EXAMPLES = re.compile(r"^ *Examples:\n((?: +\S.*\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """A command as a person meets it."""

    # `surefoot backfill run`
    path: str
    command: click.Command
    context: click.Context

    @property
    def help(self) -> str:
        return self.command.get_help(self.context) + "\n"

    @property
    def examples(self) -> list[str]:
        """The command lines, without the remarks behind them."""
        found = _EXAMPLES.search(self.help)
        lines = found[1].splitlines() if found else []
        return [re.split(r" {3,}", line.strip())[0] for line in lines]


def shown(group: click.Command, name: str, parent: click.Context | None = None) -> Iterator[Shown]:
    """The command and all below it."""
    context = click.Context(
        group,
        info_name=name,
        parent=parent,
        terminal_width=80,
        **({} if parent else group.context_settings),
    )
    yield Shown(context.command_path, group, context)
    if isinstance(group, click.Group):
        for each in group.list_commands(context):
            inner = group.get_command(context, each)
            assert inner is not None, each
            yield from shown(inner, each, context)


def parsed(group: click.Group, name: str, example: str) -> str:
    """The path of the command that an example calls; it is parsed, and not run.

    On failure: click.ClickException, where it has a word that the command does not take.
    """
    # A shell takes the rest.
    words = shlex.split(re.split(r" && | >>? ", example)[0])
    while re.match(r"\w+=", words[0]):
        del words[0]
    assert words.pop(0) == name, example
    context = group.make_context(name, words)
    while isinstance(context.command, click.Group):
        # Until click 8.1 the attribute has no underscore; after it, that is deprecated.
        inner = vars(context).get("_protected_args") or vars(context).get("protected_args", ())
        _, command, words = context.command.resolve_command(context, [*inner, *context.args])
        assert command is not None, example
        context = command.make_context(command.name, words, parent=context)
    return context.command_path
