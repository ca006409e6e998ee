"""`vegafs explain`: a rule, offline."""

from __future__ import annotations

import difflib

import click

from app.cli import output


@click.command(name="explain")
@click.argument("rule", required=False)
def command(rule: str | None) -> None:
    """Say what RULE is about and how it is done safely; without RULE, list all of them.

    \b
    Examples:
      vegafs explain
      vegafs explain require-concurrent-index
    """
    from app.migrate.review.rules import RULES  # noqa: PLC0415 - the list is long, the help short

    if rule is None:
        for each in RULES.values():
            output.answer(f"{each.level:<8} {each.id:<44} {each.title}")
        output.narrate(f"{len(RULES)} rules")
        return
    found = RULES.get(rule)
    if found is None:
        near = difflib.get_close_matches(rule, RULES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"there is no rule {rule}{hint}")
    output.answer(f"{found.level} [{found.id}]  {found.title}")
    output.answer(f"  {found.consequence}")
    output.answer(f"  help: {found.help}\n")
    output.answer("Safe form:\n")
    for line in found.rewrite.splitlines():
        output.answer(f"    {line}" if line else "")
    if found.since or found.until:
        output.answer(f"\nPostgreSQL {found.since or ''} to {found.until or ''}")
