"""After `alembic revision` has written a file: format it, refresh revisions.lock, lint it."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config

from surefoot.autogenerate.plugin import TEXTS
from surefoot.chain.lockfile import with_known, write_lock
from surefoot.chain.revisions import heads, up_to
from surefoot.chain.whole_file import write_whole
from surefoot.environment import measurements, stock_template
from surefoot.environment.commandline import rendered, say, understood, unforeseen
from surefoot.errors import SurefootError
from surefoot.errors.names import command, goal
from surefoot.linting.lint import with_verdicts
from surefoot.project import Project
from surefoot.rules.suppressions import suppressions
from surefoot.run.scratch import bring
from surefoot.scratch import scratch_database
from surefoot.target import Target

if TYPE_CHECKING:
    from surefoot.autogenerate.revision_text import RevisionText, RevisionTexts
    from surefoot.environment.environment import Environment


def after_revision(path: str, config: Config, environment: Environment, project: Project) -> None:
    """Do all of it with the file at `path`. Errors are shown, and end the process."""
    with rendered(config, project.locations):
        written = Path(path).resolve()
        texts: RevisionTexts | None = config.attributes.get(TEXTS)
        planned = texts.texts if texts else {}
        ids = {each.path: each.id for each in project.revisions()}
        identifier = ids.get(written, "")
        _complete(written, planned.get(identifier))
        finish(written, environment, project, is_last=identifier not in [*planned][:-1])


def _complete(written: Path, text: RevisionText | None) -> None:
    """Write the texts of a planned revision into its file, where its template left them out."""
    source = written.read_text("utf-8")
    made = (
        stock_template.with_phase(source)
        if text is None
        else stock_template.completed(source, text)
    )
    if made != source:
        write_whole(written, made.encode())


def finish(written: Path, environment: Environment, project: Project, *, is_last: bool) -> None:
    """Format a new revision file where ruff is installed, add it to revisions.lock, lint it.

    The last one of a plan names the next command.
    """
    if importlib.util.find_spec("ruff") is not None:
        # Formatted first: it would complain of lines that are only long so far.
        fix = ["check", "--quiet", "--fix", "--exit-zero"]
        if not re.search(r"\bop\.", written.read_text("utf-8")):
            fix += ["--ignore", "F401"]  # somebody is to write operations, with these imports
        for arguments in (["format", "--quiet"], fix):
            subprocess.run(  # noqa: S603 - our own interpreter, a file of ours
                [sys.executable, "-m", "ruff", *arguments, str(written)], check=False
            )
    revisions, is_locked = project.revisions(), project.lock.exists()
    review = f"Review, then: alembic upgrade {goal(heads(revisions))}"
    if not is_locked and len(revisions) > 1:
        # Whether the older ones are taken as they are is not decided here.
        say(f"OK  {written.name} written. {review}")
        return
    write_lock(project.lock, with_known(revisions, project.locked() if is_locked else ()))
    try:
        asyncio.run(_lint(written, environment, project))
    except Exception as error:
        meant = understood(error, project.locations) or unforeseen(error)
        say(f"NOT LINTED  {meant.message}\n  then: {command()} lock")
    refreshed = f", {project.lock.name} refreshed. {review}"
    say(f"OK  {written.name} written{refreshed if is_last else ''}")


async def _lint(written: Path, environment: Environment, project: Project) -> None:
    """Lint the revisions without a clean verdict, and complete the new file by its trace.

    Prints the suppressions and the findings, and keeps the verdicts. On failure: where no scratch
    database can be had, or a revision does not run yet.
    """
    if environment.database is None:
        return
    revisions = with_known(project.revisions(), project.locked())
    complete = partial(measurements.completed, written, revisions)
    unknown = [revision for revision in revisions if revision.is_unknown]
    before = up_to(revisions, unknown[0].down) if unknown else ()
    async with scratch_database(environment.resolved_database(), project, to=before) as made:
        target = Target.of(made.engine, project)
        with suppress(SurefootError):  # the trace meets it, too, and reports it
            await bring(made, target, before)
        judged, linted = await with_verdicts(target, revisions, complete)
    # The new file has suppressions by now, to which its verdict is bound.
    comments = {each.id: each.allowed for each in project.revisions()}
    write_lock(project.lock, [replace(each, allowed=comments[each.id]) for each in judged])
    source = "".join(unit.source for unit in linted.units if unit.path == written)
    for allowed in suppressions(source):
        say(f"{written.name}  allow {allowed.rule}: {allowed.reason}")
    for finding in linted.findings:
        say(finding.render())
    if linted.trace.failure is not None:
        raise linted.trace.failure
