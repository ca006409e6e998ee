"""One upgrade, downgrade or stamp, from the first look to the last.

1. Look: a database that has what was asked for is left alone, without a lock and without a
   revision file being read. One that is ahead of this build gets a verdict.
2. Take the mutex, or wait for who has it, looking again at every try.
3. Compare the ledger with the revisions: what was applied is what the files say.
4. Run the revisions, one transaction each. A lock that cannot be had in time, or a deadlock, rolls
   the revision back and tries it again on a growing schedule, within a budget.
5. Look again: the database is where the run says that it is. The ledger keeps the fingerprint of
   what was left, so that a later difference can be dated.

Whatever happens the mutex is given back and nothing is left changed in the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from surefoot.chain.lockfile import check_lock, read_lock
from surefoot.chain.revisions import Revision, heads, one_head, read_revisions
from surefoot.chain.version_table import VersionTable
from surefoot.connect.failures import describe, is_lost
from surefoot.connect.limits import Limits
from surefoot.errors import Interrupted, SurefootError, TargetMissed
from surefoot.operations import constraints  # noqa: F401 - two for their operations
from surefoot.operations.concurrently import OutsideTransaction
from surefoot.run.guards.admission import admit
from surefoot.run.guards.guards import (
    compare_with_stamp,
    protect_data,
    refuse_unsafe,
    spare_services,
)
from surefoot.run.guards.mixture import refuse_mixtures
from surefoot.run.locks import mutex
from surefoot.run.locks.observer import Watch
from surefoot.run.report import Planned, Recorder
from surefoot.run.upgrade.bookkeeping import Bookkeeping, Counts
from surefoot.run.upgrade.interruption import Interruption
from surefoot.run.upgrade.pending import nothing_left
from surefoot.run.upgrade.retry import Retries
from surefoot.run.upgrade.transaction import RevisionTransaction
from surefoot.telemetry import Telemetry

# The error of ours that an error means, or None where none was running.
Meaning = Callable[[Exception], SurefootError | None]


class Migration:
    """A run on one connection, in a greenlet of the loop that is running."""

    def __init__(
        self,
        connection: Connection,
        versions: Path,
        *,
        command: str,
        to_head: bool,
        limits: Limits,
        recorder: Recorder,
        interruption: Interruption,
        watch: Watch,
        reason: str | None = None,
        adopt: bool = False,
        say: Callable[[str], None],
        version_table: VersionTable = VersionTable(),
    ) -> None:
        self._connection = connection
        self._version_table = version_table
        self._versions = versions
        self._lock_path = versions.parent / "revisions.lock"
        self._command = command
        self._to_head = to_head
        self._limits = limits
        self._recorder = recorder
        self._interruption = interruption
        self._watch = watch
        # Whether somebody gave a reason why a guard is to let this run pass.
        self._told = reason is not None
        self._say = say
        self._revisions: Sequence[Revision] = ()
        self._guarded = False
        self._telemetry = Telemetry(recorder.database)
        counts = Counts()
        self._bookkeeping = Bookkeeping(
            connection,
            counts,
            build=limits.build,
            reason=reason,
            adopt=adopt,
            version_table=version_table,
        )
        self._transaction = RevisionTransaction(
            connection,
            recorder,
            counts,
            limits=limits,
            interruption=interruption,
            watch=watch,
            version_table=version_table,
        )
        self._retries = Retries(
            self._transaction,
            recorder,
            counts,
            limits=limits,
            interruption=interruption,
            watch=watch,
            telemetry=self._telemetry,
            say=say,
        )

    @property
    def heads(self) -> frozenset[str]:
        """The newest revisions of this build."""
        return heads(read_lock(self._lock_path))

    def kept(self, *, lost: bool = False) -> str:
        """What of the running revision stays where it ends now, for an error to say."""
        return self._transaction.kept(lost=lost)

    def run(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        """Do it; `attempt` lets Alembic run what is pending from where the database is.

        On failure: what `meaning` makes of an error, which the ledger keeps; Interrupted, where
        somebody asked, whatever it was that ended because of that.
        """
        with self._telemetry.run(self._command):
            try:
                self._run(attempt, meaning)
            except DBAPIError as error:
                # A statement that was cancelled, wherever that met it.
                if self._interruption.requested:
                    raise Interrupted(self._interruption.signal) from error
                raise

    def _run(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        session = admit(
            self._connection, self._command, self._recorder.database, self._version_table
        )
        self._transaction.session_lock_timeout = session.lock_timeout
        self._interruption.pid = self._watch.pid = session.pid
        with self._watch.on():
            self._run_watched(attempt, meaning)

    def _run_watched(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        limits = self._limits
        locked = read_lock(self._lock_path)
        notice = mutex.Notice(self._say, first_s=limits.warn_after_s, limit_s=limits.mutex_wait_s)

        def waiting(holder: mutex.Holder | None, waited_s: float) -> None:
            self._telemetry.mutex_waits()
            notice.waiting(holder, waited_s)

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
            self._revisions = read_revisions(self._versions)
            one_head(self._revisions)
            check_lock(self._lock_path, self._revisions)
            self._retries.look(lambda: self._bookkeeping.open(self._revisions))
            refuse_mixtures(self._revisions, self._recorder.before, self._command)
            try:
                with self._transaction.observed():
                    self._retries.revisions(attempt)
            except Exception as error:
                meant = meaning(error)
                if meant is None:
                    raise
                # While the mutex is ours: the ledger has one writer.
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
            self._versions,
            locked,
            self._recorder,
            command=self._command,
            to_head=self._to_head,
            say=self._say,
        )

    def _record_failure(self, error: SurefootError) -> None:
        """Keep a row of what failed, where the connection still lets us."""
        running = self._recorder.running
        if running is None or self._connection.invalidated:
            # The mutex went with the connection; on another one we might write beside its holder.
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
        """Everything is applied: what stands in the way of a look at it ends no run."""
        if not self._recorder.steps:
            return
        try:
            self._bookkeeping.measure(self._recorder.after, self._recorder.steps[-1].direction)
        except DBAPIError as error:
            self._transaction.roll_back()
            self._interruption.check()
            if is_lost(error):
                raise
            self._say(f"NOTE  the schema was not measured: {describe(error)}")

    # -- what Alembic calls ----------------------------------------------------------------------

    def planned(self, steps: Sequence[RevisionStep], plan: Sequence[Planned]) -> None:
        """Alembic has chosen what to run; the guards look at it before the first step.

        On failure: ServicesAlive, StampRefused, RevisionUnsafe, DataWouldBeLost, BackupMissing,
        BackupFailed.
        """
        if not plan or self._guarded:
            return
        self._guarded = True
        connection, limits, told = self._connection, self._limits, self._told
        if self._command == "upgrade" and not told:
            sleep = self._interruption.sleep
            spare_services(connection, self._revisions, plan, limits, sleep, self._say)
        if self._command == "stamp" and not told:
            locked = read_lock(self._lock_path)
            stamped, database = plan[-1].after, self._recorder.database
            compare_with_stamp(connection, locked, stamped, database, self._version_table)
        elif self._command != "stamp" and limits.production:
            refuse_unsafe(read_lock(self._lock_path), plan, limits, self._say)
            phases = {revision.id: revision.phase for revision in self._revisions}
            kept = protect_data(connection, steps, plan, phases, limits, told, self._say)
            if kept is not None:
                first = plan[0]
                self._bookkeeping.append(first.revision, first.direction, "backup", error=kept)
        # Alembic has made its table in this transaction, and would lose it to a rollback.
        connection.commit()

    def revision_starts(self, about: Planned) -> None:
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
        """Run a step that PostgreSQL wants outside a transaction, again where a lock is in the way.

        A `started` row is committed before it, so that a crash in it can be seen.
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
            # The end of the block fails on a connection that is gone, and says nothing new.
            if failure is None:
                raise
        if failure is not None:
            raise failure
        self._transaction.step_done()
