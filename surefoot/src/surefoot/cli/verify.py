"""`surefoot verify`: all checks of a database, for a cron job and for CI."""

import asyncio

import click

from surefoot.cli import output
from surefoot.cli.project import project, serving, target_option
from surefoot.differences.verification import Verification, verify


@click.command(name="verify")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--privileges", is_flag=True, help="Compare owners and privileges too.")
@target_option
def command(json_: bool, privileges: bool, target: str | None) -> None:
    """Run all checks: files, ledger, start-up check, drift.

    Nothing is written to it; a role that may only read is enough.

    \b
    Examples:
      surefoot verify
      surefoot verify --json

    \b
    Exit codes: 0 all checks passed; 1 one failed; 75 the database does not answer.
    """
    with serving(target) as database:
        found = asyncio.run(verify(project(), database, privileges=privileges))
    if json_:
        output.answer_json(found.as_json())
    else:
        _print(found)
    if found.refusals:
        raise SystemExit(1)


def _print(found: Verification) -> None:
    refusals, count = found.refusals, len(found.answers)
    if refusals:
        output.answer(f"FAILED  {found.database}: {len(refusals)} of {count} checks say no")
    else:
        output.answer(f"OK  {found.database}: {count} checks")
    for answer in found.answers:
        if answer.error is None:
            output.answer(f"  yes  {answer.question:<8}  {answer.fact}")
            continue
        first, *rest = f"[{answer.error.code}] {answer.error.message}".splitlines()
        output.answer(f"  no   {answer.question:<8}  {first}")
        for line in rest:
            output.answer(f"                 {line}")
        if answer.error.help:
            output.answer(f"                 help: {answer.error.help}")
