"""`surefoot lint`: find revisions that would hurt a database in use, before they run."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from surefoot.chain.revisions import Revision
from surefoot.cli import output
from surefoot.cli.project import database, json_option, project
from surefoot.connect.database import Database
from surefoot.connect.failures import DATABASE_ERRORS
from surefoot.errors import SurefootError
from surefoot.linting.chain_lint import lint
from surefoot.linting.formats import FORMATS
from surefoot.linting.lint import Linted
from surefoot.planning.text import summary
from surefoot.project import Project

# How long lint waits for the database, whose version decides which rules apply.
ANSWER_S = 2.0


@click.command(name="lint")
@click.argument("revisions", nargs=-1)
@click.option("--since", metavar="GIT_REF", help="Revisions that were added or changed since.")
@json_option
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="For a pull request.")
def command(
    revisions: tuple[str, ...], since: str | None, json_: bool, format_: str | None
) -> None:
    """Run REVISIONS (all by default) on a scratch database, and show what would hurt.

    The rules are those for the PostgreSQL of the database, if it answers, else of the scratch
    server.

    \b
    Examples:
      surefoot lint
      surefoot lint 0012 0013
      surefoot lint --since origin/main --format github

    A comment in the file, with a reason, allows a finding:
      # allow avoid-dropping-a-column: nothing has read it since release 12

    \b
    Exit codes: 0 no error; 1 an error; 2 usage; 4 or 75 a revision or the scratch server failed.
    """
    found = project()
    chain = found.revisions()
    if not chain:
        raise click.UsageError(f"there is no revision in {os.path.relpath(found.versions)}")
    wanted = _wanted(found, chain, revisions, since)
    if not wanted:
        output.narrate(f"no revision was added or changed since {since}: nothing to lint")
    linted = asyncio.run(_linted(found, database(), wanted))
    _print(linted, json_=json_, format_=format_)
    if linted.trace.failure is not None:
        output.failed_on_scratch(linted.trace.failure)
    if any(finding.level == "error" for finding in linted.findings):
        raise SystemExit(1)


async def _linted(of: Project, database: Database, wanted: Sequence[str]) -> Linted:
    major = await _major(database)
    return await lint(of, database, wanted, major=major, listen=output.trying())


async def _major(database: Database) -> int | None:
    """The major version of the database that the project names, where it answers at once."""
    if not database.is_named:
        return None
    with suppress(*DATABASE_ERRORS, SurefootError):
        connection = await asyncio.wait_for(database.connect("observe"), ANSWER_S)
        try:
            return int(connection.get_server_version().major)
        finally:
            await connection.close()
    return None


def _print(linted: Linted, *, json_: bool, format_: str | None) -> None:
    count = sum(unit.complete for unit in linted.units)
    if json_:
        found = [finding.as_json() for finding in linted.findings]
        output.answer_json({"schema_version": 1, "revisions": count, "findings": found})
    elif format_ is not None:
        output.answer(FORMATS[format_](linted.findings))
    else:
        for finding in linted.findings:
            output.answer(f"{finding.render()}\n")
    allowed = f", {linted.suppressed} allowed by the files" if linted.suppressed else ""
    noun = "revision" if count == 1 else "revisions"
    missed = len(linted.units) - count
    untried = f", {missed} not run to the end" if missed else ""
    if linted.mismatch:
        output.narrate(linted.mismatch)
    output.narrate(f"{summary(linted.findings)} in {count} {noun}{untried}{allowed}")


def _wanted(
    of: Project, chain: Sequence[Revision], revisions: Sequence[str], since: str | None
) -> Sequence[str]:
    """The ids that were asked for. On failure: click.UsageError."""
    if since is not None and revisions:
        raise click.UsageError("name revisions or --since, not both")
    if since is not None:
        changed = _changed_since(of.versions, since)
        return [r.id for r in chain if r.path is not None and r.path.resolve() in changed]
    known = [r.id for r in chain]
    for revision in revisions:
        if revision not in known:
            raise click.UsageError(f"there is no revision {revision}; the newest is {known[-1]}")
    return list(revisions) or known


def _changed_since(versions: Path, reference: str) -> set[Path]:
    """Files below the folder of revisions that differ from a commit, or that git does not know.

    Ignored ones as well: git cannot say when they changed.
    """
    options = ("--name-only", "--diff-filter=d", "--relative", "-z")
    changed = _git(versions, "diff", *options, reference, "--", ".")
    added = _git(versions, "ls-files", "--others", "-z", "--", ".")
    return {(versions / name).resolve() for name in (changed + added).split("\0") if name}


def _git(folder: Path, *arguments: str) -> str:
    """The output of git. On failure: click.UsageError with its message."""
    try:
        done = subprocess.run(  # noqa: S603 - only the name of the commit is not fixed
            ["git", *arguments],  # noqa: S607 - the git of the user
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise click.UsageError("--since asks git, which is not installed here") from None
    if done.returncode:
        raise click.UsageError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
