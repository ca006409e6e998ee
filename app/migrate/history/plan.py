"""Revisions x ledger: what may run, and what contradicts it. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.errors import RevisionEdited, RevisionInserted, RevisionMissing
from app.migrate.history.ledger import Row
from app.migrate.history.revisions import Revision, ancestors


def check_integrity(
    revisions: Sequence[Revision], in_database: Collection[str], recorded: Mapping[str, Row]
) -> None:
    """Compare what was applied with what the files say.

    `in_database` are the ids that the revision table names, `recorded` the ledger's row for each
    revision that is in force. On failure: RevisionEdited, RevisionMissing, RevisionInserted.
    """
    by_id = {revision.id: revision for revision in revisions}
    if not recorded:
        return  # managed by an ordinary Alembic so far
    below = ancestors(revisions, in_database)
    # First: the one after it builds on it now, and so was edited too.
    for revision in revisions:
        if revision.id in below and revision.id not in recorded:
            raise RevisionInserted(f"{revision.id}_{revision.slug}", ", ".join(sorted(in_database)))
    for identifier, row in recorded.items():
        known = by_id.get(identifier)
        if known is None:
            raise RevisionMissing(identifier, row.finished_at, row.checksum)
        if known.sha256 != row.checksum:
            name = f"{known.id}_{known.slug}"
            raise RevisionEdited(name, known.id, row.finished_at, row.checksum, known.sha256)


def ahead(
    revisions: Sequence[Revision], in_database: Collection[str], recorded: Mapping[str, Row]
) -> dict[str, str] | None:
    """The revisions that this build does not know, each with its phase by the ledger.

    None where it knows all; a revision that the ledger does not know either is `unknown`.
    """
    known = {revision.id for revision in revisions}
    strange = {i for i in in_database if i not in known}
    if not strange:
        return None
    # What was applied on the way there, and is not in this build, counts as much as the newest.
    strange |= {identifier for identifier in recorded if identifier not in known}
    return {i: recorded[i].phase if i in recorded else "unknown" for i in sorted(strange)}
