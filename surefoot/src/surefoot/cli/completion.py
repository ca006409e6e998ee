"""Completion by the shell, without the modules of the commands: their imports take a second.

LINES says what each command takes; a test compares it with the commands. The words themselves come
from files: nothing connects, and env.py is read, not run. A broken project has no words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import click
from click.shell_completion import CompletionItem

from surefoot.cli import words

# Arguments begin with a colon and end with a star where there may be several; an option that takes
# a value ends with an equals sign. Then comes the kind of word, or the choices.
_TARGET = "--target=targets"
LINES = {
    "adopt": ":files --write --json",
    "amend": ":revisions -m= --message= --mine",
    "backfill cancel": f":backfills --execute {_TARGET}",
    "backfill list": f"--json {_TARGET}",
    "backfill pause": f":backfills {_TARGET}",
    "backfill plan": f":backfills --json {_TARGET}",
    "backfill resume": f":backfills --max-rows-per-second= --batch-seconds= {_TARGET}",
    "backfill retry-failed": f":backfills --execute --workers= --json {_TARGET}",
    "backfill run": ":backfills --execute --workers= --max-rows-per-second= --batch-seconds= "
    f"--json {_TARGET}",
    "backfill status": f":backfills --json {_TARGET}",
    "db goto": ":goals --mine",
    "db psql": ":files*",
    "db reset": "--execute --mine",
    "db seed": "--mine",
    "db start": "",
    "db status": "",
    "db stop": "--now",
    "db url": "--show-password",
    "downgrade": f":ends --json --execute --reason= {_TARGET}",
    "drop-last": "--mine",
    "drift": f"--json --models --no-models --privileges {_TARGET}",
    "explain": ":topics :revisions",
    "ledger": f"--json --last= {_TARGET}",
    "lint": ":revisions* --since= --staged --level=levels --fail-on=error|warning|never --strict "
    "--fix --yes --json --format=github|gitlab|markdown|sarif",
    "lock": "--check --baseline=revisions --merge=",
    "ops accept-checksum": f":revisions --reason= {_TARGET}",
    "ops adopt": f":revisions* --reason= --execute {_TARGET}",
    "ops stamp": f":revisions* --reason= --execute {_TARGET}",
    "plan": f":goals {_TARGET} --from-database --json --format=github|gitlab|markdown|sarif",
    "rebase": f"--onto=revisions --upstream= --dry-run {_TARGET}",
    "schema": "--format=sql|markdown|mermaid|svg --at=ends --diff=revisions",
    "scratch": "--clear --json",
    "services": f"--json {_TARGET}",
    "squash": f":goals --from-database {_TARGET}",
    "status": f"--all --exit-code --json {_TARGET}",
    "upgrade": f":ends --json --execute --reason= --wait-for-services --run-backfills {_TARGET}",
    "verify": f"--json --privileges {_TARGET}",
}
_KINDS: Mapping[str, Callable[[click.Context], words.Words]] = {
    "backfills": words.backfills,
    "ends": words.ends,
    "goals": words.goals,
    "levels": words.levels,
    "revisions": words.revisions,
    "targets": words.targets,
    "topics": words.topics,
}


def outline(name: str, lines: Mapping[str, str]) -> click.Command | None:
    """The command of that name as far as a shell completes it; None where no line is about it."""
    if name in lines:
        return _command(name, lines[name])
    inner = {
        each.partition(" ")[2]: line for each, line in lines.items() if each.startswith(f"{name} ")
    }
    made = {each: _command(each, line) for each, line in inner.items()}
    return click.Group(name, made) if made else None


def _command(name: str, line: str) -> click.Command:
    return click.Command(name, params=[*map(_parameter, line.split())])


def _parameter(text: str) -> click.Parameter:
    if text.startswith(":"):
        kind = text[1:].removesuffix("*")
        several = -1 if text.endswith("*") else 1
        return click.Argument(
            [kind], required=False, nargs=several, type=_type(kind), shell_complete=_complete(kind)
        )
    name, takes, kind = text.partition("=")
    if not takes:
        return click.Option([name], is_flag=True)
    return click.Option([name], type=_type(kind), multiple=True, shell_complete=_complete(kind))


def _type(kind: str) -> click.ParamType[object] | None:
    if kind == "files":
        return click.Path()
    return click.Choice([*filter(None, kind.split("|"))]) if "|" in kind else None


def _complete(
    kind: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    return partial(words_of, _KINDS[kind]) if kind in _KINDS else None


def words_of(
    of: Callable[[click.Context], words.Words],
    context: click.Context,
    _: click.Parameter,
    begun: str,
) -> list[CompletionItem]:
    """The words that a shell offers behind what was begun; none where the project is broken."""
    # A file of the project may be anything, and a shell shows no message.
    with suppress(Exception, SystemExit):
        found = of(context).items()
        return [CompletionItem(word, help=said) for word, said in found if word.startswith(begun)]
    return []
