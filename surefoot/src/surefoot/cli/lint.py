"""`surefoot lint`: find revisions that would hurt a database in use, before they run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from surefoot.chain.backfills import backfill_paths
from surefoot.chain.revisions import Revision
from surefoot.chain.typed import revision_typed
from surefoot.cli import output
from surefoot.cli.lock_finding import format_option, lock_finding
from surefoot.cli.project import database, json_option, project
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.database import Database
from surefoot.errors import SurefootError
from surefoot.linting.chain_lint import lint
from surefoot.linting.chosen_backfills import of_revisions
from surefoot.linting.formats import FORMATS
from surefoot.linting.history import changed_since, staged
from surefoot.linting.judging import Linted
from surefoot.linting.lint import NOTHING
from surefoot.linting.markdown import summary
from surefoot.linting.settings import FAIL_ON, LintSettings, check_levels
from surefoot.project import Project
from surefoot.remedies.planned import planned, with_remedies
from surefoot.rules.findings import Finding
from surefoot.rules.gaps import INCOMPLETE
from surefoot.run.narration import trying
from surefoot.scratch import Scratch
from surefoot.wording import counted, listed

if TYPE_CHECKING:
    from surefoot.remedies.planned import Planned
    from surefoot.remedies.steps import SafeForm

# How long lint waits for the database, whose version decides which rules apply.
ANSWER_S = 2.0


@click.command(name="lint")
@click.argument("revisions", nargs=-1)
@click.option(
    "--since",
    metavar="GIT_REF",
    help="The revisions that were added or changed since. Beside REVISIONS, for --fix: the branch "
    "that has the released ones.",
)
@click.option("--staged", "staged_", is_flag=True, help="Those that the next commit changes.")
@click.option(
    "--level",
    "levels",
    metavar="RULE=LEVEL",
    multiple=True,
    help="Another level for a rule: error, warning or off. It may be given several times.",
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="The least level of exit code 1.")
@click.option("--strict", is_flag=True, help="The same as --fail-on warning.")
@click.option("--fix", is_flag=True, help="Write the safe forms that are certain into the file.")
@click.option("--yes", is_flag=True, help="With --fix: write without asking.")
@json_option
@format_option
def command(
    revisions: tuple[str, ...],
    since: str | None,
    staged_: bool,
    levels: tuple[str, ...],
    fail_on: str | None,
    strict: bool,
    fix: bool,
    yes: bool,
    json_: bool,
    format_: str | None,
) -> None:
    """Run REVISIONS on a scratch database, and show what would hurt.

    By default these are all revisions after the baseline of revisions.lock, and all backfills.
    Otherwise backfills are tried that one of the revisions requires or that run after it.

    The rules are those for the PostgreSQL of the database, if it answers, else of the scratch
    server. [tool.surefoot.lint] in pyproject.toml sets levels; an option goes before it.

    \b
    Examples:
      surefoot lint
      surefoot lint 0012 0013
      surefoot lint --since origin/main --format github
      surefoot lint --staged --strict
      surefoot lint --level avoid-length-limit=off
      surefoot lint 0013 --fix

    \b
    A comment in the file, with a reason, allows a finding:
      # allow avoid-dropping-a-column: nothing has read it since release 12

    Exit codes: 0 no error; 1 an error; 2 usage; 4 or 75 a revision or the scratch server failed.
    """

    def answer(findings: Sequence[Finding]) -> None:
        _print(replace(NOTHING, findings=tuple(findings)), json_=json_, format_=format_)

    found = project()
    told = answer if json_ or format_ else None
    with lock_finding(found.lock, told):
        chain = found.revisions()
    if not chain:
        raise click.UsageError(f"there is no revision in {found.named_locations()}")
    # With --fix, --since names the branch that has the released revisions.
    chosen = (since is not None and not (fix and revisions)) + staged_ + bool(revisions)
    if chosen > 1:
        raise click.UsageError("name revisions, --since or --staged: one of them")
    settings = _settings(found, levels, "warning" if strict else fail_on)
    wanted, fills = _wanted(found, chain, revisions, since, settings, staged_=staged_)
    if fix and (json_ or format_):
        raise click.UsageError("--fix shows a difference: leave --json and --format out")
    with lock_finding(found.lock, told):
        linted, made = asyncio.run(_linted(found, database(), wanted, settings, fills))
    _print(linted, json_=json_, format_=format_)
    if fix:
        from surefoot.cli.fixing import fixed  # noqa: PLC0415 - it imports autogenerate

        if written := fixed(found, database(), linted, made, since=since, yes=yes):
            linted, _ = asyncio.run(_linted(found, database(), written, settings))
            _print(linted, json_=json_, format_=format_)
    if linted.trace.failure is not None:
        output.failed_on_scratch(linted.trace.failure)
    if settings.fails(linted.findings):
        raise SystemExit(1)


def linted_at(place: str) -> Sequence[Finding]:
    """The findings in a revision or a backfill, or at a line of its file.

    Also those that the file allows. On failure: RevisionUnknown; click.UsageError, where there is
    no such place.
    """
    found, (name, _, line) = project(), place.partition(":")
    chain = found.revisions()
    ids = [r.id for r in chain if r.path and Path(name).resolve() == r.path]
    fills = [
        path.stem
        for path in backfill_paths(found.lock)
        if name == path.stem or Path(name).resolve() == path.resolve()
    ]
    if line and not ((ids or fills) and line.isdecimal()):
        raise click.UsageError(f"there is no place {place!r}; name a revision, or PATH:LINE")
    if not (ids or fills):
        ids = [revision_typed(name, chain)]
    linted, _ = asyncio.run(_linted(found, database(), ids, LintSettings(), fills))
    every = (*linted.findings, *(each.finding for each in linted.suppressed))
    return [f for f in every if not line or f.line <= int(line) <= f.end_line]


def _settings(of: Project, levels: Sequence[str], fail_on: str | None) -> LintSettings:
    """Those of the project with the options of the command line. On failure: UsageError."""
    found = LintSettings.read(of.ini.parent)
    given = {rule: level for rule, _, level in (each.partition("=") for each in levels)}
    check_levels(given)
    return replace(found, levels={**found.levels, **given}, fail_on=fail_on or found.fail_on)


async def _linted(
    of: Project,
    database: Database,
    wanted: Sequence[str],
    settings: LintSettings,
    backfills: Sequence[str] = (),
) -> tuple[Linted, Planned]:
    """The findings at the levels of the project, and the safe forms that can be planned."""
    major = await _major(database)
    made: dict[Finding, SafeForm] = {}

    async def complete(linted: Linted, beside: Scratch) -> Linted:
        made.update(await planned(of, beside, linted))
        return with_remedies(linted, made)

    linted = await lint(
        of,
        database,
        wanted,
        major=major,
        downgrades=True,
        backfills=backfills,
        complete=complete,
        listen=trying(output.narrate),
    )
    return replace(linted, findings=settings.applied(linted.findings)), made


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
    """The findings as the answer, and what is known of them as narration."""
    count = sum(unit.complete for unit in linted.units)
    # One line says of all revisions behind another one that they had not begun.
    shown = [f for f in linted.findings if f.rule != INCOMPLETE or f.revision not in linted.behind]
    if json_:
        counts = {"revisions": count, "backfills": len(linted.backfills)}
        output.answer_json({"schema_version": 1, **counts, **_as_json(linted)})
    elif format_ is not None:
        output.answer(FORMATS[format_](linted.findings))
    else:
        for finding in shown:
            output.answer(f"{finding.render()}\n")
    for each in linted.suppressed:
        output.narrate(each.render())
    if not (linted.units or linted.backfills):
        return
    allowed = len({each.finding for each in linted.suppressed})
    said = f", {allowed} allowed by the files" if allowed else ""
    tried = [counted(count, "revision")] if linted.units else []
    tried += [counted(len(linted.backfills), "backfill")] if linted.backfills else []
    missed = len(linted.units) - count
    untried = f", {missed} not run to the end" if missed else ""
    if linted.behind:
        at = ", ".join(dict.fromkeys(linted.behind.values()))
        output.narrate(f"behind {at} nothing was tried: {listed(linted.behind)}")
    if linted.mismatch:
        output.narrate(linted.mismatch)
    output.narrate(f"{summary(shown)} in {' and '.join(tried)}{untried}{said}")


def _as_json(linted: Linted) -> dict[str, Any]:
    return {
        "findings": [finding.as_json() for finding in linted.findings],
        "allowed": [
            {**each.finding.as_json(), "scope": each.by.scope, "reason": each.by.reason}
            for each in linted.suppressed
        ],
    }


def _wanted(
    of: Project,
    chain: Sequence[Revision],
    revisions: Sequence[str],
    since: str | None,
    settings: LintSettings,
    *,
    staged_: bool,
) -> tuple[Sequence[str], Sequence[str]]:
    """The ids that were asked for, and the names of the backfills that are tried with them.

    On failure: click.UsageError, UsageError, RevisionUnknown.
    """
    if revisions:
        ids = [revision_typed(each, chain) for each in revisions]
        return ids, of_revisions(of, chain, ids)
    included = [r for r in chain if settings.includes(r.path)]
    if not included:
        raise click.UsageError("there is no revision in paths of [tool.surefoot.lint]")
    # Nobody judges the past, unless it is asked for by name.
    included = [r for r in included if r.unlocked or not r.past]
    if since is None and not staged_:
        every = [path.stem for path in backfill_paths(of.lock) if settings.includes(path)]
        if not (included or every):
            output.narrate("no revision after the baseline: nothing to lint")
        return [r.id for r in included], every
    folders = (*of.locations, *(path.parent for path in backfill_paths(of.lock)[:1]))
    changed = {
        path
        for folder in folders
        for path in (_staged(folder) if staged_ else changed_since(folder, since or ""))
    }
    wanted = [r.id for r in included if r.path is not None and r.path.resolve() in changed]
    fills = of_revisions(of, chain, wanted, changed)
    if not (wanted or fills):
        said = "is staged" if staged_ else f"was added or changed since {since}"
        output.narrate(f"no revision {said}: nothing to lint")
    return wanted, fills


def _staged(folder: Path) -> set[Path]:
    """The staged files, with a note of those that are read as they were edited since."""
    found, later = staged(folder)
    for path in sorted(later):
        said = "was edited after it was staged; the file is linted as it is now"
        output.narrate(f"{os.path.relpath(path)} {said}")
    return found
