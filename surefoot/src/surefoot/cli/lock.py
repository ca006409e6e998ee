"""`vegafs lock`."""

from __future__ import annotations

import asyncio

import click

from app.settings import REVISIONS_LOCK, Settings, load_settings
from surefoot.chain.lockfile import check_lock, read_lock, with_known, write_lock
from surefoot.chain.revisions import CLEAN, Revision, read_revisions
from surefoot.cli import output
from surefoot.drift.fingerprints import fingerprinted
from surefoot.embedded.scratch import scratch
from surefoot.errors import RevisionsBroken
from surefoot.lint.verdicts import with_verdicts
from surefoot.run.target import Target


@click.command(name="lock")
@click.option("--check", is_flag=True, help="Only look; exit code 1 if stale.")
def command(check: bool) -> None:
    """Write alembic/revisions.lock from the revision files.

    The file names every revision with the checksum of its code, the fingerprint of the schema that
    it gives and the verdict of `vegafs lint`, which are taken on a scratch database. `alembic
    revision` adds the line; after an edit of a revision that was applied nowhere yet, this command
    refreshes it.
    """
    revisions = read_revisions(REVISIONS_LOCK.parent / "versions")
    if check:
        check_lock(REVISIONS_LOCK, revisions)
        output.narrate(f"OK  {REVISIONS_LOCK.name} is fresh: {len(revisions)} revisions")
        return
    revisions = with_known(revisions, _locked())
    changed = write_lock(REVISIONS_LOCK, revisions)
    if any(r.fingerprint is None or r.verdict != CLEAN for r in revisions):
        # The runner compares files and lock, so the checksums are written before it runs.
        revisions = asyncio.run(_completed(load_settings(), revisions))
        changed = write_lock(REVISIONS_LOCK, revisions) or changed
    state = "written" if changed else "was fresh"
    output.narrate(f"OK  {REVISIONS_LOCK.name} {state}: {len(revisions)} revisions")
    for revision in revisions:
        if revision.broken_rules:
            rules = ", ".join(revision.broken_rules)
            output.narrate(f"{revision.id} breaks {rules}: vegafs lint {revision.id}")


async def _completed(settings: Settings, revisions: tuple[Revision, ...]) -> tuple[Revision, ...]:
    if any(revision.fingerprint is None for revision in revisions):
        async with scratch(settings) as engine:
            revisions = await fingerprinted(Target.of(engine), revisions)
    async with scratch(settings) as engine:
        judged, _ = await with_verdicts(Target.of(engine), revisions)
    return judged


def _locked() -> tuple[Revision, ...]:
    """What the lock knows; nothing where it cannot be read, since it is written anew."""
    try:
        return read_lock(REVISIONS_LOCK)
    except RevisionsBroken:
        return ()
