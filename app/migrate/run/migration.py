"""One upgrade, downgrade or stamp, from the first look to the last.

1. Look: a database that has what was asked for is left alone, without a lock and without a
   revision file being read. One that is ahead of this build gets a verdict.
2. Take the mutex, or wait for who has it, looking again at every try.
3. Compare the ledger with the revisions: what was applied is what the files say.
4. Run the revisions, one transaction each. A lock that cannot be had in time, or a deadlock, rolls
   the revision back and tries it again on a growing schedule, within a budget.
5. Look again: the database is where the run says that it is.

Whatever happens the mutex is given back and nothing is left changed in the session.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.db.failures import address, sqlstate
from app.errors import (
    CommitsByItself,
    DatabaseAhead,
    Interrupted,
    LockBlocked,
    LockTimeoutMissing,
    MixedRevision,
    NotAdopted,
    PoolerRefused,
    ReadOnlyRefused,
    StandbyRefused,
    TargetMissed,
    VegafsError,
)
from app.migrate.history import plan
from app.migrate.history.ledger import Entry, Ledger, Row, applied
from app.migrate.history.revisions import (
    Revision,
    ancestors,
    check_lock,
    heads,
    one_head,
    read_lock,
    read_revisions,
)
from app.migrate.run import mutex
from app.migrate.run.concurrently import OutsideTransaction
from app.migrate.run.guards import compare_with_stamp, protect_data
from app.migrate.run.interruption import Interruption
from app.migrate.run.limits import Limits
from app.migrate.run.lockclass import LockClass, lock_class, without_comments
from app.migrate.run.mixture import refuse_mixture
from app.migrate.run.report import Planned, Recorder, duration
from app.migrate.run.retry import DEADLOCK, RETRYABLE, delays
from app.migrate.run.watch import Watch

# The error of ours that an error means, or None where none was running.
Meaning = Callable[[Exception], VegafsError | None]
_ENDS_A_TRANSACTION = re.compile(r"\s*(?:COMMIT|END|ROLLBACK|ABORT)\b(?!\s+TO\b)", re.IGNORECASE)
_T = TypeVar("_T")
# What has a lock to wait for beside the revisions, as an error names it.
_BOOKKEEPING = "alembic_version"
SESSION = """
SELECT pg_backend_pid(), current_setting('lock_timeout'), pg_is_in_recovery(),
       current_setting('default_transaction_read_only') = 'on',
       to_regclass('alembic_version') IS NOT NULL,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())
               AND relkind IN ('r', 'p', 'm', 'f')
               AND relname NOT IN ('alembic_version', 'alembic_version_ledger')
               AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                               AND objid = pg_class.oid AND deptype = 'e'))
