"""Bookkeeping is what a run reads in the version table, and reads and writes in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from surefoot.catalog import snapshot
from surefoot.chain.revisions import Revision, ancestors
from surefoot.ledger.glance import heads_of
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.table import Entry, Ledger, Row, applied
from surefoot.run.recorder import Recorder
from surefoot.version_table import VersionTable


class Bookkeeping:
    """The version table and the ledger of the database on one connection."""

    def __init__(
        self,
        connection: Connection,
        recorder: Recorder,
        *,
        build: str,
        reason: str | None,
        adopt: bool,
        version_table: VersionTable = VersionTable(),
    ) -> None:
        self._connection = connection
        self._recorder = recorder
        self._build = build
        self._reason = reason
        self._stamped = "adopted" if adopt else "stamped"
        self._version_table = version_table
        self._ledger = Ledger(version_table)
        self._revisions: Sequence[Revision] = ()

    def heads(self) -> frozenset[str]:
        """The revisions that the version table names."""
        found = frozenset(heads_of(self._connection, self._version_table))
        self._connection.rollback()
        return found

    def recorded(self) -> dict[str, Row]:
        """The ledger's row for each revision that is in force."""
        found = self._ledger.in_force(self._connection)
        self._connection.rollback()
        return found

    def open(self, revisions: Sequence[Revision]) -> None:
        """Create the ledger where there is none, and compare it with the revisions.

        On failure: LedgerEdited, and the errors of `check_integrity`.
        """
        self._revisions = revisions
        connection = self._connection
        found = self.heads()
        if not self._ledger.exists(connection):
            self._ledger.create(connection)
            below = ancestors(revisions, found)
            for revision in revisions:
                if revision.id in below:
                    self.append(revision.id, "upgrade", "adopted")
        self._ledger.extend(connection)
        self._ledger.verify(connection)
        recorded = applied(self._ledger.read(connection))
        connection.commit()
        check_integrity(revisions, found, recorded)

    def append(
        self, identifier: str, direction: str, outcome: str, *, error: str | None = None
    ) -> None:
        """Write a row about a revision, in the transaction that is open."""
        revision = next((r for r in self._revisions if r.id == identifier), None)
        self._ledger.append(
            self._connection,
            Entry(
                revision=identifier,
                direction=direction,
                phase=revision.phase if revision else "unknown",
                outcome=outcome,
                checksum=revision.sha256 if revision else "",
                statements=self._recorder.statements,
                attempts=self._recorder.attempts,
                build=self._build,
                error=error,
                reason=self._reason,
                requires_code=revision.requires_code if revision else None,
            ),
        )

    def measure(self, heads: Sequence[str], direction: str) -> None:
        """Write the fingerprint of the schema that the run has left, so a change can be dated."""
        known = [revision for revision in self._revisions if revision.id in heads]
        self._ledger.append(
            self._connection,
            Entry(
                revision="+".join(heads) or "base",
                direction=direction,
                phase=known[-1].phase if known else "unknown",
                outcome="measured",
                checksum=known[-1].sha256 if known else "",
                build=self._build,
                fingerprint=snapshot(
                    self._connection, version_table=self._version_table
                ).fingerprint(),
            ),
        )
        self._connection.commit()

    def append_stamp(self, step: Any) -> None:
        """Write a row about each revision that the stamp passes, down or up."""
        above = ancestors(self._revisions, step.destination_revision_ids)
        before = ancestors(self._revisions, step.source_revision_ids)
        for revision in reversed(self._revisions):
            if revision.id in before - above:
                self.append(revision.id, "downgrade", self._stamped)
        for revision in self._revisions:
            if revision.id in above - before:
                self.append(revision.id, "stamp", self._stamped)
