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

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.lockfile import check_lock
from surefoot.chain.revisions import Revision, heads, one_head
from surefoot.connect.failures import describe, is_lost
from surefoot.connect.limits import Limits
from surefoot.errors import Interrupted, SurefootError, TargetMissed
from surefoot.operations import constraints  # noqa: F401 - registers its operations
from surefoot.operations.concurrently import OutsideTransaction
from surefoot.project import Project
from surefoot.run.events import NotMeasured
from surefoot.run.guards.admission import admit
from surefoot.run.guards.guards import (
    compare_with_stamp,
    protect_data,
    refuse_unsafe,
    spare_services,
)
from surefoot.run.guards.mixture import refuse_mixtures
from surefoot.run.locks import mutex
from surefoot.run.locks.observer import Observer
from surefoot.run.recorder import Recorder
from surefoot.run.report import PlannedRevision
from surefoot.run.sessions import MutexHolder
from surefoot.run.upgrade.bookkeeping import Bookkeeping
from surefoot.run.upgrade.diagnosis import diagnose
from surefoot.run.upgrade.interruption import Interruption
from surefoot.run.upgrade.pending import nothing_left
from surefoot.run.upgrade.retry import Retries
from surefoot.run.upgrade.transaction import RevisionTransaction
from surefoot.telemetry import Telemetry

HEADS = ("head", "heads")


class Migration:
    """A run on one connection, in a greenlet of the loop that is running."""

    def __init__(
        self,
        connection: Connection,
        project: Project,
        *,
        command: str,
        destination: str | None,
        limits: Limits,
        recorder: Recorder,
        interruption: Interruption,
        reason: str | None = None,
        adopt: bool = False,
    ) -> None:
        self._connection = connection
        self._project = project
        self._version_table = project.version_table
        self._command, self._destination = command, destination
        self._limits, self._recorder, self._interruption = limits, recorder, interruption
        # Somebody gave a reason why the guards are to let this run pass.
        self._overrides_guards = reason is not None
        self._revisions: Sequence[Revision] = ()
        self._guarded = False
        self._telemetry = Telemetry(recorder.database)
        self._bookkeeping = Bookkeeping(
            connection,
            recorder,
            build=limits.build,
            reason=reason,
            adopt=adopt,
            version_table=project.version_table,
        )
        self._observer = Observer(
            AsyncEngine(connection.engine), limits=limits, listen=recorder.listen
        )
        self._transaction = RevisionTransaction(
            connection,
            recorder,
            limits=limits,
            interruption=interruption,
            observer=self._observer,
            version_table=project.version_table,
        )
        self._retries = Retries(
            self._transaction,
            recorder,
            limits=limits,
            interruption=interruption,
            observer=self._observer,
            telemetry=self._telemetry,
        )

    def run(self, attempt: Callable[[], None]) -> None:
        """Run; `attempt` lets Alembic run the pending revisions from where the database is.

        On failure: the error of `diagnose`, which the ledger keeps; Interrupted, where somebody
        asked for it, whichever exception that caused.
        """
        with self._telemetry.run(self._command):
            try:
                self._run(attempt)
            except DBAPIError as error:
                # Any statement may have been cancelled, also one outside of a revision.
                if self._interruption.requested:
                    raise Interrupted(self._interruption.signal) from error
                raise
        self._recorder.end(heads(self._project.locked()))

    def _run(self, attempt: Callable[[], None]) -> None:
        session = admit(
            self._connection, self._command, self._recorder.database, self._version_table
        )
        self._transaction.session_lock_timeout = session.lock_timeout
        self._interruption.pid = self._observer.pid = session.pid
        with self._observer.on():
            self._run_observed(attempt)

    def _run_observed(self, attempt: Callable[[], None]) -> None:
        limits, locked = self._limits, self._project.locked()
        tell = mutex.telling(self._recorder.listen, limits)

        def waiting(holder: MutexHolder | None, waited_s: float) -> None:
            self._telemetry.mutex_waits()
            tell(holder, waited_s)

        with mutex.held(
            self._connection,
            mutex.key(self._version_table),
            wait_s=limits.mutex_wait_s,
            sleep=self._interruption.sleep,
            done=lambda: self._retries.look(lambda: self._nothing_left(locked)),
            waiting=waiting,
        ) as got:
            self._telemetry.mutex_ends()
            if not got:
                return
            self._revisions = self._project.revisions()
            one_head(self._revisions)
            check_lock(self._project.lock, self._revisions)
            self._retries.look(lambda: self._bookkeeping.open(self._revisions))
            refuse_mixtures(self._revisions, self._recorder.before, self._command)
            try:
                with self._transaction.observed():
                    self._retries.revisions(attempt)
            except Exception as error:
                meant = self._diagnosed(error)
                if meant is None:
                    raise
                # While this run has the mutex: the ledger has one writer.
                self._record_failure(meant)
                if meant is error:
                    raise
                raise meant from error
            self._retries.look(self._arrived)
            self._measure()

    def _nothing_left(self, locked: Sequence[Revision]) -> bool:
        self._interruption.check()
        return nothing_left(
            self._bookkeeping,
            self._project.versions,
            locked,
            self._recorder,
            command=self._command,
            to_head=self._destination in HEADS,
        )

    def _diagnosed(self, error: Exception) -> SurefootError | None:
        resume = f"alembic {self._command} {self._destination or ''}".rstrip()
        kept = self._transaction.kept(lost=is_lost(error))
        return diagnose(error, self._recorder, self._project.versions, resume, kept)

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
            name = self._version_table.name
            raise TargetMissed(self._recorder.database, expected, sorted(found), name)

    def _measure(self) -> None:
        """Record the fingerprint. Everything is applied, so an error here does not fail the run."""
        if not self._recorder.steps:
            return
        try:
            self._bookkeeping.measure(self._recorder.after, self._recorder.steps[-1].direction)
        except DBAPIError as error:
            self._transaction.roll_back()
            self._interruption.check()
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
        self._guarded = True
        connection, limits, listen = self._connection, self._limits, self._recorder.listen
        overrides, locked = self._overrides_guards, self._project.locked()
        if self._command == "upgrade" and not overrides:
            sleep = self._interruption.sleep
            spare_services(connection, self._revisions, plan, limits, sleep, listen)
        if self._command == "stamp" and not overrides:
            stamped, database = plan[-1].after, self._recorder.database
            compare_with_stamp(connection, locked, stamped, database, self._version_table)
        elif self._command != "stamp" and limits.production:
            refuse_unsafe(locked, plan, limits, listen)
            phases = {revision.id: revision.phase for revision in self._revisions}
            kept = protect_data(connection, steps, plan, phases, limits, overrides, listen)
            if kept is not None:
                first = plan[0]
                self._bookkeeping.append(first.revision, first.direction, "backup", error=kept)
        # Alembic has created its table in this transaction, and would lose it to a rollback.
        connection.commit()

    def revision_starts(self, about: PlannedRevision) -> None:
        """A revision begins in a transaction of its own."""
        self._telemetry.revision_starts(about.revision, about.direction)
        self._retries.begin(about.revision)
        self._transaction.begin()

    def revision_done(self) -> None:
        """It is committed."""
        self._telemetry.revision_ends()

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
