"""After `alembic revision` has written its files: format them, refresh revisions.lock, lint them.

Alembic calls this for each file by itself. Those of one plan run on one scratch database, so all
but their texts waits for the last one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config

from surefoot.autogenerate.plugin import TEXTS
from surefoot.chain.lockfile import with_known, write_lock
from surefoot.chain.revisions import Revision, heads, parsed, up_to
from surefoot.chain.whole_file import write_whole
from surefoot.environment import measurements, stock_template
from surefoot.environment.commandline import rendered, say, understood, unforeseen
from surefoot.errors import SurefootError
from surefoot.errors.names import command, goal
from surefoot.linting.judging import Linted
from surefoot.linting.lint import lint, with_verdicts
from surefoot.project import Project
from surefoot.rules.suppressions import suppressions
from surefoot.run.narration import trying
from surefoot.run.scratch import bring, not_before
from surefoot.scratch import Scratch, scratch_database
from surefoot.target import Target
from surefoot.wording import counted

if TYPE_CHECKING:
    from surefoot.autogenerate.revision_text import RevisionText, RevisionTexts
    from surefoot.environment.environment import Environment


def after_revision(path: str, config: Config, environment: Environment, project: Project) -> None:
    """Do all of it with the file at `path`. Errors are shown, and end the process."""
    with rendered(config, project.locations):
        written = Path(path).resolve()
        texts: RevisionTexts | None = config.attributes.get(TEXTS)
        planned = texts.texts if texts else {}
        found, _ = parsed(written, written.read_bytes())
        identifier = found.id if found else ""
        _complete(written, planned.get(identifier))
        if identifier not in planned:
            finish([written], environment, project)
        elif identifier == [*planned][-1]:
            paths = {each.id: each.path for each in project.revisions()}
            of_plan = (paths.get(each) for each in planned)
            finish([each for each in of_plan if each], environment, project)


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


def finish(written: Sequence[Path], environment: Environment, project: Project) -> None:
    """Format new revision files where ruff is installed, add them to revisions.lock, lint them."""
    if importlib.util.find_spec("ruff") is not None:
        _format(written)
    revisions, is_locked = project.revisions(), project.lock.exists()
    ids = [each.id for each in revisions if each.path in written]
    done = f"OK  {written[0].name} written"
    if len(ids) > 1:
        done = f"OK  {counted(len(ids), 'revision')} written ({ids[0]} to {ids[-1]})"
    review = f"Review, then: alembic upgrade {goal(heads(revisions))}"
    if not is_locked and len(revisions) > len(written):
        # Whether the older ones are taken as they are is not decided here.
        say(f"{done}. {review}")
        return
    write_lock(project.lock, with_known(revisions, project.locked() if is_locked else ()))
    try:
        asyncio.run(_lint(written, environment, project))
    except Exception as error:
        meant = understood(error, project.locations) or unforeseen(error)
        say(f"NOT LINTED  {meant.message}\n  then: {command()} lock")
    say(f"{done}, {project.lock.name} refreshed. {review}")


def _format(written: Sequence[Path]) -> None:
    # Formatted first: it would complain of lines that are only long so far.
    fix = ["check", "--quiet", "--fix", "--exit-zero"]
    if not any(re.search(r"\bop\.", each.read_text("utf-8")) for each in written):
        fix += ["--ignore", "F401"]  # somebody is to write operations, with these imports
    for arguments in (["format", "--quiet"], fix):
        subprocess.run(  # noqa: S603 - our own interpreter, files of ours
            [sys.executable, "-m", "ruff", *arguments, *map(str, written)], check=False
        )


async def _lint(written: Sequence[Path], environment: Environment, project: Project) -> None:
    """Lint the revisions without a clean verdict, and complete the new files by their trace.

    Prints the suppressions and the findings, and keeps the verdicts. On failure: where no scratch
    database can be had, or a revision does not run yet.
    """
    revisions = with_known(project.revisions(), project.locked())
    unknown = [each.id for each in revisions if each.is_unknown]
    if environment.database is None or not unknown:
        return
    files = {each.id: each.path for each in revisions if each.path in written}
    below, database = _before(project, revisions, unknown), environment.resolved_database()
    told, failure = dict[str, list[str]](), None
    async with (
        scratch_database(database, project, to=below) as made,
        aclosing(_tried(made, project, revisions, unknown)) as results,
    ):
        async for seen, result in results:
            linted = result
            for path in filter(None, map(files.get, seen)):
                linted = measurements.completed(path, revisions, linted)
            revisions = with_verdicts(revisions, linted, seen)
            told |= {each: [*_told(linted, each, written)] for each in seen}
            failure = linted.trace.failure
    # The new files have suppressions by now, to which their verdicts are bound.
    comments = {each.id: each.allowed for each in project.revisions()}
    write_lock(project.lock, [replace(each, allowed=comments[each.id]) for each in revisions])
    for line in (line for each in unknown for line in told.get(each, ())):
        say(line)
    if failure is not None:
        raise failure


async def _tried(
    scratch: Scratch, project: Project, revisions: Sequence[Revision], ids: Sequence[str]
) -> AsyncGenerator[tuple[Sequence[str], Linted], None]:
    """Lint these revisions: those that a run has seen, and its result, from run to run.

    All run on one copy of the scratch database. From the first one on that fails there they run on
    another copy, whose sample rows are made after the revisions before it; the same where a
    downgrade fails. One that fails by itself is the last.
    """
    listen, parts = trying(say, ids), [ids]
    while parts:
        part, *parts = parts
        with suppress(SurefootError):  # the trace meets it, too, and reports it
            before = _before(project, revisions, part)
            await bring(scratch, Target.of(scratch.engine, project), before)
        is_one = len(part) == 1
        is_last = is_one and not parts
        async with nullcontext(scratch.engine) if is_last else scratch.copied() as engine:
            target = Target.of(engine, project)
            linted = await lint(target, revisions, part, back=True, retry=is_one, listen=listen)
        seen = part if is_one else linted.trace.seen(part)
        yield seen, linted
        if is_one and linted.trace.failure is not None:
            return
        first = part.index(seen[0]) if seen else 1
        parts = [*filter(None, (part[:first], part[first + len(seen) :])), *parts]


def _before(
    project: Project, revisions: Sequence[Revision], part: Sequence[str]
) -> Sequence[Revision]:
    """The revisions below the first of a part, at which a scratch database can be."""
    below = next(each.down for each in revisions if each.id == part[0])
    return up_to(revisions, not_before(project, revisions, below))


def _told(linted: Linted, revision: str, written: Sequence[Path]) -> Iterator[str]:
    """The suppressions of a revision, where its file is new, and its findings."""
    for unit in linted.units:
        if unit.revision == revision and unit.path in written:
            for allowed in suppressions(unit.source):
                yield f"{unit.path.name}  allow {allowed.rule}: {allowed.reason}"
    for finding in linted.findings:
        if finding.revision == revision:
            yield finding.render()
