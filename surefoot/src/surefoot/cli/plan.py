"""`surefoot plan`: the effect of the pending revisions on a database, before they run."""

import asyncio
from collections.abc import Sequence

import click
from sqlalchemy import URL

from surefoot.cli import output
from surefoot.cli.lock_finding import format_option, lock_finding
from surefoot.cli.project import json_option, opened, project, serving
from surefoot.cli.targets import chosen, target_option
from surefoot.linting.formats import FORMATS
from surefoot.linting.markdown import summary
from surefoot.planning.markdown import markdown
from surefoot.planning.plan import Forecast, plan
from surefoot.planning.text import render
from surefoot.rules.findings import Finding
from surefoot.run import estimates, narration
from surefoot.run.telling import ESTIMATES
from surefoot.scratch.kept_server import cache


@click.command(name="plan")
@click.argument("revision", default="head", metavar="[REV]")
@target_option
@click.option("--from-database", is_flag=True, help="Begin with a copy of its own schema.")
@json_option
@format_option
def command(revision: str, from_database: bool, json_: bool, format_: str | None) -> None:
    """Show pending revisions with locks, durations and undo cost; nothing runs on the database.

    They are those that `alembic upgrade REV` would apply, by default all. They run on a scratch
    database, and back again. Their effects there are combined with the statistics of the database:
    rows, bytes and open transactions, for which reading is enough. EXPLAIN tells how many rows of
    the database each UPDATE, DELETE and the like will reach, and executes nothing; its role needs
    the right to run them. The scratch database has the schema of the revisions; with
    --from-database it has a copy of the schema of the database, including changes made by hand.

    \b
    Examples:
      surefoot plan
      surefoot plan 0012
      surefoot plan +1
      surefoot plan --target eu --from-database
      surefoot plan --json
      surefoot plan --format markdown >> "$GITHUB_STEP_SUMMARY"

    Exit codes: 0 no finding of level error; 1 there is one; 4 a revision failed on the scratch
    database; 75 the database does not answer.
    """
    trying, of = opened()[0].resolved_database(), project()

    def answer(findings: Sequence[Finding]) -> None:
        output.answer(FORMATS[format_ or ""](findings))

    with lock_finding(of.lock, answer if format_ else None), serving() as database:
        found = asyncio.run(
            plan(
                of,
                database,
                name=chosen(),
                to=revision,
                trying=trying,
                from_database=from_database,
                listen=narration.trying(output.narrate),
            )
        )
        keep_estimates(found, database.shown("migrate"))
    if json_ or format_ is None:
        output.answer_as(json_, found, lambda: render(found))
    elif format_ == "markdown":
        output.answer(markdown(found))
    else:
        answer(found.findings)
        output.narrate(summary(found.findings))
    if found.stopped_by is not None:
        output.failed_on_scratch(found.stopped_by)
    if any(finding.level == "error" for finding in found.findings):
        raise SystemExit(1)


def keep_estimates(found: Forecast, url: URL) -> None:
    """Leave what the statements are expected to take to the run, for whoever watches it."""
    planned = {
        (each.revision.id, each.revision.sha256): {
            one.statement.sql: estimates.Range(one.takes.low_s, one.takes.high_s)
            for one in each.statements
            if one.takes is not None and one.statement.times == 1
        }
        for each in found.revisions
    }
    estimates.keep(cache() / ESTIMATES, url, planned)
