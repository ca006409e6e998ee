"""`vegafs drift`: is the database what its revisions give?"""

from __future__ import annotations

import asyncio

import click

from surefoot.cli import output
from surefoot.cli.project import project, serving
from surefoot.connect.database import Database
from surefoot.connect.limits import Limits
from surefoot.drift import Drift, find_drift, render
from surefoot.embedded.scratch import scratch
from surefoot.project import Project
from surefoot.target import Target


@click.command(name="drift")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--models/--no-models", default=True, help="At head, compare the models too.")
@click.option("--privileges", is_flag=True, help="Compare owners and privileges too.")
@click.option("--target", metavar="NAME", help="One of VEGAFS_TARGETS.")
def command(json_: bool, models: bool, privileges: bool, target: str | None) -> None:
    """Say where the database is not what its revisions give, and the SQL that would bring it back.

    The revisions up to the database's own run on a scratch database, and the two catalogs are
    compared. Nothing is written to the database; a role that may only read is enough.

    \b
    Examples:
      vegafs drift
      vegafs drift --no-models --json
      vegafs drift --privileges --target eu

    \b
    Exit codes: 0 no difference; 1 there is one; 75 the database does not answer.
    """
    of = project()
    with serving(target) as named:
        found = asyncio.run(look(of, named, models=models, privileges=privileges))
    if json_:
        output.answer_json(found.as_json())
    else:
        output.answer(render(found))
    if found.count:
        raise SystemExit(1)


async def look(
    of: Project, database: Database, *, models: bool = True, privileges: bool = False
) -> Drift:
    """The drift of a database."""
    engine = database.engine("observe")
    try:
        async with scratch(database) as empty:
            return await find_drift(
                engine,
                # The guards of production are about production's data.
                Target.of(empty, of.ini, Limits(), of.version_table),
                of.revisions(),
                of.locked(),
                metadata=of.models() if models else (),
                privileges=privileges,
                version_table=of.version_table,
            )
    finally:
        await engine.dispose()
