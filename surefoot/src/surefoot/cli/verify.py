"""`surefoot verify`: all checks of a database, for a cron job and for CI."""

import asyncio
from collections.abc import Iterator

import click

from surefoot.cli import output
from surefoot.cli.project import json_option, project, serving
from surefoot.cli.targets import target_option
from surefoot.differences.verification import Verification, verify
from surefoot.wording import counted


@click.command(name="verify")
@json_option
@click.option("--privileges", is_flag=True, help="Compare owners and privileges too.")
@target_option
def command(json_: bool, privileges: bool) -> None:
    """Run all checks: files, ledger, start-up check, drift.

    Nothing is written to the database; a role that may only read is enough.

    \b
    Examples:
      surefoot verify
      surefoot verify --json

    Exit codes: 0 all checks passed; 1 one failed; 75 the database does not answer.
    """
    with serving() as database:
        found = asyncio.run(verify(project(), database, privileges=privileges))
    output.answer_as(json_, found, lambda: "\n".join(_lines(found)))
    if found.refusals:
        raise SystemExit(1)


def _lines(found: Verification) -> Iterator[str]:
    refusals, count = found.refusals, len(found.answers)
    if refusals:
        yield f"FAILED  {found.database}: {len(refusals)} of {counted(count, 'check')} failed"
    else:
        yield f"OK  {found.database}: {counted(count, 'check')}"
    for answer in found.answers:
        if answer.error is None:
            yield f"  yes  {answer.question:<8}  {answer.fact}"
            continue
        helps = [f"help: {answer.error.help}"] if answer.error.help else []
        first, *rest = f"[{answer.error.code}] {answer.error.message}".splitlines()
        yield f"  no   {answer.question:<8}  {first}"
        yield from (f"                 {line}" for line in (*rest, *helps))
