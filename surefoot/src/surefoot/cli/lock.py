"""`surefoot lock`: write revisions.lock."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import click

from surefoot import wording
from surefoot.chain.backfills import check_backfills
from surefoot.chain.conflict import joined
from surefoot.chain.lockfile import (
    baseline,
    check_lock,
    check_seals,
    in_order,
    lines_of,
    read_lock,
    with_known,
    write_lock,
)
from surefoot.chain.revisions import Revision, heads, revisions_in, up_to, with_past
from surefoot.chain.source import codes_read_once
from surefoot.chain.squashed import checked
from surefoot.chain.whole_file import write_whole
from surefoot.cli import output
from surefoot.cli.project import database, project
from surefoot.compat.alembic import files_read_once
from surefoot.connect.database import Database
from surefoot.connect.limits import Limits
from surefoot.errors import RevisionsBroken, SquashEdited, SquashStale, SurefootError, names
from surefoot.linting.lint import lint, portions, with_verdicts
from surefoot.project import Project
from surefoot.run.narration import trying
from surefoot.run.scratch import not_before
from surefoot.scratch import scratch_database
from surefoot.target import Target
from surefoot.trace.executed_lines import TOO_LONG
from surefoot.trace.fingerprints import fingerprinted, lacking


@click.command(name="lock")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the file is outdated.")
@click.option(
    "--baseline",
    "baselines",
    metavar="REV",
    multiple=True,
    help="Take this revision and those before it as they are; `heads`: all that there are.",
)
@click.option(
    "--merge",
    nargs=3,
    type=click.Path(path_type=Path, exists=True),
    metavar="BASE OURS THEIRS",
    help="Take the lines of both sides into OURS: a merge driver for git.",
)
def command(check: bool, baselines: tuple[str, ...], merge: tuple[Path, Path, Path] | None) -> None:
    """Write revisions.lock from the revision files.

    The file lists every revision with the checksum of its code, the fingerprint of the schema after
    it and the verdict of `surefoot lint`, both from a run on a scratch database. `alembic revision`
    adds the line. Run this command after you edit a revision that was not applied anywhere.

    No rule judges the revisions up to the baseline, and they may leave their transaction: adopt the
    past of a project with `surefoot lock --baseline heads`. Of these, only its end has a
    fingerprint.

    It looks at the revisions from the first one on that is new or edited, and writes what it has
    found as it goes. After an interruption, run it again: it continues.

    \b
    Examples:
      surefoot lock
      surefoot lock --check
      surefoot lock --baseline heads

    Exit codes: 0 written, or up to date; 1 with --check, where it is outdated.
    """
    if merge:
        _merge(*merge)
        return
    found = project()
    lock = found.lock
    revisions = found.revisions() if check else _on_disk(found)
    if check:
        # These load and read all of them.
        from surefoot.backfill.files import read_backfills  # noqa: PLC0415 - as above
        from surefoot.linting.chosen_backfills import refuse_unknown  # noqa: PLC0415 - as above

        check_lock(lock, revisions)
        check_backfills(lock)
        refuse_unknown(revisions, [*read_backfills(found).values()])
        check_seals(lock, revisions)
        squash = checked(found.squashed, revisions)
        output.narrate(
            f"OK  {lock.name} is up to date: {wording.counted(len(revisions), 'revision')}"
        )
        if squash:
            output.narrate(squash)
        if unseen := sorted(lacking(_locked(lock))):
            lack = "has" if len(unseen) == 1 else "have"
            output.narrate(
                f"{wording.in_order(unseen)} {lack} no fingerprint, so a run sees no drift there: "
                f"{names.command()} lock"
            )
        return
    if baselines:
        newest = heads(revisions)
        revisions = with_past(
            [replace(each, past=False, unlocked=False) for each in revisions],
            [one for each in baselines for one in (newest if each == "heads" else [each])],
        )
    revisions = with_known(revisions, _locked(lock))
    changed = write_lock(lock, revisions)
    written = lock.read_bytes()
    try:
        revisions = completed(found)
    except SurefootError:
        if changed or lock.read_bytes() != written:
            output.narrate(f"{lock.name} written, without what could not be found:")
        raise
    changed = changed or lock.read_bytes() != written
    state = "written" if changed else "was up to date"
    output.narrate(f"OK  {lock.name} {state}: {wording.counted(len(revisions), 'revision')}")
    if not revisions:
        output.narrate(f"there is no revision in {found.named_locations()}")
    try:
        checked(found.squashed, revisions)
    except (SquashEdited, SquashStale) as error:
        output.narrate(error.render())
    for line in told(revisions):
        output.narrate(line)


def told(revisions: Sequence[Revision]) -> Iterator[str]:
    """A line for those that break the same rules, and for those that are unknown."""
    found: dict[tuple[str, str], list[str]] = {}
    for revision in revisions:
        if rules := ", ".join(revision.broken_rules):
            found.setdefault((f"breaks {rules}", f"break {rules}"), []).append(revision.id)
        if revision.is_unknown:
            unseen = ("was not seen to its end", "were not seen to their end")
            found.setdefault(unseen, []).append(revision.id)
    for (one, several), ids in found.items():
        if len(ids) == 1:
            yield f"{ids[0]} {one}: {names.command()} lint {ids[0]}"
        else:
            yield f"{wording.in_order(ids)} {several}: {names.command()} lint"


def _merge(base: Path, ours: Path, theirs: Path) -> None:
    """Take both sides, and say where the revisions do not stand in one line any more."""
    text, of = joined(*(each.read_text("utf-8") for each in (base, ours, theirs))), ours
    try:
        text = in_order(of, text)
        ends = len(heads(lines_of(of, text)))
    except RevisionsBroken:
        ends = 0  # two with one id
    write_whole(ours, text.encode())
    if ends != 1:
        output.narrate(f"Two branches have added a revision. Next: {names.command()} rebase")


def completed(found: Project) -> tuple[Revision, ...]:
    """The revisions with fingerprints and verdicts, which the lock has from now on.

    On failure: of the scratch database, or of a revision; the lock has what was found before.
    """
    revisions = with_known(found.revisions(), read_lock(found.lock))
    if lacking(revisions) or portions(revisions):
        # The runner compares files and lock, so the checksums are written before it runs.
        with files_read_once(), codes_read_once():
            asyncio.run(_complete(found, database(), revisions))
        revisions = with_known(found.revisions(), read_lock(found.lock))
        write_lock(found.lock, revisions)
    return revisions


async def _complete(of: Project, database: Database, revisions: tuple[Revision, ...]) -> None:
    """Find the fingerprints and verdicts; the lock gets them as they are found.

    Each portion is traced on a copy of the database that has run the revisions before it: sample
    rows and the time zone of a trace may change a schema.
    """

    def keep(found: tuple[Revision, ...]) -> None:
        # The lock says of which files it is; one that was edited meanwhile was not run.
        with codes_read_once(False):
            if of.revisions() == found:
                write_lock(of.lock, found)

    listen = trying(output.narrate, [each.id for each in revisions])
    judged = portions(revisions)
    unknown = {*lacking(revisions), *(each for portion in judged for each in portion)}
    known = tuple(takewhile(lambda each: each.id not in unknown, revisions))
    async with scratch_database(database, of, to=known) as made:
        target = Target.of(made.engine, of, Limits())
        for portion in judged:
            before = revisions[: [each.id for each in revisions].index(portion[0])]
            to = not_before(of, revisions, sorted(heads(before)))
            before = up_to(revisions, to)
            if len(made.has) < len(before):
                revisions = await fingerprinted(target, revisions, to, listen=listen, keep=keep)
            await made.keep(before)
            async with made.copied() as copy:
                linted = await lint(Target.of(copy, of), revisions, portion, listen=listen)
            revisions = with_verdicts(revisions, linted, portion)
            keep(revisions)
            failure = linted.trace.failure
            # The trace has a bound, and the run for the fingerprints has none.
            if failure is not None and TOO_LONG in str(failure):
                raise failure
        if lacking(revisions):
            await fingerprinted(target, revisions, listen=listen, keep=keep)
            if not judged:
                await made.keep(revisions)


def _on_disk(of: Project) -> tuple[Revision, ...]:
    """The revisions by their files, also where the lock cannot be read, since it is rewritten."""
    try:
        return of.revisions()
    except RevisionsBroken:
        return with_past(revisions_in(of.codes()), baseline(of.lock))


def _locked(lock: Path) -> tuple[Revision, ...]:
    """The revisions of the lock; none where it cannot be read, since it is rewritten."""
    try:
        return read_lock(lock)
    except RevisionsBroken:
        return ()
