"""`vegafs lock`."""

from __future__ import annotations

import click

from app.cli import output
from app.migrate.history.revisions import check_lock, read_revisions, write_lock
from app.settings import REVISIONS_LOCK


@click.command(name="lock")
@click.option("--check", is_flag=True, help="Only look; exit code 1 if stale.")
def command(check: bool) -> None:
    """Write alembic/revisions.lock from the revision files.

    The file names every revision with the checksum of its code. `alembic revision` keeps it
    fresh; after an edit of a revision that was applied nowhere yet, this command does.
    """
    revisions = read_revisions(REVISIONS_LOCK.parent / "versions")
    if check:
        check_lock(REVISIONS_LOCK, revisions)
        output.narrate(f"OK  {REVISIONS_LOCK.name} is fresh: {len(revisions)} revisions")
        return
    changed = write_lock(REVISIONS_LOCK, revisions)
    state = "written" if changed else "was fresh"
    output.narrate(f"OK  {REVISIONS_LOCK.name} {state}: {len(revisions)} revisions")
