"""`vegafs lock`."""

from __future__ import annotations

import asyncio

import click

from app.cli import output
from app.cli.scratch import scratch
from app.db.engine import create_engine
from app.migrate.history.revisions import (
    Revision,
    check_lock,
    read_lock,
    read_revisions,
    with_fingerprints,
    write_lock,
)
from app.migrate.proof.fingerprints import fingerprinted
from app.migrate.target import Target
from app.settings import REVISIONS_LOCK, Settings, load_settings


@click.command(name="lock")
@click.option("--check", is_flag=True, help="Only look; exit code 1 if stale.")
def command(check: bool) -> None:
    """Write alembic/revisions.lock from the revision files.

    The file names every revision with the checksum of its code and the fingerprint of the schema
    that it gives, which is taken on a scratch database. `alembic revision` adds the line; after an
    edit of a revision that was applied nowhere yet, this command refreshes it.
    """
    revisions = read_revisions(REVISIONS_LOCK.parent / "versions")
    if check:
        check_lock(REVISIONS_LOCK, revisions)
        output.narrate(f"OK  {REVISIONS_LOCK.name} is fresh: {len(revisions)} revisions")
        return
    locked = read_lock(REVISIONS_LOCK) if REVISIONS_LOCK.exists() else ()
    revisions = with_fingerprints(revisions, locked)
    changed = write_lock(REVISIONS_LOCK, revisions)
    if any(revision.fingerprint is None for revision in revisions):
        # The runner compares files and lock, so the checksums are written before it runs.
        revisions = asyncio.run(_fingerprinted(load_settings(), revisions))
        changed = write_lock(REVISIONS_LOCK, revisions) or changed
    state = "written" if changed else "was fresh"
    output.narrate(f"OK  {REVISIONS_LOCK.name} {state}: {len(revisions)} revisions")


async def _fingerprinted(
    settings: Settings, revisions: tuple[Revision, ...]
) -> tuple[Revision, ...]:
    with scratch(settings) as on_scratch:
        engine = create_engine(on_scratch, "migrate")
        try:
            return await fingerprinted(Target.of(engine), revisions)
        finally:
            await engine.dispose()