"""


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
    ) -> None:
        self._connection = connection
        self._versions = versions
        self._lock_path = versions.parent / "revisions.lock"
        self._command = command
        self._to_head = to_head
        self._limits = limits
        self._recorder = recorder
        self._interruption = interruption
        self._watch = watch
        # Why a guard is to let this run pass; the ledger keeps it.
        self._reason = reason
        self._stamped = "adopted" if adopt else "stamped"
        self._say = say
        self._ledger = Ledger()
        self._revisions: Sequence[Revision] = ()
        self._statements = 0
        self._attempt = 1
        # The revision that did not get a lock and is tried again.
        self._unit = ""
        # The class of the lock timeout that is set now; a transaction's end resets it.
        self._class: LockClass = "short"
        # Whether the running revision may commit: everything of it, its rows included, is written.
        self._complete = False
        self._guarded = False
        # Whether the running revision has left its transaction for a step that needs that.
        self._outside = False
        # Whether that step is done, after which nothing but the rows about it follows.
        self._stepped = False
        # Whether the revision has rolled back by itself what came before.
        self._rolled_back = False
        # The session's own lock timeout, and whether it is being put back right now.
        self._lock_timeout = ""
        self._restoring = False
        self._timeouts_s = {
            "short": limits.lock_timeout_s,
            "patient": limits.patient_lock_timeout_s,
        }
        self._waits_said: list[float] = []

    @property
    def heads(self) -> frozenset[str]:
        """The newest revisions of this build."""
        return heads(read_lock(self._lock_path))

    def kept(self, *, lost: bool = False) -> str:
        """What of the running revision stays where it ends now, for an error to say."""
        if self._outside:
            return "what its step has left, which the same command repairs"
        if self._complete and lost:
            return "all or nothing: its commit was under way"
        return "nothing"

    def run(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        """Do it; `attempt` lets Alembic run what is pending from where the database is.

        On failure: what `meaning` makes of an error, which the ledger keeps; Interrupted, where
        somebody asked, whatever it was that ended because of that.
        """
        try:
            self._run(attempt, meaning)
        except DBAPIError as error:
            # A statement that was cancelled, wherever that met it.
            if self._interruption.requested:
                raise Interrupted(self._interruption.signal) from error
            raise

    def _run(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        self._admit()
        with self._watch.on():
            self._run_watched(attempt, meaning)

    def _run_watched(self, attempt: Callable[[], None], meaning: Meaning) -> None:
        locked = read_lock(self._lock_path)
        with mutex.held(
            self._connection,
            mutex.key("alembic_version"),
            wait_s=self._limits.mutex_wait_s,
            sleep=self._interruption.sleep,
            done=lambda: self._patiently(lambda: self._nothing_left(locked)),
            waiting=self._waiting,
        ) as got:
            if not got:
                return
            self._revisions = read_revisions(self._versions)
            one_head(self._revisions)
            check_lock(self._lock_path, self._revisions)
            self._patiently(self._prepare_ledger)
            self._refuse_mixtures()
            try:
                with self._counting():
                    self._attempt_all(attempt)
            except Exception as error:
                meant = meaning(error)
                if meant is None:
                    raise
                # While the mutex is ours: the ledger has one writer.
                self._record_failure(meant)
                if meant is error:
                    raise
                raise meant from error
            self._patiently(self._arrived)

    # -- what Alembic calls ----------------------------------------------------------------------

    def planned(self, steps: Sequence[RevisionStep], plan: Sequence[Planned]) -> None:
        """Alembic has chosen what to run; the guards look at it before the first step.

        On failure: StampRefused, DataWouldBeLost, BackupMissing, BackupFailed.
        """
        if not plan or self._guarded:
            return
        self._guarded = True
        told = self._reason is not None
        connection, limits = self._connection, self._limits
        if self._command == "stamp" and not told:
            locked = read_lock(self._lock_path)
            compare_with_stamp(connection, locked, plan[-1].after, self._recorder.database)
        elif self._command != "stamp" and limits.production:
            phases = {revision.id: revision.phase for revision in self._revisions}
            kept = protect_data(connection, steps, plan, phases, limits, told, self._say)
            if kept is not None:
                self._append(plan[0].revision, plan[0].direction, "backup", error=kept)
        # Alembic has made its table in this transaction, and would lose it to a rollback.
        connection.commit()

    def revision_starts(self) -> None:
        """A revision begins in a transaction of its own."""
        running = self._recorder.running
        if running is None or running.revision != self._unit:
            # Attempts, and the budget for them, are of one revision.
            self._attempt = 1
        self._statements = 0
        self._class = "short"
        self._outside = self._stepped = self._complete = self._rolled_back = False

    def on_version_apply(self, *, step: Any, **_: Any) -> None:
        """A revision has run in its transaction; its row commits with it."""
        direction = "stamp" if step.is_stamp else "upgrade" if step.is_upgrade else "downgrade"
        if self._rolled_back:
            raise CommitsByItself(step.up_revision_id)
        self._complete = True
        if step.is_stamp:
            self._record_stamp(step)
            return
        self._append(step.up_revision_id, direction, "applied")

    def outside_transaction(self, ctx: MigrationContext, step: OutsideTransaction) -> None:
        """Run a step that PostgreSQL wants outside a transaction, again where a lock is in the way.

        A `started` row is committed before it, so that a crash in it can be seen.
        """
        running = self._recorder.running
        if running is None or self._statements or self._outside:
            raise MixedRevision(running.revision if running else "?")
        self._outside = True
        failure: Exception | None = None
        try:
            with ctx.autocommit_block():
                try:
                    self._append(running.revision, running.direction, "started")
                    self._repeat(running.revision, step)
                except Exception as error:
                    failure = error
        except Exception:
            # The end of the block fails on a connection that is gone, and says nothing new.
            if failure is None:
                raise
        if failure is not None:
            raise failure
        self._statements = 1
        self._stepped = True

    def _repeat(self, revision: str, step: OutsideTransaction) -> None:
        """Try the step until it has its locks or the budget is used up.

        Nothing is rolled back between two tries: there is no transaction, and the step itself
        begins with what the one before it left.
        """
        connection, waits = self._connection, self._delays()
        timeout_s = self._timeouts_s[step.lock_class]
        connection.exec_driver_sql(f"SET lock_timeout = {timeout_s * 1000:.0f}")
        try:
            while True:
                try:
                    step.run(connection)
                except DBAPIError as error:
                    self._watch.statement_ends()
                    self._interruption.check()
                    if sqlstate(error) not in RETRYABLE:
                        raise
                    wait_s = next(waits, None)
                    self._blocked(revision, sqlstate(error), wait_s)
                    if wait_s is None:
                        raise self._gave_up(revision) from error
                else:
                    return
                self._interruption.sleep(wait_s)
                self._attempt += 1
        finally:
            self._restore_lock_timeout()

    def _restore_lock_timeout(self) -> None:
        """Leave the session as it was given to us, also where the run was told to stop."""
        if self._connection.invalidated:
            return
        self._restoring = True
        try:
            self._connection.exec_driver_sql(f"SET lock_timeout = '{self._lock_timeout}'")
        except SQLAlchemyError:
            # The first to notice that the connection is gone is the one who has to say it.
            if self._connection.invalidated:
                raise
        finally:
            self._restoring = False

    # -- before ----------------------------------------------------------------------------------

    def _admit(self) -> None:
        """On failure: the session cannot be migrated on, and why."""
        pid, lock_timeout, standby, read_only, versioned, inhabited = self._one(SESSION)
        name = self._recorder.database
        driver: Any = self._connection.connection.driver_connection
        if (connected := driver.get_server_pid()) != pid:
            raise PoolerRefused(
                address(self._connection.engine.url),
                f"the connection is to process {connected}, and process {pid} answers",
            )
        if standby:
            raise StandbyRefused(name)
        if read_only:
            raise ReadOnlyRefused(name)
        if lock_timeout == "0":
            raise LockTimeoutMissing(name)
        if inhabited and not versioned and self._command == "upgrade":
            raise NotAdopted(name)
        self._lock_timeout = lock_timeout
        self._interruption.pid = self._watch.pid = pid

    def _nothing_left(self, locked: Sequence[Revision]) -> bool:
        """Whether the database has what was asked for, by one small file and one row."""
        self._interruption.check()
        found = self._heads()
        self._recorder.begin(tuple(sorted(found)), ())
        if self._command != "upgrade" or not found or self._files_differ(locked):
            return False
        known = {revision.id for revision in locked}
        if not found <= known:
            return self._ahead(locked, found)
        if not self._to_head or found != heads(locked):
            return False
        plan.check_integrity(locked, found, self._recorded())
        return True

    def _files_differ(self, locked: Sequence[Revision]) -> bool:
        """Whether the folder has other files than the lock names: then the lock cannot be asked."""
        named = {revision.file_name for revision in locked}
        return named != {path.name for path in self._versions.glob("*.py")}

    def _ahead(self, locked: Sequence[Revision], found: frozenset[str]) -> bool:
        """A newer build was here: content where it only expanded, refused elsewhere."""
        strange = plan.ahead(locked, found, self._recorded()) or {}
        current, expected = ", ".join(sorted(found)), ", ".join(sorted(heads(locked))) or "base"
        breaking = [i for i, phase in strange.items() if phase != "expand"]
        if breaking or not self._to_head:
            raise DatabaseAhead(self._recorder.database, current, expected, strange)
        self._say(
            f"OK  {self._recorder.database} is ahead of this build: {current} expands what "
            f"{expected} needs. Nothing to do."
        )
        self._recorder.verdict_told = True
        return True

    def _heads(self) -> frozenset[str]:
        context = MigrationContext.configure(self._connection)
        found = frozenset(context.get_current_heads())
        self._connection.rollback()
        return found

    def _recorded(self) -> dict[str, Row]:
        if not self._ledger.exists(self._connection):
            self._connection.rollback()
            return {}
        rows = self._ledger.read(self._connection)
        self._connection.rollback()
        return applied(rows)

    def _waiting(self, holder: mutex.Holder | None, waited_s: float) -> None:
        """Say who has the mutex: after a moment, and again from time to time."""
        due_s = self._limits.warn_after_s if not self._waits_said else self._waits_said[-1] * 2
        if waited_s < due_s:
            return
        self._waits_said.append(waited_s)
        self._say(
            f"WAIT [mutex-held]  another migration is at work; {duration(waited_s)} so far, "
            f"gives up at {duration(self._limits.mutex_wait_s)}"
        )
        if holder is not None:
            since = holder.connected_s
            connected = f"connected for {duration(since)}, " if since is not None else ""
            self._say(f"  holder: {holder}, {connected}on: {holder.query}")
        self._say("  Ctrl-C is safe: this run has changed nothing")

    def _prepare_ledger(self) -> None:
        """Make the ledger where there is none, and compare it with the revisions."""
        connection = self._connection
        found = self._heads()
        if not self._ledger.exists(connection):
            self._ledger.create(connection)
            below = ancestors(self._revisions, found)
            for revision in self._revisions:
                if revision.id in below:
                    self._append(revision.id, "upgrade", "adopted")
        self._ledger.verify(connection)
        recorded = applied(self._ledger.read(connection))
        connection.commit()
        plan.check_integrity(self._revisions, found, recorded)

    def _refuse_mixtures(self) -> None:
        """Look at the source of what may run now, before anything does."""
        if self._command == "stamp":
            return
        below = ancestors(self._revisions, self._recorder.before)
        for revision in self._revisions:
            due = (revision.id in below) == (self._command == "downgrade")
            if due and revision.path is not None:
                refuse_mixture(revision.id, revision.path.read_bytes(), self._command)

    # -- during ----------------------------------------------------------------------------------

    def _attempt_all(self, attempt: Callable[[], None]) -> None:
        waits = self._delays()
        while (error := self._try(attempt)) is not None:
            running = self._recorder.running
            if sqlstate(error) not in RETRYABLE:
                raise error
            # Before the first revision Alembic reads its table, and makes it where there is none.
            unit = running.revision if running is not None else _BOOKKEEPING
            if unit != self._unit:
                self._unit, waits = unit, self._delays()
            wait_s = next(waits, None)
            self._blocked(unit, sqlstate(error), wait_s)
            if wait_s is None:
                raise self._gave_up(unit) from error
            self._interruption.sleep(wait_s)
            self._attempt += 1
            # Alembic looks at its table again before the revision starts anew.
            self._statements, self._stepped = 0, False

    def _patiently(self, look: Callable[[], _T]) -> _T:
        """A look at the revision table and the ledger, again where somebody has one locked."""
        waits = self._delays()
        while True:
            self._watch.statement_begins()
            try:
                return look()
            except DBAPIError as error:
                self._roll_back()
                self._interruption.check()
                if sqlstate(error) not in RETRYABLE:
                    raise
                wait_s = next(waits, None)
                self._blocked(_BOOKKEEPING, sqlstate(error), wait_s)
                if wait_s is None:
                    raise self._gave_up(_BOOKKEEPING) from error
            finally:
                self._watch.statement_ends()
            self._interruption.sleep(wait_s)
            self._attempt += 1

    def _try(self, attempt: Callable[[], None]) -> DBAPIError | None:
        try:
            attempt()
        except DBAPIError as error:
            self._roll_back()
            self._interruption.check()
            return error
        return None

    def _gave_up(self, revision: str) -> LockBlocked:
        blockers = [str(blocker) for blocker in self._watch.blockers]
        applied_before = [step.revision for step in self._recorder.steps]
        return LockBlocked(revision, blockers, self._attempt, applied_before, self.kept())

    def _delays(self) -> Iterator[float]:
        limits = self._limits
        return delays(limits.retry_first_s, limits.retry_longest_s, limits.lock_budget_s)

    def _blocked(self, revision: str, state: str | None, wait_s: float | None) -> None:
        what = "met a deadlock" if state == DEADLOCK else "did not get its lock in time"
        left = "its step is repeated" if self._outside else "nothing of it is kept"
        self._say(f"BLOCKED [lock-blocked]  {revision} {what}; {left}")
        for blocker in self._watch.blockers:
            self._say(f"  by: {blocker}")
        if wait_s is not None:
            self._say(f"  attempt {self._attempt + 1} in {duration(wait_s)}")

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """See each statement begin and end, and give the patient ones their time."""
        listeners = {
            "before_cursor_execute": self._statement_begins,
            "after_cursor_execute": self._statement_ends,
            "commit": self._commits,
            "rollback": self._rolls_back,
        }
        for name, listener in listeners.items():
            event.listen(self._connection, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(self._connection, name, listener)

    def _statement_begins(self, _connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self._restoring:
            return
        self._interruption.check()
        running = self._recorder.running
        if running is not None and _ENDS_A_TRANSACTION.match(without_comments(statement)):
            raise CommitsByItself(running.revision)
        if running is not None and self._stepped and _BOOKKEEPING not in statement:
            raise MixedRevision(running.revision)
        wanted = lock_class(statement) if self._recorder.running is not None else "short"
        if wanted != self._class and not self._outside:
            cursor.execute(f"SET LOCAL lock_timeout = {self._timeouts_s[wanted] * 1000:.0f}")
            self._class = wanted
        self._watch.statement_begins()

    def _statement_ends(self, *_: Any) -> None:
        self._watch.statement_ends()
        self._statements += 1

    def _commits(self, connection: Connection) -> None:
        running = self._recorder.running
        if running is not None and not self._complete and not self._outside:
            # SQLAlchemy takes the transaction for ended now; whatever came next would commit it.
            connection.connection.rollback()
            raise CommitsByItself(running.revision)

    def _rolls_back(self, _connection: Connection) -> None:
        # After an error as well, and nobody asks then.
        self._rolled_back = True

    def _roll_back(self) -> None:
        self._watch.statement_ends()
        self._class = "short"
        with contextlib.suppress(DBAPIError):
            self._connection.rollback()

    # -- after -----------------------------------------------------------------------------------

    def _arrived(self) -> None:
        """On failure: TargetMissed, where the database is not where the run left it."""
        found = self._heads()
        if found != frozenset(self._recorder.after):
            raise TargetMissed(self._recorder.database, sorted(self._recorder.after), sorted(found))

    def _record_failure(self, error: VegafsError) -> None:
        """Keep a row of what failed, where the connection still lets us."""
        running = self._recorder.running
        if running is None or self._connection.invalidated:
            # The mutex went with the connection; on another one we might write beside its holder.
            return
        for _ in range(2):  # the first may meet a cancellation that was on its way
            try:
                self._roll_back()
                self._append(running.revision, running.direction, "failed", error=error.message)
                self._connection.commit()
            except (SQLAlchemyError, OSError):
                continue
            return

    # -- ledger ----------------------------------------------------------------------------------

    def _record_stamp(self, step: Any) -> None:
        above = ancestors(self._revisions, step.destination_revision_ids)
        before = ancestors(self._revisions, step.source_revision_ids)
        for revision in reversed(self._revisions):
            if revision.id in before - above:
                self._append(revision.id, "downgrade", self._stamped)
        for revision in self._revisions:
            if revision.id in above - before:
                self._append(revision.id, "stamp", self._stamped)

    def _append(self, identifier: str, direction: str, outcome: str, **fields: Any) -> None:
        revision = next((r for r in self._revisions if r.id == identifier), None)
        self._ledger.append(
            self._connection,
            Entry(
                revision=identifier,
                direction=direction,
                phase=revision.phase if revision else "unknown",
                outcome=outcome,
                checksum=revision.sha256 if revision else "",
                statements=self._statements,
                attempts=self._attempt,
                build=self._limits.build,
                reason=self._reason,
                **fields,
            ),
        )

    def _one(self, sql: str) -> Any:
        row = self._connection.exec_driver_sql(sql).one()
        self._connection.rollback()
        return row
