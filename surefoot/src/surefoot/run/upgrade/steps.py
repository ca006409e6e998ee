"""recorded() wraps the function of an Alembic command, so that a run sees the steps that it yields.

kind_of() decides what a command may do to the database, by the function that it hands over.

Alembic calls back after a step, but not before the first one nor around a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event

from surefoot.chain.source import FUNCTIONS
from surefoot.chain.titles import title_in
from surefoot.compat.alembic import rows_after, unused
from surefoot.errors import CommandUnknown, DatabaseAhead, FunctionMissing
from surefoot.ledger.glance import ids
from surefoot.operations.statement import take_names
from surefoot.run.guards.scripts import refuse_unread, synchronous
from surefoot.run.recorder import Recorder
from surefoot.run.report import PlannedRevision
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from surefoot.run.upgrade.migration import Migration

# `context.configure(fn=…)`: the revisions of the database and the context in, steps out.
Function = Callable[[tuple[str, ...], MigrationContext], Iterable[RevisionStep]]
Kind = Literal["reads", "upgrade", "downgrade", "stamp", "unknown"]

# The public functions of alembic.command, which define what they hand over.
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("check", "current", "edit", "ensure_version", "history"), "reads"),
    **dict.fromkeys(("merge", "revision", "show"), "reads"),
    "upgrade": "upgrade",
    "downgrade": "downgrade",
    "stamp": "stamp",
}


def kind_of(function: Callable[..., Any] | None) -> Kind:
    """The kind of command that handed over the function; no function reads.

    Each Alembic command hands its environment a function, `context.get_context().opts["fn"]`. A
    command that is known to read only runs without mutex, ledger and guards, and can run no
    revision. Any other function, such as a project's own, runs as a protected upgrade.
    """
    if function is None:
        return "reads"
    if getattr(function, "__module__", "") != "alembic.command":
        return "unknown"
    command, *inner = getattr(function, "__qualname__", "").split(".")
    return _KINDS.get(command, "unknown") if inner[:1] == ["<locals>"] else "unknown"


def recorded(
    function: Function, script: ScriptDirectory, recorder: Recorder, migration: Migration | None
) -> Function:
    """The function, with its steps reported to recorder and migration; without one it has none.

    A further attempt goes on with the steps that the first one chose: where the database is by
    then, a relative destination such as `-2` would lead further.

    On failure, when it runs: VersionRowInvalid; DatabaseAhead, where the database names a revision
    without a file; LedgerContradicted, where one of its revisions builds on another;
    CommandUnknown, where a command that only reads yields a step.
    """

    chosen: list[RevisionStep] = []
    places: list[frozenset[str]] = []  # before each of them, and after the last

    # By the name of the function, autogenerate tells `check` from `revision`.
    @wraps(function)
    def steps(heads: tuple[str, ...], ctx: MigrationContext) -> Iterator[RevisionStep]:
        ids(heads, VersionTable(ctx.version_table, ctx.version_table_schema))
        unknown = sorted(head for head in heads if not _known(script, head))
        if unknown:
            expected = ", ".join(script.get_heads()) or "base"
            raise DatabaseAhead(recorder.database, ", ".join(unknown), expected)
        if migration is not None:
            migration.found(heads)
        here = frozenset(heads)
        left = chosen[places.index(here) :] if here in places else None
        planned = all_steps(function, heads, ctx) if left is None else left
        if migration is None:
            if planned:
                what = "runs revisions, while its command only reads"
                raise CommandUnknown(_name(function), what)
            recorder.begin(tuple(heads), ())
            return
        refuse_unread(script, migration.revisions, planned)
        after = list(rows_after(ctx, heads, planned))
        if all(isinstance(step, RevisionStep) for step in planned):  # and no stamp
            chosen[:], places[:] = planned, [here, *map(frozenset, after)]
        plan = list(map(_planned, planned, [tuple(heads), *after], after))
        migration.planned(ctx, heads, plan)
        # A purge has emptied the table in this transaction.
        recorder.begin(tuple(heads) or recorder.before, plan)
        for step, about in zip(planned, plan, strict=True):
            done = migration.function_done
            step.migration_fn = synchronous(about.revision, unused(step), done)
            migration.revision_starts(about)
            yield step
            migration.revision_done()

    return steps


def only_upgrading(function: Function) -> Function:
    """A function that is not one of Alembic's commands, limited to the steps of an upgrade.

    On failure, when it runs: CommandUnknown, where it writes or commits by itself, or yields the
    step of a downgrade or a stamp. Nothing is kept.
    """

    @wraps(function)
    def steps(heads: tuple[str, ...], ctx: MigrationContext) -> Iterable[RevisionStep]:
        connection = ctx.connection
        if connection is None:
            raise RuntimeError("there is no connection")

        def refuse_commit(_connection: Connection) -> None:
            # SQLAlchemy takes the transaction for ended; whatever came next would commit it.
            connection.connection.rollback()
            raise CommandUnknown(_name(function), "commits by itself")

        # Alembic may just have created its version table.
        connection.commit()
        event.listen(connection, "commit", refuse_commit)
        try:
            found = list(function(heads, ctx))
        finally:
            event.remove(connection, "commit", refuse_commit)
        if connection.exec_driver_sql("SELECT txid_current_if_assigned()").scalar() is not None:
            raise CommandUnknown(_name(function), "writes by itself")
        if not all(step.info.is_upgrade and not step.info.is_stamp for step in found):
            raise CommandUnknown(_name(function), "reverts or stamps revisions")
        return found

    return steps


def all_steps(
    function: Callable[..., Iterable[RevisionStep]], heads: tuple[str, ...], ctx: MigrationContext
) -> Sequence[RevisionStep]:
    """All steps of a function. On failure: FunctionMissing, where a file lacks that of a step."""
    try:
        found = list(function(heads, ctx))
    except AttributeError as error:
        if isinstance(error.obj, ModuleType) and error.name in FUNCTIONS:
            raise FunctionMissing(str(getattr(error.obj, "revision", "?")), error.name) from error
        raise
    # The files have been imported, with all that they import.
    take_names()
    return found


def _name(function: Function) -> str:
    return getattr(function, "__qualname__", repr(function))


def _planned(
    step: RevisionStep, before: tuple[str, ...], after: tuple[str, ...]
) -> PlannedRevision:
    info: MigrationInfo = step.info
    direction = "stamp" if info.is_stamp else "upgrade" if info.is_upgrade else "downgrade"
    named = info.destination_revision_ids if info.is_stamp else info.up_revision_ids
    title = title_in(step.doc)
    return PlannedRevision(", ".join(named) or "base", title, direction, before, after)


def _known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False
