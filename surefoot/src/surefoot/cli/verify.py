"""`vegafs verify`: everything that can be proven of a database, for a cron job and for CI."""

from __future__ import annotations

import asyncio
from functools import partial

import click

from surefoot.cli import output
from surefoot.cli.drift import look
from surefoot.cli.project import project, serving
from surefoot.connect.database import Database
from surefoot.drift.verification import Verification, verify
from surefoot.project import Project


@click.command(name="verify")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--privileges", is_flag=True, help="Compare owners and privileges too.")
@click.option("--target", metavar="NAME", help="One of VEGAFS_TARGETS.")
def command(json_: bool, privileges: bool, target: str | None) -> None:
    """Ask of the database all that can be proven: files, ledger, start-up check, drift.

    Nothing is written to it; a role that may only read is enough.

    \b
    Examples:
      vegafs verify
      vegafs verify --json

    \b
    Exit codes: 0 all is as it should be; 1 something is not; 75 the database does not answer.
    """
    of = project()
    with serving(target) as named:
        found = asyncio.run(_verify(of, named, privileges=privileges))
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


async def _verify(of: Project, database: Database, *, privileges: bool) -> Verification:
    engine = database.engine("observe")
    try:
        drift = partial(look, of, database, privileges=privileges)
        return await verify(engine, of.lock, drift, of.version_table)
    finally:
        await engine.dispose()
