"""`surefoot drift`: the differences between a database and its revisions."""

import asyncio

import click

from surefoot.cli import output
from surefoot.cli.project import json_option, project, serving
from surefoot.cli.targets import target_option
from surefoot.differences import drift, render


@click.command(name="drift")
@json_option
@click.option("--models/--no-models", default=True, help="At head, compare the models too.")
@click.option("--privileges", is_flag=True, help="Compare owners and privileges too.")
@target_option
def command(json_: bool, models: bool, privileges: bool) -> None:
    """Show where the database differs from its revisions, and the SQL that repairs it.

    The revisions up to the database's own run on a scratch database, and the two catalogs are
    compared. Nothing is written to the database; a role that may only read is enough.

    \b
    Examples:
      surefoot drift
      surefoot drift --no-models --json
      surefoot drift --privileges --target eu

    Exit codes: 0 no difference; 1 there is one; 75 the database does not answer.
    """
    with serving() as database:
        found = asyncio.run(drift(project(), database, models=models, privileges=privileges))
    output.answer_as(json_, found, lambda: render(found))
    if found.count:
        raise SystemExit(1)
