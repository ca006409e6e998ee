"""OfflineScript is the SQL of a command (`--sql`), with all that an online run does besides.

Each transaction begins with a lock timeout and a block that raises, and so ends it with nothing
kept, unless this session has the mutex and the database is where the script expects it. It ends
with the rows of the ledger. So the database is afterwards as an online run leaves it; only the
fingerprint of the schema is not measured.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo, RevisionStep
from alembic.script import ScriptDirectory

from surefoot.chain.coding import text_of
from surefoot.chain.revisions import Revision, ancestors
from surefoot.compat.alembic import create_version_table_once
from surefoot.connect.limits import Limits
from surefoot.errors import SurefootError, UpgradeFailed
from surefoot.errors.names import program
from surefoot.ledger.appending import append_sql
from surefoot.ledger.digest import digest
from surefoot.ledger.table import Entry, Ledger
from surefoot.operations.concurrently import NAMES, OutsideTransaction
from surefoot.operations.lock_class import LockClass
from surefoot.project import Project
from surefoot.quoting import literal
from surefoot.run.guards.mixture import refuse_mixtures
from surefoot.run.guards.scripts import refuse_unread, synchronous
from surefoot.run.locks import mutex
from surefoot.run.upgrade.diagnosis import reason_of
from surefoot.run.upgrade.offline_backfills import refuse_unfilled_sql
from surefoot.run.upgrade.reverted_backfills import forget_backfills
from surefoot.run.upgrade.steps import all_steps
from surefoot.version_table import ALEMBICS_LENGTH

_HOW = "-- Stop at the first error: psql -v ON_ERROR_STOP=1"
_MUTEX = """
    IF NOT pg_try_advisory_xact_lock({key}) THEN
        RAISE EXCEPTION 'another migration is at work' USING ERRCODE = 'lock_not_available';
    END IF;"""
_DONE = """
    PERFORM pg_advisory_unlock({key});
    IF NOT ({done}) THEN
        RAISE EXCEPTION 'the step outside a transaction was not done';
    END IF;"""
_PLACE = """
    IF ARRAY(SELECT version_num::text FROM {version_table} ORDER BY version_num COLLATE "C")
        <> ARRAY[{heads}]::text[]
    THEN
        RAISE EXCEPTION 'this SQL begins at {shown}, and the database is not there'
            USING HINT = '`alembic current` shows where it is';
    END IF;"""
_FIRST = """
    IF to_regclass({name}) IS NULL THEN{create};
    END IF;
    {extension}"""
_WIDTH = """
    IF (SELECT atttypmod - 4 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass({name})
        AND attname = 'version_num') BETWEEN 0 AND {length} - 1
    THEN
        RAISE EXCEPTION 'the revision id {shown} has {length} characters, more than {table} holds';
    END IF;"""
_LEDGER = """
    IF {digest} <> {expected} THEN
        RAISE EXCEPTION 'the ledger of the database does not have the revisions of {shown}'
            USING HINT = '`{command} ledger` shows what was done; `{command} ops adopt` corrects';
    END IF;"""


class OfflineScript:
    """Writes the SQL of one upgrade, downgrade or stamp."""

    def __init__(self, project: Project, command: str, typed: str, limits: Limits) -> None:
        """`typed` is the command as the user has it. On failure: RevisionsBroken, LockFileStale."""
        self._project, self._limits = project, limits
        self._command, self._typed = command, typed
        self._revisions: Sequence[Revision] = project.revisions()
        project.check_lock(self._revisions)
        self._ledger = Ledger(project.version_table)
        self._key = mutex.key(project.version_table)

    def steps(
        self, function: Callable[..., Any], script: ScriptDirectory
    ) -> Callable[..., Iterator[RevisionStep]]:
        """The function of an Alembic command, with what stands before and after each step.

        On failure, when it runs: the errors of the guards that read revision files.
        """

        def steps(heads: tuple[str, ...], ctx: MigrationContext) -> Iterator[RevisionStep]:
            planned = all_steps(function, heads, ctx)
            refuse_unread(script, self._revisions, planned)
            due = [each for step in planned for each in step.info.up_revision_ids]
            refuse_mixtures(self._revisions, due, self._command)
            create_version_table_once(ctx)
            ctx.impl.static_output(_HOW)
            is_first, self._heads = True, frozenset(heads)
            for step in planned:
                # Where the first transaction of such a revision fails, psql would go on to its
                # step: every transaction of the session then only reads.
                self._is_guarded = not step.info.is_stamp and bool(self._heads)
                self._is_guarded &= self._has_step(step.info.up_revision_id)
                if self._is_guarded:
                    _write(ctx, "SET default_transaction_read_only = on")
                step.migration_fn = self._begun(ctx, step, is_first=is_first)
                is_first = False
                yield step

        return steps

    def _has_step(self, identifier: str | None) -> bool:
        """Whether the source of a revision names a step outside a transaction."""
        paths = [r.path for r in self._revisions if r.id == identifier and r.path is not None]
        return any(name in text_of(path) for path in paths for name in NAMES)

    def on_version_apply(
        self, *, ctx: MigrationContext, step: MigrationInfo, heads: Collection[str], **_: Any
    ) -> None:
        """Write the rows of the ledger behind a revision."""
        # Of all branches: the step itself knows of the revisions before its own.
        former, self._heads = self._heads, frozenset(heads)
        if self._is_guarded:
            _write(ctx, "RESET default_transaction_read_only")
        if not step.is_stamp:
            direction = "upgrade" if step.is_upgrade else "downgrade"
            self._append(ctx, step.up_revision_ids, direction, "applied")
            for each in () if step.is_upgrade else step.up_revision_ids:
                _write(ctx, forget_backfills(self._project.version_table, self._ledger, each))
            return
        below = ancestors(self._revisions, self._heads)
        before = ancestors(self._revisions, former)
        chain = [revision.id for revision in self._revisions]
        down = [identifier for identifier in reversed(chain) if identifier in before - below]
        self._append(ctx, down, "downgrade", "stamped")
        self._append(ctx, [i for i in chain if i in below - before], "stamp", "stamped")

    def outside_transaction(self, ctx: MigrationContext, step: OutsideTransaction) -> None:
        """Write a step that PostgreSQL allows only outside a transaction; the mutex is kept."""
        running: RevisionStep = self._running
        direction = "upgrade" if running.is_upgrade else "downgrade"
        self._append(ctx, running.info.up_revision_ids, direction, "started")
        _write(ctx, f"DO $surefoot$ BEGIN PERFORM pg_advisory_lock({self._key}); END $surefoot$")
        _write(ctx, "RESET default_transaction_read_only")
        with ctx.autocommit_block():
            _write(ctx, f"SET lock_timeout = {self._timeout(step.lock_class)}")
            _write(ctx, step.sql())
            _write(ctx, "RESET lock_timeout")
        _write(ctx, f"SET LOCAL lock_timeout = {self._timeout('short')}")
        checks = _MUTEX.format(key=self._key) + _DONE.format(done=step.done(), key=self._key)
        _write(ctx, f"DO $surefoot$\nBEGIN{checks}\nEND $surefoot$")

    def _begun(
        self, ctx: MigrationContext, step: RevisionStep, *, is_first: bool
    ) -> Callable[..., None]:
        """The function of the step, behind the checks of its transaction."""
        running = ", ".join(step.info.up_revision_ids)
        run = synchronous(running, step.migration_fn)

        def begun(**options: Any) -> None:
            self._running = step
            before = self._heads
            if self._is_guarded:
                _write(ctx, "SET TRANSACTION READ WRITE")
            _write(ctx, f"SET LOCAL lock_timeout = {self._timeout('short')}")
            checks = _MUTEX.format(key=self._key) + _PLACE.format(
                heads=", ".join(map(literal, sorted(before))),
                shown=_shown(before),
                **self._ledger.names,
            )
            checks += self._on_ledger(before, is_first=is_first)
            if step.is_upgrade and not step.info.is_stamp:
                due = [each for each in self._revisions if each.id in step.info.up_revision_ids]
                checks += "".join(refuse_unfilled_sql(self._project, each) for each in due)
            _write(ctx, f"DO $surefoot$\nBEGIN{checks}\nEND $surefoot$")
            try:
                run(**options)
            except SurefootError:
                raise
            except Exception as error:
                reason = reason_of(error, self._project.locations)
                raise UpgradeFailed(running, reason, (), self._typed) from error

        return begun

    def _on_ledger(self, before: Collection[str], *, is_first: bool) -> str:
        """Create the ledger, and compare it with the revisions that the script builds on."""
        below = ancestors(self._revisions, before)
        known = [revision for revision in self._revisions if revision.id in below]
        checks = _LEDGER.format(
            digest=self._ledger.digest_in_force(),
            expected=literal(digest(sorted((r.id, r.sha256) for r in known))),
            shown=_shown(before),
            command=program(),
        )
        if not is_first:
            return checks
        longest = max((r.id for r in self._revisions), key=len)
        if len(longest) > ALEMBICS_LENGTH:
            table = self._ledger.names["version_table"]
            checks += _WIDTH.format(
                name=literal(table),
                table=_shown([table]),
                length=len(longest),
                shown=_shown([longest]),
            )
        adopted = [append_sql(self._ledger, self._entry(r.id, "upgrade", "adopted")) for r in known]
        create = ";".join([*self._ledger.creation(), *adopted])
        name, extension = literal(self._ledger.names["table"]), self._ledger.extension()
        return _FIRST.format(name=name, create=create, extension=extension) + checks

    def _append(
        self, ctx: MigrationContext, identifiers: Collection[str], direction: str, outcome: str
    ) -> None:
        for identifier in identifiers:
            _write(ctx, append_sql(self._ledger, self._entry(identifier, direction, outcome)))

    def _entry(self, identifier: str, direction: str, outcome: str) -> Entry:
        revision = next(r for r in self._revisions if r.id == identifier)
        return Entry(
            identifier,
            direction,
            revision.phase,
            outcome,
            revision.sha256,
            build=self._limits.build,
            requires_code=revision.requires_code,
        )

    def _timeout(self, lock_class: LockClass) -> str:
        limits = self._limits
        patient = lock_class == "patient"
        seconds = limits.patient_lock_timeout_s if patient else limits.lock_timeout_s
        return f"'{seconds * 1000:.0f}ms'"


def _write(ctx: MigrationContext, statement: str) -> None:
    ctx.impl.static_output(f"{statement.strip()};")


def _shown(revisions: Collection[str]) -> str:
    return (", ".join(sorted(revisions)) or "base").replace("'", "''").replace("%", "%%")
