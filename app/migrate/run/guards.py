"""What a run is asked before its first step, where a mistake could not be taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection
from sqlalchemy.util.concurrency import await_only

from app.errors import BackupMissing, DataWouldBeLost, RevisionUnsafe, StampRefused
from app.migrate.history.revisions import Revision
from app.migrate.proof.catalog import NOTHING, snapshot
from app.migrate.run import backup
from app.migrate.run.limits import Limits
from app.migrate.run.loss import destructive, losses
from app.migrate.run.report import Planned


def compare_with_stamp(
    connection: Connection, locked: Sequence[Revision], stamped: Sequence[str], database: str
) -> None:
    """Compare the schema with what the revision gives that is to be stamped.

    On failure: StampRefused. A stamp that is not true hides the difference from every later run.
    """
    by_id = {revision.id: revision for revision in locked}
    expected: str | None = NOTHING.fingerprint()
    for identifier in stamped:
        expected = by_id[identifier].fingerprint if identifier in by_id else None
    found = snapshot(connection).fingerprint()
    if found != expected:
        raise StampRefused(database, ", ".join(stamped) or "base", expected, found)


def refuse_unsafe(
    locked: Sequence[Revision], plan: Sequence[Planned], limits: Limits, say: Callable[[str], None]
) -> None:
    """Look up what lint said of the revisions that are to be applied.

    On failure: RevisionUnsafe, where one breaks a rule of level error and its file does not allow
    it.
    """
    if limits.lint == "off":
        return
    by_id = {revision.id: revision for revision in locked}
    for about in plan:
        revision = by_id.get(about.revision)
        if about.direction != "upgrade" or revision is None:
            continue
        if revision.broken_rules and limits.lint == "error":
            raise RevisionUnsafe(revision.id, revision.broken_rules)
        if revision.broken_rules:
            rules = ", ".join(revision.broken_rules)
            say(f"WARNING [revision-unsafe]  {revision.id} breaks {rules}")
        elif revision.verdict is None:
            say(f"WARNING [revision-unsafe]  {revision.id} was never linted: vegafs lock")


def protect_data(
    connection: Connection,
    steps: Sequence[RevisionStep],
    plan: Sequence[Planned],
    phases: Mapping[str, str],
    limits: Limits,
    told: bool,
    say: Callable[[str], None],
) -> str | None:
    """Ask before data is dropped, and back it up: for downgrades and contract revisions.

    `told` says that somebody gave a reason. What comes back is what the ledger keeps of the
    backup, or None where nothing is dropped.

    On failure: DataWouldBeLost, BackupMissing, BackupFailed; nothing was changed.
    """
    functions = [
        step.migration_fn
        for step, about in zip(steps, plan, strict=True)
        if about.direction == "downgrade" or phases.get(about.revision) == "contract"
    ]
    lost = [] if told else losses(connection, functions)
    if lost:
        raise DataWouldBeLost(_command(plan), [str(loss) for loss in lost])
    if not destructive(functions):
        return None
    if limits.backup_command is not None:
        say(f"BACKUP  {limits.backup_command}")
        done = await_only(backup.run(limits.backup_command))
        return f"{done.command}: exit code {done.exit_code}\n{done.output}"
    if limits.backup_waived is not None:
        return f"waived: {limits.backup_waived}"
    raise BackupMissing(plan[0].revision)


def _command(plan: Sequence[Planned]) -> str:
    last = plan[-1]
    if last.direction == "downgrade":
        return f"vegafs downgrade {', '.join(last.after) or 'base'}"
    return f"vegafs upgrade {last.revision}"
