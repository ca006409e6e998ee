"""Compares the revisions of a build with the rows of the ledger. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from surefoot.chain.revisions import Revision, ancestors
from surefoot.errors import RevisionEdited, RevisionInserted, RevisionMissing, RevisionUnrecorded
from surefoot.frozen import dataclass
from surefoot.ledger.table import Row


def check_integrity(
    revisions: Sequence[Revision],
    in_database: Collection[str],
    recorded: Mapping[str, Row],
    *,
    has_ledger: bool | None = None,
) -> None:
    """Compare the revisions that were applied with the ledger, and with their files.

    `in_database` are the ids that the version table names, `recorded` the ledger's row for each
    revision in force, `has_ledger` whether there is a ledger, where none is. On failure:
    RevisionInserted, RevisionUnrecorded, RevisionEdited, RevisionMissing.
    """
    if not recorded and not has_ledger:
        return  # migrated by plain Alembic so far
    below = ancestors(revisions, in_database)
    # This first: the revision after an inserted one builds on it, and so was edited as well.
    unrecorded = [r for r in revisions if r.id in below and r.id not in recorded]
    if unrecorded:
        newest = sorted(in_database)
        if any(head in recorded for head in in_database):
            raise RevisionInserted(unrecorded[0].name, newest)
        raise RevisionUnrecorded([revision.id for revision in unrecorded], newest)
    check_files(revisions, recorded)


def check_files(revisions: Sequence[Revision], recorded: Mapping[str, Row]) -> None:
    """On failure: RevisionEdited, RevisionMissing."""
    by_id = {revision.id: revision for revision in revisions}
    for identifier, row in recorded.items():
        known = by_id.get(identifier)
        if known is None:
            raise RevisionMissing(identifier, row.finished_at, row.checksum)
        if known.sha256 != row.checksum:
            files = row.checksum, known.sha256
            raise RevisionEdited(known.name, known.id, row.finished_at, *files)


def strangers(
    revisions: Sequence[Revision], in_database: Collection[str], recorded: Mapping[str, Row]
) -> tuple[Stranger, ...]:
    """The revisions in the database that this build does not know, oldest first.

    Not only the newest of them: each one may break the code of this build.
    """
    known = {revision.id for revision in revisions}
    unrecorded = sorted(i for i in in_database if i not in known and i not in recorded)
    return (
        *(
            Stranger(identifier, row.phase, row.requires_code)
            for identifier, row in recorded.items()
            if identifier not in known
        ),
        *(Stranger(identifier, "unknown") for identifier in unrecorded),
    )


@dataclass(frozen=True)
class Stranger:
    """A revision of the database that the build does not have, as the ledger describes it.

    Its phase is `unknown` where the ledger does not have it either.
    """

    id: str
    phase: str
    requires_code: str | None = None

    def tolerates(self, revisions: Sequence[Revision]) -> bool:
        """Whether the code of a build with these revisions works after it."""
        return self.phase == "expand" or self.requires_code in {r.id for r in revisions}

    def __str__(self) -> str:
        needs = f", needs the code of {self.requires_code}" if self.requires_code else ""
        return f"{self.id} ({self.phase}{needs})"
