"""Bookkeeping is what a run reads in the version table, and reads and writes in the ledger."""

from collections.abc import Sequence
from typing import Any

from surefoot.catalog import snapshot
from surefoot.chain.lockfile import names_all_files
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.errors import DatabaseAhead
from surefoot.ledger.glance import heads_of
from surefoot.ledger.integrity import check_integrity
from surefoot.ledger.position import position
from surefoot.ledger.table import Entry, Ledger, Row, applied
from surefoot.run.run import Run

HEADS = ("head", "heads")


class Bookkeeping:
    """The version table and the ledger of the database on one connection."""

    def __init__(self, run: Run) -> None:
        self._run, self._connection = run, run.connection
        self._version_table = run.project.version_table
        self._ledger = Ledger(self._version_table)
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

    def nothing_left(self, locked: Sequence[Revision]) -> bool:
        """Whether the database has what was asked for; the recorder learns where it is.

        The run asks before it takes the mutex and at every try for it. revisions.lock, the version
        table and the ledger answer: no revision file is read, no lock is held. A newer build may
        have been here. That is accepted where it left what this build needs.

        On failure: DatabaseAhead and DatabaseDiverged, where it did not; the errors of
        `check_integrity`.
        """
        found, newest, recorder = self.heads(), heads(locked), self._run.recorder
        to_head = self._run.destination in HEADS
        recorder.begin(tuple(sorted(found)), ())
        names_all = names_all_files(locked, self._run.project.versions)
        if self._run.command != "upgrade" or not found or not names_all:
            return False
        if not found <= {revision.id for revision in locked}:
            at = position(locked, found, self.recorded())
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
        check_integrity(locked, found, self.recorded())
        return True

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
        self._write(
            revision,
            identifier,
            direction,
            outcome,
            statements=self._run.recorder.statements,
            attempts=self._run.recorder.attempts,
            error=error,
            reason=self._run.reason,
            requires_code=revision.requires_code if revision else None,
        )

    def measure(self, heads: Sequence[str], direction: str) -> None:
        """Write the fingerprint of the schema that the run has left, so a change can be dated."""
        known = [revision for revision in self._revisions if revision.id in heads]
        schemas = self._run.project.schemas
        found = snapshot(self._connection, schemas, version_table=self._version_table).fingerprint()
        newest, named = known[-1] if known else None, "+".join(heads) or "base"
        self._write(newest, named, direction, "measured", fingerprint=found)
        self._connection.commit()

    def append_stamp(self, step: Any) -> None:
        """Write a row about each revision that the stamp passes, down or up."""
        stamped = "adopted" if self._run.adopt else "stamped"
        above = ancestors(self._revisions, step.destination_revision_ids)
        before = ancestors(self._revisions, step.source_revision_ids)
        for revision in reversed(self._revisions):
            if revision.id in before - above:
                self.append(revision.id, "downgrade", stamped)
        for revision in self._revisions:
            if revision.id in above - before:
                self.append(revision.id, "stamp", stamped)

    def _write(
        self, revision: Revision | None, named: str, direction: str, outcome: str, **columns: Any
    ) -> None:
        entry = Entry(
            revision=named,
            direction=direction,
            phase=revision.phase if revision else "unknown",
            outcome=outcome,
            checksum=revision.sha256 if revision else "",
            build=self._run.limits.build,
            **columns,
        )
        self._ledger.append(self._connection, entry)
