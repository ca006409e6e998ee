"""`vegafs plan`: see what `alembic upgrade head` would do to a database, before it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from surefoot.chain.revisions import Revision
from surefoot.cli import output
from surefoot.cli.project import opened, project, serving
from surefoot.connect.database import Database
from surefoot.connect.failures import explained, sqlstate
from surefoot.embedded.scratch import scratch
from surefoot.errors import DatabaseAhead, TableLocked
from surefoot.ledger.glance import heads_of
from surefoot.ledger.position import position
from surefoot.lint.formats import FORMATS
from surefoot.lint.lint import NOTHING, lint
from surefoot.plan.plan import Forecast, forecast
from surefoot.plan.schema import Schema, make_schema, read_schema
from surefoot.plan.statistics import read_statistics
from surefoot.plan.text import render, summary
from surefoot.project import Project
from surefoot.run.commands import stamp
from surefoot.run.upgrade.retry import LOCK_TIMEOUT
from surefoot.target import Target

# Enough for the time that a scan of them takes to be told from nothing.
ROWS = 20_000


@click.command(name="plan")
@click.option("--target", "name", metavar="NAME", help="One of VEGAFS_TARGETS.")
@click.option("--from-database", is_flag=True, help="Try them on a copy of its own schema.")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="For a pull request.")
def command(name: str | None, from_database: bool, json_: bool, format_: str | None) -> None:
    """Say what is pending, which locks it takes and for how long; nothing is run on the database.

    The pending revisions run on a scratch database, and back again. What they did there is joined
    with the statistics of the database: rows, bytes and open transactions, for which reading is
    enough. The scratch database has the schema that the revisions give; with --from-database it
    has that of the database itself, with all that somebody made there by hand.

    \b
    Examples:
      vegafs plan
      vegafs plan --target eu --from-database
      vegafs plan --json

    \b
    Exit codes: 0 no finding of level error; 1 there is one; 4 a revision failed on the scratch
    database; 75 the database does not answer.
    """
    of, trying = project(), opened()[0].resolved_database()
    with serving(name) as named:
        found = asyncio.run(_plan(of, trying, named, name, from_database))
    if json_:
        output.answer_json(found.as_json())
    elif format_ is not None:
        output.answer(FORMATS[format_](found.findings))
        output.narrate(summary(found.findings))
    else:
        output.answer(render(found, command="vegafs"))
    if found.stopped_by is not None:
        raise found.stopped_by
    if any(finding.level == "error" for finding in found.findings):
        raise SystemExit(1)


async def _plan(
    of: Project, trying: Database, database: Database, name: str | None, from_database: bool
) -> Forecast:
    """The plan for a database; revisions are tried where `trying` says."""
    chain = of.revisions()
    engine = database.engine("observe")
    called = engine.url.database or "(default)"
    wait_s = database.limits.lock_timeout_s
    schema: Schema | None = None
    try:
        with explained(engine.url), _patient(called, wait_s):
            async with engine.connect() as connection:
                await connection.execute(text(f"SET lock_timeout = {wait_s * 1000:.0f}"))
                heads = await connection.run_sync(heads_of, of.version_table)
                pending = _pending(chain, heads, called)
                now = await connection.run_sync(read_statistics)
                major = int((connection.dialect.server_version_info or (0,))[0])
                if from_database and pending:
                    schema = await read_schema(database, connection)
    finally:
        await engine.dispose()
    linted = NOTHING
    if pending:
        async with scratch(trying, major=major) as empty:
            target = Target.of(empty, of.ini, version_table=of.version_table)
            if schema is not None:
                await make_schema(schema, empty)
                for revision in heads:
                    await stamp(target, revision, reason="a copy of a database that is there")
            wanted = [revision.id for revision in pending]
            linted = await lint(target, chain, wanted, rows=ROWS, back=True)
    return forecast(name or called, called, heads, pending, linted, now, copied=from_database)


def _pending(chain: Sequence[Revision], heads: Sequence[str], database: str) -> Sequence[Revision]:
    """The revisions after those. On failure: DatabaseAhead, DatabaseDiverged."""
    at = position(chain, heads, {})
    if at.strangers:
        raise DatabaseAhead(database, ", ".join(s.id for s in at.strangers), chain[-1].id)
    if at.contradiction is not None:
        raise at.contradiction.error(database)
    return at.pending


@contextmanager
def _patient(database: str, wait_s: float) -> Iterator[None]:
    """On failure: TableLocked, where a table could not be looked at."""
    try:
        yield
    except DBAPIError as error:
        if sqlstate(error) != LOCK_TIMEOUT:
            raise
        raise TableLocked(database, wait_s) from error
