"""Bookkeeping is what a run reads in the version table, and reads and writes in the ledger."""

from collections.abc import Collection, Sequence
from typing import Any

from alembic.migration import MigrationContext

from surefoot import catalog
from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.compat.alembic import ensure_version_table
from surefoot.errors import DatabaseAhead, LedgerContradicted, NotAdopted
from surefoot.errors.names import alembic, arguments, command
from surefoot.ledger import appending
from surefoot.ledger.glance import heads_of
from surefoot.ledger.integrity import check_files, check_integrity
from surefoot.ledger.position import position
from surefoot.ledger.table import Entry, Ledger, Row, applied, has_begun, was_used
from surefoot.run.events import Warned
from surefoot.run.guards.admission import Session
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.upgrade.past import PastRevision, last_attempt

HEADS = ("head", "heads")


class Bookkeeping:
    """The version table and the ledger of the database on one connection."""

    def __init__(self, run: Run) -> None:
        self._run, self._connection = run, run.connection
        self._version_table = run.project.version_table
        self.ledger = Ledger(self._version_table)
        self._revisions: Sequence[Revision] = ()
        self._by_id: dict[str, Revision] = {}
        # The ledger's rows in force when the run began, and whether it told of any revision.
        self._read: Sequence[Row] = ()
        # The revisions that are taken as they are; those that have left rows in this run.
        self._past: frozenset[str] = frozenset()
        self._left = set[str]()
        self._in_force: dict[str, Row] = {}
        self._was_used = False

    def heads(self) -> frozenset[str]:
        """The revisions that the version table names."""
        found = frozenset(heads_of(self._connection, self._version_table))
        self._connection.rollback()
        return found

    def nothing_left(self, locked: Sequence[Revision]) -> bool:
        """Whether the database has what was asked for; the recorder learns where it is.

        The run asks before it takes the mutex and at every try for it. revisions.lock, the version
        table and the ledger answer: no revision file is read, no lock is held. A newer build may
        have been here. That is accepted where it left what this build needs.

        On failure: DatabaseAhead and DatabaseDiverged, where it did not; the errors of `_agree`.
        """
        found, newest, recorder = self.heads(), heads(locked), self._run.recorder
        # Where there are several heads, Alembic refuses `head`.
        to_head = self._run.destination in HEADS[len(newest) > 1 :]
        recorder.begin(tuple(sorted(found)), ())
        if self._run.command != "upgrade" or not found:
            return False
        if not found <= {revision.id for revision in locked}:
            at = position(locked, found, applied(self._rows()))
            if not to_head or not at.tolerated:
                unknown = sorted(found - {revision.id for revision in locked})
                current, expected = ", ".join(unknown), ", ".join(sorted(newest)) or "base"
                told = [str(stranger) for stranger in at.strangers]
                raise DatabaseAhead(recorder.database, current, expected, told)
            if at.contradiction is not None:
                raise at.contradiction.refusal or at.contradiction.error(recorder.database)
            recorder.accept_ahead(newest)
            return True
        if not to_head or found != newest:
            return False
        rows = self._rows()
        self._agree(locked, found, rows)
        if not rows and self.ledger.was_dropped(self._connection):
            self._tell_lost("the next run that changes something creates it again")
            return True
        # Where no ledger was ever, it begins here.
        return was_used(rows)

    def open(self, revisions: Sequence[Revision], session: Session) -> None:
        """Compare the ledger with the version table and the revisions; nothing is written.

        A stamp is not compared with the version table, and with a reason not with the files
        either. Where the schema has tables, an upgrade from base is refused.

        On failure: LedgerEdited, NotAdopted, and the errors of `_agree`.
        """
        self._revisions, self._by_id = revisions, {each.id: each for each in revisions}
        self._past = frozenset(revision.id for revision in revisions if revision.past)
        found = self.heads()
        if self.ledger.exists(self._connection):
            self.ledger.extend(self._connection)
            self.ledger.verify(self._connection)
        rows = self._rows()
        self._read, self._in_force, self._was_used = rows, applied(rows), was_used(rows)
        if self._run.command != "stamp":
            self._agree(revisions, found, rows)
            if (
                self._run.command == "upgrade"
                and session.is_inhabited
                and not (found or self._was_used or has_begun(rows))
            ):
                database, table = self._run.recorder.database, self._version_table.name
                has = "an empty version table" if session.is_versioned else "no version table"
                raise NotAdopted(database, table, has)
        elif self._run.reason is None:
            check_files(revisions, self._in_force)

    def _rows(self) -> Sequence[Row]:
        """The rows of the ledger; the transaction that read them is rolled back."""
        found = self.ledger.rows(self._connection)
        self._connection.rollback()
        return found

    def _agree(
        self, revisions: Sequence[Revision], found: frozenset[str], rows: Sequence[Row]
    ) -> None:
        """Compare files, version table and ledger, each with the others.

        On failure: the errors of `check_integrity`; LedgerContradicted.
        """
        if not found <= {revision.id for revision in revisions}:
            return  # a newer build was here; `recorded` says so
        # Before the ledger: what is not recorded may only seem to be applied.
        self.refuse_ancestors(found)
        in_force, has_ledger = applied(rows), was_used(rows)
        check_integrity(revisions, found, in_force, has_ledger=has_ledger)
        at = position(revisions, found, in_force, self._version_table, has_ledger=has_ledger)
        if at.contradiction is not None:
            why, help_ = at.contradiction.why, at.contradiction.help
            raise LedgerContradicted(self._run.recorder.database, why, help_)

    def refuse_ancestors(self, found: Collection[str]) -> None:
        """On failure: LedgerContradicted, where one of these rows builds on another.

        Alembic's stamp takes each row for a head: it would leave one too many, or fail.
        """
        for head in sorted(found):
            if head in ancestors(self._revisions, set(found) - {head}):
                known = [each for each in self._revisions if each.id in self._in_force]
                at = arguments(sorted(heads(known))) if known else "REV"
                raise LedgerContradicted(
                    self._run.recorder.database,
                    f"of its rows {', '.join(sorted(found))} one builds on another",
                    f"`{command()} ops adopt {at} --reason …` records where the schema is, as does "
                    f"`{alembic()} stamp --purge {at}`",
                )

    def past(self, about: PlannedRevision) -> PastRevision | None:
        """The revision that begins, where it is taken as it is."""
        if about.direction == "stamp" or about.revision not in self._past:
            return None

        def write(kept: str) -> None:
            self._left.add(about.revision)
            self.append(about.revision, about.direction, "started", error=kept)

        return PastRevision(self._connection, about.revision, self._begun(about), write)

    def _begun(self, about: PlannedRevision) -> str | None:
        """The text of the last row about an attempt that did not end."""
        if about.revision in self._left:
            # The row of this run may have been rolled back with its transaction.
            self._read = self.ledger.rows(self._connection)
        return last_attempt(self._read, about.revision, about.direction)

    def refuse_applied(self, plan: Sequence[PlannedRevision]) -> None:
        """On failure: LedgerContradicted, where the plan has a revision that is in force."""
        for about in plan:
            if about.direction == "upgrade" and about.revision in self._in_force:
                raise LedgerContradicted(
                    self._run.recorder.database,
                    f"{about.revision} is pending by {self._version_table.name} and applied by the "
                    "ledger",
                    f"`{command()} ledger` shows when it was applied",
                )

    def agrees(self, after: Collection[str]) -> bool:
        """Whether the ledger has the revisions that a database at `after` has, as they are."""
        if not (after or self._was_used):
            return False  # nothing says yet that it begins at base
        below = ancestors(self._revisions, after)
        known = {r.id: r.sha256 for r in self._revisions if r.id in below}
        return known == {identifier: row.checksum for identifier, row in self._in_force.items()}

    def begin(self, ctx: MigrationContext) -> None:
        """Let the ledger begin where an upgrade finds nothing else to do. As `prepare`."""
        is_upgrade = self._run.command == "upgrade"
        if is_upgrade and heads_of(self._connection, self._version_table) and self.prepare(ctx):
            self._connection.commit()

    def prepare(self, ctx: MigrationContext) -> bool:
        """Create version table and ledger where they are missing, in the current transaction.

        False where nothing was written. On failure: PermissionMissing.
        """
        connection = self._connection
        ensure_version_table(ctx)
        exists, tells = self.ledger.exists(connection), self._was_used
        if exists:
            self.ledger.extend(connection)
            # This run may have written the first row meanwhile.
            tells = tells or was_used(self.ledger.read(connection))
        below = ancestors(self._revisions, heads_of(connection, self._version_table))
        if exists and (tells or not below):
            written = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
            return bool(connection.exec_driver_sql(written).scalar())
        taken = [revision for revision in self._revisions if revision.id in below]
        adopted = ", ".join(revision.id for revision in taken) or "nothing"
        is_lost = exists or self.ledger.was_dropped(connection)
        if exists:
            self._tell_lost(f"it gets {adopted} as adopted", "has no row of a revision")
        elif is_lost:
            self._tell_lost(f"it is created again, with {adopted} as adopted")
        if not exists:
            self.ledger.create(connection)
        for revision in taken:
            self.append(revision.id, "upgrade", "adopted")
        if taken and not is_lost:
            self._run.recorder.adopt(tuple(sorted(heads(taken))), len(taken))
        return True

    def _tell_lost(self, what_follows: str, why: str = "was dropped") -> None:
        lost = "who applied what, and when, is lost up to now"
        text = f"{self.ledger.name} {why}: {lost}; {what_follows}"
        self._run.recorder.listen(Warned("ledger-lost", text))

    def append(
        self, identifier: str, direction: str, outcome: str, *, error: str | None = None
    ) -> None:
        """Write a row about a revision, in the transaction that is open."""
        entry = self.entry(identifier, direction, outcome, error=error)
        appending.append(self._connection, self.ledger, entry)

    def entry(
        self, identifier: str, direction: str, outcome: str, *, error: str | None = None
    ) -> Entry:
        """The row about a revision of this run."""
        revision, sent = self._by_id.get(identifier), self._run.recorder.sent
        return self._entry(
            revision,
            identifier,
            direction,
            outcome,
            statements=sent.count,
            attempts=self._run.recorder.attempts,
            error=error,
            reason=self._run.reason,
            requires_code=revision.requires_code if revision else None,
            details=sent.details() if outcome in ("applied", "failed") else None,
        )

    def measure(self, heads: Sequence[str], direction: str) -> None:
        """Write the fingerprint of the schema that the run has left, so a change can be dated."""
        known = [revision for revision in self._revisions if revision.id in heads]
        of = self._run.project
        found = catalog.fingerprint(self._connection, of.schemas, of.version_table, of.exclude)
        newest, named = known[-1] if known else None, "+".join(heads) or "base"
        entry = self._entry(newest, named, direction, "measured", fingerprint=found)
        appending.append(self._connection, self.ledger, entry)
        self._connection.commit()

    def entries_of_stamp(self, after: Collection[str]) -> list[Entry]:
        """Rows that make the ledger tell what a database at `after` has, as the files are."""
        stamped = "adopted" if self._run.adopt else "stamped"
        below = ancestors(self._revisions, after)
        # A stamp of several revisions has a step for each, and writes rows with each.
        in_force = applied(self.ledger.read(self._connection))
        rows = [] if after or in_force else [("base", "downgrade")]
        rows += [(each, "downgrade") for each in reversed(in_force) if each not in below]
        for revision in self._revisions:
            row = in_force.get(revision.id)
            if revision.id in below and (row is None or row.checksum != revision.sha256):
                rows.append((revision.id, "stamp"))
        return [self.entry(*row, stamped) for row in rows]

    def _entry(
        self,
        revision: Revision | None,
        named: str,
        direction: str,
        outcome: str,
        **columns: Any,
    ) -> Entry:
        return Entry(
            revision=named,
            direction=direction,
            phase=revision.phase if revision else "unknown",
            outcome=outcome,
            checksum=revision.sha256 if revision else "",
            build=self._run.limits.build,
            **columns,
        )
