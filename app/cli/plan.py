"""`vegafs plan`: see what `alembic upgrade head` would do to a database, before it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from app.cli import output
from app.cli.target import aimed
from app.db.embedded import database
from app.db.engine import create_engine
from app.db.failures import explained
from app.db.scratch import scratch
from app.migrate.history.revisions import Revision, ancestors, read_revisions
from app.migrate.review.formats import FORMATS
from app.migrate.review.lint import NOTHING, Linted, lint
from app.migrate.review.plan.figures import figures
from app.migrate.review.plan.plan import Forecast, forecast
from app.migrate.review.plan.text import render, summary
from app.migrate.target import Target
from app.settings import REVISIONS_LOCK, Settings, load_settings

# Enough for the time that a scan of them takes to be told from nothing.
ROWS = 20_000


@click.command(name="plan")
@click.option("--target", "name", metavar="NAME", help="One of VEGAFS_TARGETS.")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="For a pull request.")
def command(name: str | None, json_: bool, format_: str | None) -> None:
    """Say what is pending, which locks it takes and for how long; nothing is run on the database.

    The pending revisions run on a scratch database. What they did there is joined with the figures
    of the database: its rows, bytes and open transactions, for which reading is enough.

    \b
    Examples:
      vegafs plan
      vegafs plan --target eu
      vegafs plan --json

    \b
    Exit codes: 0 no finding of level error; 1 there is one; 75 the database does not answer.
    """
    settings = load_settings()
    with database(aimed(settings, name), narrate=output.narrate) as in_force:
        found = asyncio.run(_plan(settings, in_force, name))
    if json_:
        output.answer_json(found.as_json())
    elif format_ is not None:
        output.answer(FORMATS[format_](found.findings))
        output.narrate(summary(found.findings))
    else:
        output.answer(render(found))
    if found.stopped_by is not None:
        raise found.stopped_by
    if any(finding.level == "error" for finding in found.findings):
        raise SystemExit(1)


async def _plan(settings: Settings, in_force: Settings, name: str | None) -> Forecast:
    """Of the database that `in_force` names; what is tried, is tried where `settings` say."""
    chain = read_revisions(REVISIONS_LOCK.parent / "versions")
    engine = create_engine(in_force, "observe")
    try:
        with explained(engine.url):
            async with engine.connect() as connection:
                heads = await connection.run_sync(_heads)
                now = await connection.run_sync(figures)
    finally:
        await engine.dispose()
    applied = ancestors(chain, heads)
    pending = [revision for revision in chain if revision.id not in applied]
    linted = await _trace(settings, chain, pending)
    called = engine.url.database or "(default)"
    return forecast(name or called, called, heads, pending, linted, now)


def _heads(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


async def _trace(
    settings: Settings, chain: Sequence[Revision], pending: Sequence[Revision]
) -> Linted:
    if not pending:
        return NOTHING
    async with scratch(settings) as engine:
        return await lint(
            Target.of(engine), chain, [revision.id for revision in pending], rows=ROWS
        )
