"""`surefoot status`: where a database is, and what is next."""

import asyncio
import sys
from datetime import datetime, timezone

import click

from surefoot.chain.lockfile import with_known
from surefoot.cli import output
from surefoot.cli.project import json_option, project, serving
from surefoot.cli.status_text import render, where_of
from surefoot.cli.targets import chosen, target_option
from surefoot.connect.database import Database
from surefoot.errors import DatabaseDiverged, LockFileStale, names
from surefoot.overview import overview, read
from surefoot.overview.status import Status, status
from surefoot.project import Project
from surefoot.startup.check import Build
from surefoot.terminal.kind import is_tty, size

# Longer than a page waits: a terminal may be far from the database.
READ_S = 10.0


@click.command(name="status")
@click.option(
    "--all", "whole", is_flag=True, help="Show every revision, not only the nearest ones."
)
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with 1 where a revision is pending, or the database does not fit the revisions.",
)
@json_option
@target_option
def command(whole: bool, exit_code: bool, json_: bool) -> None:
    """Show where the database is: applied and pending revisions, and what is next.

    It reads the version table, the ledger, the backfills, the running services and the fingerprint
    of the schema; a role that may only read is enough. What could not be read is listed.

    \b
    Examples:
      surefoot status
      surefoot status --all --target eu
      surefoot status --exit-code --json

    Exit codes: 0 shown; 1 with --exit-code, where a revision is pending or the database does not
    fit; 75 the database does not answer.
    """
    of = project()
    with serving() as database:
        found = asyncio.run(_look(of, database))
    where = where_of(target=chosen(), production=database.limits.production)
    columns = size(sys.stdout)[0] if is_tty(sys.stdout) else None
    lines = render(found, where=where, whole=whole, columns=columns)
    output.answer_as(json_, found, lambda: "\n".join(lines))
    if exit_code and not found.is_current:
        raise SystemExit(1)


async def _look(of: Project, database: Database) -> Status:
    """The status. On failure: the reason why the two tables could not be compared."""
    revisions = with_known(of.revisions(), of.locked())
    build = Build.of(revisions, of.version_table, of.schemas, exclude=of.exclude)
    if missing := of.lock_missing():
        output.narrate(f"WARNING [lock-file-missing]  {missing}")
    try:
        of.check_lock(revisions)
    except LockFileStale as stale:
        output.narrate(stale.render())
    engine = database.engine("observe")
    try:
        reading = await read(engine, build, timeout_s=READ_S)
    finally:
        await engine.dispose()
    state, error = reading.verdict.state, reading.verdict.error
    # Another error than a contradiction says that the two tables could not be read.
    was_read = state != "diverged" or isinstance(error, DatabaseDiverged)
    if error is not None and (state in ("unreachable", "unreadable") or not was_read):
        raise error
    seen = overview(build, reading, datetime.now(timezone.utc), command=names.command())
    return status(seen, revisions, names.command())
