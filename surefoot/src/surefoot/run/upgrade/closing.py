"""Closing writes the rows about a revision that has run: of the version table and of the ledger.

They go with its commit, in one message, or with that of its stretch. The server refuses them where
the revision is not in its transaction any more, or the version table not where it was.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from alembic.util.exc import CommandError

from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import PREPARED_STATEMENT_MISSING, describe, is_lost, sqlstate
from surefoot.errors import CommitsByItself
from surefoot.ledger.appending import no_moves, statements, statements_together, unwritten
from surefoot.ledger.kept_row import KeptRow
from surefoot.ledger.table import Entry
from surefoot.run.guards.loss import LossGuard
from surefoot.run.question import ask, may_be_shared, send
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.upgrade.bookkeeping import Bookkeeping
from surefoot.run.upgrade.reverted_backfills import forget_backfills
from surefoot.run.upgrade.stretch import Stretch
from surefoot.run.upgrade.transaction import RevisionTransaction

# PostgreSQL makes a custom plan for the first five executions of a prepared statement.
_SEVERAL = 8


class Closing:
    """The end of each revision of a run."""

    def __init__(
        self,
        run: Run,
        bookkeeping: Bookkeeping,
        stretch: Stretch,
        transaction: RevisionTransaction,
        *,
        calls_back: bool,
    ) -> None:
        """`calls_back`: the project has functions of its own that run after each revision."""
        self._run, self._connection, self._recorder = run, run.connection, run.recorder
        self._table, self._calls_back = run.project.version_table, calls_back
        self._bookkeeping, self._stretch, self._transaction = bookkeeping, stretch, transaction
        self._loss = LossGuard(run)
        # The revision after each of the plan.
        self._following: Mapping[str, PlannedRevision] = {}
        # Whether the statement that writes a row is worth to be kept.
        self._keeps = False
        self._kept_row = KeptRow()
        # The revision whose rows went to the server last.
        self._written: PlannedRevision | None = None

    def planned(self, plan: Sequence[PlannedRevision]) -> None:
        """The revisions that are to run, in their order."""
        self._following = {each.revision: then for each, then in pairwise(plan)}
        self._keeps = len(plan) > _SEVERAL and may_be_shared(self._connection)

    def begin(self, about: PlannedRevision) -> None:
        """A revision begins, or another attempt: find out in which transaction."""
        if about == self._written:
            self._kept_row.forget()  # the message with its rows has failed
        self._transaction.identify(self._loss.begin if self._guards_data(about) else None)

    def function_done(self) -> None:
        """The function of a revision has run. On failure: CommandError."""
        about = self._recorder.running
        if self._calls_back and about is not None:
            self._move(about)

    def write(self, step: Any, heads: Collection[str]) -> None:
        """The step of a revision is done, which leaves the version table at `heads`.

        On failure: CommitsByItself, DataWouldBeLost, BackupMissing, CommandError.
        """
        about = self._recorder.running
        if about is None:
            raise RuntimeError("no revision is running")
        revision, direction = step.up_revision_id, "upgrade" if step.is_upgrade else "downgrade"
        if step.is_stamp:
            entries = self._bookkeeping.entries_of_stamp(heads)
        else:
            entries = [self._bookkeeping.entry(revision, direction, "applied")]
        if not entries and not self._calls_back:
            self._move(about)
        self._complete(about, revision, entries, moves=not self._calls_back)

    def write_stamp(self, about: PlannedRevision) -> None:
        """Correct the ledger where the version table needs no step."""
        entries = self._bookkeeping.entries_of_stamp(about.after)
        self._complete(about, about.revision, entries, moves=False)

    def leave(self, running: PlannedRevision) -> None:
        """The running revision leaves its transaction: what ran in it before is to commit."""
        if self._stretch.may_have(running):
            rows = self._rows_of_stretch(running.before, self._stretch.identity)
            self._transaction.messages.write(rows)

    def end(self) -> None:
        """Leave the session without a prepared statement, which may be somebody else's.

        On failure: DBAPIError, where the connection is lost. Another would not hold the mutex.
        """
        query = self._kept_row.left()
        if query is None or self._connection.invalidated:
            return
        try:
            with self._transaction.unobserved():
                if (drops := ask(self._connection, query)) is not None:
                    send(self._connection, drops)
                self._connection.commit()
        except DATABASE_ERRORS as error:
            if is_lost(error):
                raise
            self._transaction.roll_back()

    def keeps_no_more(self, error: Exception) -> bool:
        """Whether the kept statement was dropped unseen, by a function or past SQLAlchemy.

        From now on each row is written by a whole statement, so the revision can run again.
        """
        is_missing = sqlstate(error) == PREPARED_STATEMENT_MISSING
        if not (is_missing and self._keeps and self._kept_row.is_named(describe(error))):
            return False
        self._keeps = False
        return True

    def refusal(self, error: Exception) -> Exception | None:
        """The meaning of an error by which the rows refused to be written; None for another."""
        column, running = unwritten(self._bookkeeping.ledger, error), self._recorder.running
        if column is None or running is None:
            return None
        self._transaction.is_complete = False
        return CommitsByItself(running.revision) if column == "id" else self._moved(running)

    def _moved(self, about: PlannedRevision) -> CommandError:
        return CommandError(f"{self._table.name} is not at {', '.join(about.before)} any more")

    def _move(self, about: PlannedRevision) -> None:
        """Write the version table now, for whoever looks before the commit."""
        if not self._transaction.restore(*self._table.changes(about.before, about.after)):
            raise self._moved(about)

    def _complete(
        self,
        about: PlannedRevision,
        revision: str,
        entries: Sequence[Entry],
        *,
        moves: bool,
    ) -> None:
        def rows(identity: str | None) -> Sequence[str]:
            if identity is None or not self._stretch.may_have(about):
                return self._rows_of_one(about, entries, identity, moves=moves)
            self._stretch.add(entries)
            if self._stretch.goes_on_with(self._following.get(about.revision)):
                return ()
            return self._rows_of_stretch(about.after, identity)

        self._transaction.complete(revision, self._keeps_data, rows)

    def _rows_of_one(
        self,
        about: PlannedRevision,
        entries: Sequence[Entry],
        identity: str | None,
        *,
        moves: bool,
    ) -> Sequence[str]:
        ledger, kept, ends = self._bookkeeping.ledger, self._kept_row, list[str]()
        changes = partial(self._table.changes, about.before, about.after) if moves else no_moves
        self._written = about
        if identity is None or not self._transaction.is_plain:
            kept.forget()
        if about.revision not in self._following:
            ends = kept.end()
        is_kept = self._keeps and identity is not None and not ends
        if about.direction == "downgrade":
            ends = [*ends, forget_backfills(self._table, ledger, about.revision)]
        return *ends, *statements(
            self._connection, ledger, entries, identity, changes, kept if is_kept else None
        )

    def _rows_of_stretch(self, after: Sequence[str], identity: str) -> Sequence[str]:
        ends = self._stretch.end()
        moves = partial(self._table.changes, self._stretch.before, after)
        ledger, rows = self._bookkeeping.ledger, self._stretch.rows
        return *ends, *statements_together(self._connection, ledger, rows, identity, moves)

    def _keeps_data(self, identity: str | None) -> bool:
        about = self._recorder.running
        # A step outside the transaction builds or drops an index, or detaches a partition.
        if about is None or identity is None or not self._guards_data(about):
            return True
        self._transaction.restore()
        with self._transaction.unobserved():
            return self._loss.refuse(about)

    def _guards_data(self, about: PlannedRevision) -> bool:
        # What the revisions of a database that was empty have written is not data.
        is_new = self._stretch.is_of_nobody and self._stretch.may_have(about)
        return self._run.counts_losses and about.direction != "stamp" and not is_new
