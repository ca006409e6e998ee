"""`vegafs drift`: is the database what its revisions give?"""

from __future__ import annotations

import asyncio

import click

from app.db.engine import create_engine
from app.db.models import metadata
from app.settings import REVISIONS_LOCK, Settings, load_settings
from surefoot.chain.lockfile import read_lock
from surefoot.chain.revisions import read_revisions
from surefoot.cli import output
from surefoot.cli.target import aimed
from surefoot.drift import Drift, drift, render
from surefoot.embedded import database
from surefoot.embedded.scratch import scratch
from surefoot.run.limits import Limits
from surefoot.run.target import Target


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
    settings = aimed(load_settings(), target)
    with database(settings, narrate=output.narrate) as in_force:
        found = asyncio.run(look(in_force, models=models, privileges=privileges))
    if json_:
        output.answer_json(found.as_json())
    else:
        output.answer(render(found))
    if found.count:
        raise SystemExit(1)


async def look(settings: Settings, *, models: bool = True, privileges: bool = False) -> Drift:
    """The drift of the database that the settings name."""
    engine = create_engine(settings, "observe")
    try:
        async with scratch(settings) as empty:
            return await drift(
                engine,
                # The guards of production are about production's data.
                Target.of(empty, limits=Limits()),
                read_revisions(REVISIONS_LOCK.parent / "versions"),
                read_lock(REVISIONS_LOCK),
                metadata=metadata if models else None,
                privileges=privileges,
            )
    finally:
        await engine.dispose()
