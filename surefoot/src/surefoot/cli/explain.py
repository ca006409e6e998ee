"""`surefoot explain`: a rule or an error code, offline; or the findings of a rule in a revision."""

import inspect

import click

from surefoot import errors
from surefoot.cli import output
from surefoot.rules.findings import Rule, generic
from surefoot.wording import counted, suggestion


@click.command(name="explain")
@click.argument("name", required=False)
@click.argument("place", required=False, metavar="[REVISION|PATH:LINE]")
def command(name: str | None, place: str | None) -> None:
    """Explain the rule or the error code NAME; without NAME, list the rules.

    With a revision, or the place of a finding, the rule is explained by its findings there, with
    the names of that revision: it runs on a scratch database.

    \b
    Examples:
      surefoot explain
      surefoot explain require-concurrent-index
      surefoot explain mutex-held
      surefoot explain require-concurrent-index 0013
      surefoot explain require-concurrent-index alembic/versions/0013_index_jobs.py:15
    """
    from surefoot.rules.registry import RULES  # noqa: PLC0415 - the list is long, the help short

    if name is None:
        for each in RULES.values():
            output.answer(f"{each.level:<8} {each.id:<44} {each.title}")
        output.narrate(counted(len(RULES), "rule"))
        return
    codes = {error.code: error for error in errors.every_error()}
    if name in RULES and place is not None:
        _findings(RULES[name], place)
    elif name in RULES:
        _rule(RULES[name])
    elif name in codes:
        error = codes[name]
        output.answer(f"{error.word.lower()} [{error.code}]  {_meaning(error)}")
        output.answer(f"  exit code: {error.exit_code}, {_branch(error)}")
    elif name in errors.WARNINGS:
        output.answer(f"warning [{name}]  {errors.WARNINGS[name]}")
        output.answer("  exit code: that of the command, which goes on")
    else:
        near = suggestion(name, [*RULES, *codes, *errors.WARNINGS])
        raise click.UsageError(f"there is no rule or code {name!r}{near and f'; {near}'}")


def _rule(rule: Rule) -> None:
    output.answer(f"{rule.level} [{rule.id}]  {rule.title}")
    output.answer(f"  {generic(rule.consequence)}")
    output.answer(f"  help: {generic(rule.help)}\n")
    output.answer("Safe form:\n")
    for line in rule.safe_form().splitlines():
        output.answer(f"    {line}" if line else "")
    if rule.since or rule.until:
        output.answer(f"\nPostgreSQL {rule.since or ''} to {rule.until or ''}")
    if rule.url:
        output.answer(f"\nSee {rule.url}")


def _findings(rule: Rule, place: str) -> None:
    """The rule as it stands in a revision. On failure: click.UsageError, where it does not."""
    from surefoot.cli.lint import linted_at  # noqa: PLC0415 - what is explained offline needs less

    found = [each for each in linted_at(place) if each.rule == rule.id]
    if not found:
        raise click.UsageError(f"{rule.id} has no finding at {place}")
    for finding in found:
        output.answer(f"{finding.level} [{rule.id}]  {rule.title}\n")
        output.answer(finding.render())
        output.answer(f"\nSee {rule.url}\n" if rule.url else "")


def _branch(error: type[errors.SurefootError]) -> str:
    """The first line on the errors of that exit code."""
    *_, branch, _ = (each for each in error.mro() if issubclass(each, errors.SurefootError))
    return _meaning(branch).splitlines()[0].rstrip(".")


def _meaning(error: type[errors.SurefootError]) -> str:
    """The docstring; with -OO, Python has left it out."""
    return inspect.cleandoc(error.__doc__ or "Python runs without docstrings, which have this.")
