"""Dates a drift by the fingerprints in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from surefoot.chain.revisions import Revision
from surefoot.differences.model import Since
from surefoot.ledger.agreement import expected_fingerprint
from surefoot.ledger.table import Row


def dated(rows: Iterable[Row], locked: Sequence[Revision], fingerprint: str) -> Since:
    """After the last run with the expected fingerprint, before the first with the present one.

    Fingerprints written by older builds are not compared: they equal none of this build's.
    """
    after = before = None
    for row in rows:
        if row.outcome != "measured":
            continue
        heads = [] if row.revision == "base" else row.revision.split("+")
        if row.fingerprint == expected_fingerprint(locked, heads):
            after, before = row.finished_at, None
        elif row.fingerprint != fingerprint:
            before = None
        elif before is None:
            before = row.finished_at
    return Since(after, before)
