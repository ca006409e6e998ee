"""Whether a run has anything to do, asked before it takes the mutex and at every try for it.

revisions.lock, the version table and the ledger answer: no revision file is read, no lock is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surefoot.chain.lockfile import names_all_files
from surefoot.chain.revisions import Revision, heads
from surefoot.errors import DatabaseAhead
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.position import position
from surefoot.run.recorder import Recorder
from surefoot.run.upgrade.bookkeeping import Bookkeeping


def nothing_left(
    bookkeeping: Bookkeeping,
    versions: Path,
    locked: Sequence[Revision],
    recorder: Recorder,
    *,
    command: str,
    to_head: bool,
) -> bool:
    """Whether the database has what was asked for; the recorder learns where it is.

    A newer build may have been here. That is accepted where it left what this build needs.

    On failure: DatabaseAhead and DatabaseDiverged, where it did not; the errors of
    `check_integrity`.
    """
    found, newest = bookkeeping.heads(), heads(locked)
    recorder.begin(tuple(sorted(found)), ())
    if command != "upgrade" or not found or not names_all_files(locked, versions):
        return False
    if not found <= {revision.id for revision in locked}:
        at = position(locked, found, bookkeeping.recorded())
        if not to_head or not at.tolerated:
            current, expected = ", ".join(sorted(found)), ", ".join(sorted(newest)) or "base"
            told = [str(stranger) for stranger in at.strangers]
            raise DatabaseAhead(recorder.database, current, expected, told)
        if at.contradiction is not None:
            raise at.contradiction.refusal or at.contradiction.error(recorder.database)
        recorder.accept_ahead(newest)
        return True
    if not to_head or found != newest:
        return False
    check_integrity(locked, found, bookkeeping.recorded())
    return True
