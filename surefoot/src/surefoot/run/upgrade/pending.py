"""Whether a run has anything to do, found out while it waits for the mutex and before it takes it.

By revisions.lock, the revision table and the ledger: no revision file is read, no lock is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from surefoot.chain.lockfile import names_all_files
from surefoot.chain.revisions import Revision, heads
from surefoot.errors import DatabaseAhead
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.position import position
from surefoot.run.report import Recorder
from surefoot.run.upgrade.bookkeeping import Bookkeeping


def nothing_left(
    bookkeeping: Bookkeeping,
    versions: Path,
    locked: Sequence[Revision],
    recorder: Recorder,
    *,
    command: str,
    to_head: bool,
    say: Callable[[str], None],
) -> bool:
    """Whether the database has what was asked for; the recorder learns where it is.

    On failure: DatabaseAhead and DatabaseDiverged, where a newer build was here and this one does
    not fit; the errors of `check_integrity`.
    """
    found = bookkeeping.heads()
    recorder.begin(tuple(sorted(found)), ())
    if command != "upgrade" or not found or not names_all_files(locked, versions):
        return False
    if not found <= {revision.id for revision in locked}:
        _accept_newer(bookkeeping, locked, found, recorder, to_head=to_head, say=say)
        return True
    if not to_head or found != heads(locked):
        return False
    check_integrity(locked, found, bookkeeping.recorded())
    return True


def _accept_newer(
    bookkeeping: Bookkeeping,
    locked: Sequence[Revision],
    found: frozenset[str],
    recorder: Recorder,
    *,
    to_head: bool,
    say: Callable[[str], None],
) -> None:
    """A newer build was here: content where it leaves what this build needs, refused elsewhere."""
    at = position(locked, found, bookkeeping.recorded())
    current, expected = ", ".join(sorted(found)), ", ".join(sorted(heads(locked))) or "base"
    if not to_head or not at.tolerated:
        raise DatabaseAhead(recorder.database, current, expected, [str(s) for s in at.strangers])
    if at.contradiction is not None:
        raise at.contradiction.refusal or at.contradiction.error(recorder.database)
    say(
        f"OK  {recorder.database} is ahead of this build: {current} leaves what "
        f"{expected} needs. Nothing to do."
    )
    recorder.verdict_told = True
