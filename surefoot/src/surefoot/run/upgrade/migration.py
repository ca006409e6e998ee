"""Migration is one upgrade, downgrade or stamp, from the first look at the database to the last.

1. Look: a database that has what was asked for is left alone. No lock is taken and no revision file
   is read. One that is ahead of this build gets a verdict.
2. Take the mutex, or wait for its holder, looking again at every try.
3. Compare the ledger with the revision files: applied revisions must not differ.
4. Run the revisions, one transaction each. A lock timeout or a deadlock rolls the revision back; it
   is tried again on a growing schedule, within a budget.
5. Look again: the database is where the run says that it is. The ledger keeps the fingerprint of
   the schema, so that a later difference can be dated.

The mutex is released in every case, and the session's settings are as they were.
"""

from collections.abc import Callable, Sequence
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from surefoot.chain.lockfile import check_lock
from surefoot.chain.revisions import Revision, heads, one_head
from surefoot.connect.failures import describe, is_lost
from surefoot.errors import Interrupted, SurefootError, TargetMissed
from surefoot.operations import constraints  # noqa: F401 - registers its operations
from surefoot.operations.concurrently import OutsideTransaction
from surefoot.run.events import NotMeasured
from surefoot.run.guards.admission import admit
from surefoot.run.guards.guards import (
    compare_with_stamp,
    protect_data,
    refuse_unsafe,
    spare_services,
)
from surefoot.run.guards.id_length import refuse_long_ids
from surefoot.run.guards.mixture import refuse_mixtures
from surefoot.run.locks import mutex
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.upgrade.bookkeeping import Bookkeeping
from surefoot.run.upgrade.diagnosis import diagnose
from surefoot.run.upgrade.retry import Retries
from surefoot.run.upgrade.transaction import RevisionTransaction


