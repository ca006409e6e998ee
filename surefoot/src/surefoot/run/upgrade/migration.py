"""Migration is one upgrade, downgrade or stamp, from the first look at the database to the last.

1. Look: a database that has what was asked for is left alone. No lock is taken and no revision file
   is read. One that is ahead of this build gets a verdict.
2. Take the mutex, or wait for its holder, looking again at every try.
3. Compare the ledger with the revision files: applied revisions must not differ.
4. Run the revisions, on an empty database behind a squash of the first. After a lock timeout or a
   deadlock a transaction runs again, on a growing schedule and within a budget.
5. Look again: the database is where the run says. The ledger keeps the fingerprint of the schema.

The mutex is released in every case. The session's settings are after each revision as they were.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from surefoot.chain.revisions import Revision
from surefoot.compat.alembic import own_transaction, take_transaction
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import describe, is_lost
from surefoot.connect.sender import own
from surefoot.errors import Interrupted, Refused, SurefootError, TargetMissed
from surefoot.operations import constraints, in_step  # noqa: F401 - they register operations
from surefoot.operations.concurrently import OutsideTransaction
from surefoot.run.events import NotMeasured
from surefoot.run.guards.admission import Session, admit
from surefoot.run.guards.backfills import fill_scratch
from surefoot.run.guards.before_a_run import guard
from surefoot.run.guards.id_length import refuse_long_ids
from surefoot.run.locks import mutex
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.run.sent import Sent
from surefoot.run.upgrade.beginning import begin, refuse_without_tables
from surefoot.run.upgrade.bookkeeping import Bookkeeping
from surefoot.run.upgrade.closing import Closing
from surefoot.run.upgrade.diagnosis import diagnose
from surefoot.run.upgrade.retry import Retries
from surefoot.run.upgrade.stretch import Stretch
from surefoot.run.upgrade.transaction import RevisionTransaction


class Migration:
    """A run on one connection, in a greenlet of the loop that is running."""

    def __init__(self, run: Run, *, calls_back: bool = False) -> None:
        """`calls_back`: the project has functions of its own that run after each revision."""
        self._run, self._connection = run, run.connection
        self._project, self._recorder = run.project, run.recorder
        # As their files are, once the run has read them.
        self.revisions: Sequence[Revision] = ()
        self._guarded = False
        self._ctx: MigrationContext | None = None
        self._bookkeeping = Bookkeeping(run)
        self._stretch = Stretch(run, is_wanted=not calls_back)
        self._transaction = RevisionTransaction(run, self._stretch)
        self._closing = Closing(
            run, self._bookkeeping, self._stretch, self._transaction, calls_back=calls_back
        )
        self._retries = Retries(run, self._transaction, self._stretch, self._closing)

    def run(self, attempt: Callable[[], None]) -> None:
        """Run; `attempt` lets Alembic run the pending revisions from where the database is.

        On failure: the error of `diagnose`, which the ledger keeps; Interrupted, where somebody
        asked for it, whichever exception that caused.
        """
        run = self._run
        with run.telemetry.run(run.command):
            try:
                session = admit(run)
                self._transaction.lock_timeout.session_s = session.lock_timeout_s
                run.interruption.pid = run.observer.pid = session.pid
                with run.observer.on():
                    self._run_observed(attempt, session)
            except DBAPIError as error:
                # Any statement may have been cancelled, also one outside of a revision.
                if run.interruption.requested:
                    raise Interrupted(run.interruption.signal) from error
                raise
        self._recorder.end(self._project.locked())

    def _run_observed(self, attempt: Callable[[], None], session: Session) -> None:
        run, locked = self._run, self._project.locked()
        if not self._project.is_locked():
            self._files()

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
            self.revisions = self._files()
            refuse_long_ids(run, self.revisions)
            self._retries.look(lambda: self._bookkeeping.open(self.revisions, session))
            if begin(run, self.revisions, self._stretch):
                self._retries.look(lambda: self._bookkeeping.open(self.revisions, session))
            self._stretch.allow(session, (each.id for each in self.revisions if each.past))
            with self._stretch.batches():
                try:
                    with self._transaction.observed():
                        self._retries.revisions(attempt)
                except Exception as error:
                    failed = self._stretch.batching.failed
                    kept = self._transaction.kept(lost=is_lost(error))
                    meant = diagnose(error, run, kept, failed)
                    if meant is None:
                        raise
                    if not isinstance(meant, Refused):
                        # While this run has the mutex: the ledger has one writer.
                        self._record_failure(meant)
                    if not is_lost(error):
                        with suppress(*DATABASE_ERRORS):
                            self._closing.end()
                    if meant is error:
                        raise
                    raise meant from error
            self._closing.end()
            self._retries.look(self._arrived)
            self._measure()

    def _files(self) -> Sequence[Revision]:
        """The revisions by their files. On failure: RevisionsBroken, LockFileStale."""
        revisions = self._project.revisions()
        self._project.check_lock(revisions)
        return revisions

    def _record_failure(self, error: SurefootError) -> None:
        """Write a row about the failed revision, where the connection still works."""
        running = self._recorder.running
        for _ in range(2):  # the first may meet a cancellation that was on its way
            if running is None or self._connection.invalidated:
                # The mutex went with the connection: another run may have it and write to the
                # ledger. SQLAlchemy would connect again.
                return
            try:
                self._transaction.roll_back()
                if self._ctx is not None:
                    self._bookkeeping.prepare(self._ctx)
                self._recorder.sent.only_answered()
                with self._transaction.unobserved():
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
            name, expected = self._project.version_table.name, sorted(self._recorder.after)
            applied = [step.revision for step in self._recorder.steps]
            raise TargetMissed(self._recorder.database, expected, sorted(found), name, applied)

    def _measure(self) -> None:
        """Record the fingerprint. Everything is applied, so an error here does not fail the run."""
        if not (self._recorder.steps and self._run.measure):
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

    def found(self, heads: Collection[str]) -> None:
        """Alembic has read the version table. On failure: LedgerContradicted."""
        self._bookkeeping.refuse_ancestors(heads)

    def planned(
        self,
        ctx: MigrationContext,
        heads: Collection[str],
        plan: Sequence[PlannedRevision],
    ) -> None:
        """Alembic has chosen the steps; the guards look at them before anything is written.

        Version table and ledger are then created, in the transaction of the first revision.
        On failure: BeforeSquash, LedgerContradicted, MixedRevision, CommitsByItself, ServicesAlive,
        StampRefused, BackfillPending, RevisionUnsafe, BackupMissing, BackupFailed.
        """
        self._ctx, run = ctx, self._run
        refuse_without_tables(run, self.revisions, plan)
        run.chosen(plan, self.revisions)
        self._closing.planned(plan)
        self._bookkeeping.refuse_applied(plan)
        after = plan[-1].after if plan else tuple(heads)
        # Alembic has no step for what a purge has removed, nor for the ledger.
        is_right = set(self._recorder.before) == set(after) and self._bookkeeping.agrees(after)
        is_stamp = run.command == "stamp" and not plan and not is_right
        if not plan and not is_stamp:
            self._bookkeeping.begin(ctx)
            return
        kept = None if self._guarded else guard(run, self.revisions, plan, after)
        self._guarded = True
        is_written = self._bookkeeping.prepare(ctx)
        if kept is not None:
            first = plan[0]
            self._bookkeeping.append(first.revision, first.direction, "backup", error=kept)
            self._connection.commit()
        elif not is_written:
            # The first revision does not hold the locks of the guards.
            self._connection.rollback()
        if is_stamp:
            self._stamp_ledger(after)

    def _stamp_ledger(self, after: tuple[str, ...]) -> None:
        """Correct the ledger where the version table needs no step."""
        named = ", ".join(after) or "base"
        about = PlannedRevision(named, "", "stamp", self._recorder.before, after)
        self._recorder.begin(about.before, [about])
        self.revision_starts(about)
        self._closing.write_stamp(about)
        self._connection.commit()
        self.revision_done()

    def revision_starts(self, about: PlannedRevision) -> None:
        """A revision begins, in a transaction of its own or in its stretch."""
        fill_scratch(self._run, self.revisions, about)
        self._recorder.start(about)
        self._run.telemetry.revision_starts(about.revision, about.direction)
        self._retries.begin(about.revision)
        if (ctx := self._ctx) is not None:
            own_transaction(ctx, not self._stretch.may_have(about))
        self._transaction.begin(self._bookkeeping.past(about))
        self._closing.begin(about)

    def function_done(self) -> None:
        """The function of a revision has run. On failure: CommandError."""
        if self._ctx is not None:
            self._transaction.function_done(self._ctx)
        self._closing.function_done()

    def revision_done(self) -> None:
        """It is committed by Alembic, is to be committed, or its stretch lasts."""
        about, lasts = self._recorder.running, self._stretch.lasts
        if about is not None and self._stretch.may_have(about) and not lasts:
            self._connection.commit()
        self._run.observer.statement_ends()
        self._recorder.done(self._stretch.batching.when_answered)
        if not lasts:
            self._stretch.committed(self._recorder)
        self._transaction.begin()
        self._run.telemetry.revision_ends()

    def on_version_apply(self, *, step: Any, heads: Collection[str], **_: Any) -> None:
        """A revision has run in its transaction; its row commits with it.

        On failure: CommitsByItself, DataWouldBeLost, BackupMissing.
        """
        self._closing.write(step, heads)

    def outside_transaction(self, ctx: MigrationContext, step: OutsideTransaction) -> None:
        """Run a step that PostgreSQL allows only outside a transaction, again where it got no lock.

        A `started` row is committed before it, so that a crash during the step can be seen.
        """
        running, failure = self._transaction.leave(), None
        if self._stretch.may_have(running):
            take_transaction(ctx)
        self._closing.leave(running)
        try:
            with own(), ctx.autocommit_block():
                self._stretch.committed(self._recorder)
                try:
                    self._retries.step(running.revision, "short", step.refuse)
                    self._transaction.step_begins()
                    self._bookkeeping.append(running.revision, running.direction, "started")
                    self._recorder.sent = Sent()
                    self._retries.step(running.revision, step.lock_class, step.run)
                except Exception as error:
                    failure = error
        except Exception:
            # On a lost connection the end of the block fails too, and says nothing new.
            if failure is None:
                raise
        if failure is not None:
            raise failure
        self._transaction.step_done()