class Migration:
    """A run on one connection, in a greenlet of the loop that is running."""

    def __init__(self, run: Run) -> None:
        self._run, self._connection = run, run.connection
        self._project, self._recorder = run.project, run.recorder
        self._revisions: Sequence[Revision] = ()
        self._guarded = False
        self._bookkeeping = Bookkeeping(run)
        self._transaction = RevisionTransaction(run)
        self._retries = Retries(run, self._transaction)

    def run(self, attempt: Callable[[], None]) -> None:
        """Run; `attempt` lets Alembic run the pending revisions from where the database is.

        On failure: the error of `diagnose`, which the ledger keeps; Interrupted, where somebody
        asked for it, whichever exception that caused.
        """
        run = self._run
        with run.telemetry.run(run.command):
            try:
                run.interruption.pid, self._transaction.session_lock_timeout = admit(run)
                run.observer.pid = run.interruption.pid
                with run.observer.on():
                    self._run_observed(attempt)
            except DBAPIError as error:
                # Any statement may have been cancelled, also one outside of a revision.
                if run.interruption.requested:
                    raise Interrupted(run.interruption.signal) from error
                raise
        self._recorder.end(heads(self._project.locked()))

    def _run_observed(self, attempt: Callable[[], None]) -> None:
        run, locked = self._run, self._project.locked()

        def nothing_left() -> bool:
            run.interruption.check()
            return self._bookkeeping.nothing_left(locked)

        with mutex.held(
            self._connection,
            mutex.key(self._project.version_table),
            wait_s=run.limits.mutex_wait_s,
            sleep=run.interruption.sleep,
            done=lambda: self._retries.look(nothing_left),
            waiting=mutex.telling(run),
        ) as got:
            run.telemetry.mutex_ends()
            if not got:
                return
            self._revisions = self._project.revisions()
            one_head(self._revisions)
            check_lock(self._project.lock, self._revisions)
            refuse_long_ids(run, self._revisions)
            self._retries.look(lambda: self._bookkeeping.open(self._revisions))
            refuse_mixtures(self._revisions, self._recorder.before, run.command)
            try:
                with self._transaction.observed():
                    self._retries.revisions(attempt)
            except Exception as error:
                meant = diagnose(error, run, self._transaction.kept(lost=is_lost(error)))
                if meant is None:
                    raise
                # While this run has the mutex: the ledger has one writer.
                self._record_failure(meant)
                if meant is error:
                    raise
                raise meant from error
            self._retries.look(self._arrived)
            self._measure()

    def _record_failure(self, error: SurefootError) -> None:
        """Write a row about the failed revision, where the connection still works."""
        running = self._recorder.running
        if running is None or self._connection.invalidated:
            # The mutex went with the connection; another run may have it and write to the ledger.
            return
        for _ in range(2):  # the first may meet a cancellation that was on its way
            try:
                self._transaction.roll_back()
                self._bookkeeping.append(
                    running.revision, running.direction, "failed", error=error.message
                )
                self._connection.commit()
            except (SQLAlchemyError, OSError):
                continue
            return

    def _arrived(self) -> None:
        """On failure: TargetMissed, where the database is not where the run left it."""
        found = self._bookkeeping.heads()
        if found != frozenset(self._recorder.after):
            expected = sorted(self._recorder.after)
            name = self._project.version_table.name
            raise TargetMissed(self._recorder.database, expected, sorted(found), name)

    def _measure(self) -> None:
        """Record the fingerprint. Everything is applied, so an error here does not fail the run."""
        if not self._recorder.steps:
            return
        try:
            self._bookkeeping.measure(self._recorder.after, self._recorder.steps[-1].direction)
        except DBAPIError as error:
            self._transaction.roll_back()
            self._run.interruption.check()
            if is_lost(error):
                raise
            self._recorder.listen(NotMeasured(describe(error)))

    # -- called by Alembic, in the order of a run --------------------------------------------------

    def planned(self, steps: Sequence[RevisionStep], plan: Sequence[PlannedRevision]) -> None:
        """Alembic has chosen the steps; the guards look at them before the first one.

        On failure: ServicesAlive, StampRefused, RevisionUnsafe, DataWouldBeLost, BackupMissing,
        BackupFailed.
        """
        if not plan or self._guarded:
            return
        self._guarded, run = True, self._run
        if run.command == "upgrade" and run.reason is None:
            spare_services(run, self._revisions, plan)
        if run.command == "stamp" and run.reason is None:
            compare_with_stamp(run, plan[-1].after)
        elif run.command != "stamp" and run.limits.production:
            refuse_unsafe(run, plan)
            kept = protect_data(run, self._revisions, steps, plan)
            if kept is not None:
                first = plan[0]
                self._bookkeeping.append(first.revision, first.direction, "backup", error=kept)
        # Alembic has created its table in this transaction, and would lose it to a rollback.
        self._connection.commit()

    def revision_starts(self, about: PlannedRevision) -> None:
        """A revision begins in a transaction of its own."""
        self._recorder.start(about)
        self._run.telemetry.revision_starts(about.revision, about.direction)
        self._retries.begin(about.revision)
        self._transaction.begin()

    def revision_done(self) -> None:
        """It is committed."""
        self._recorder.done()
        self._run.telemetry.revision_ends()

    def on_version_apply(self, *, step: Any, **_: Any) -> None:
        """A revision has run in its transaction; its row commits with it."""
        self._transaction.complete(step.up_revision_id)
        if step.is_stamp:
            self._bookkeeping.append_stamp(step)
            return
        direction = "upgrade" if step.is_upgrade else "downgrade"
        self._bookkeeping.append(step.up_revision_id, direction, "applied")

    def outside_transaction(self, ctx: MigrationContext, step: OutsideTransaction) -> None:
        """Run a step that PostgreSQL allows only outside a transaction, again where it got no lock.

        A `started` row is committed before it, so that a crash during the step can be seen.
        """
        running = self._transaction.leave()
        failure: Exception | None = None
        try:
            with ctx.autocommit_block():
                try:
                    self._bookkeeping.append(running.revision, running.direction, "started")
                    with self._transaction.lock_timeout(step.lock_class):
                        self._retries.step(running.revision, lambda: step.run(self._connection))
                except Exception as error:
                    failure = error
        except Exception:
            # On a lost connection the end of the block fails too, and says nothing new.
            if failure is None:
                raise
        if failure is not None:
            raise failure
        self._transaction.step_done()
