"""Guards look at the plan of a run before its first step, where a mistake cannot be undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection

from surefoot.catalog import snapshot
from surefoot.chain.revisions import Revision
from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.limits import Limits
from surefoot.errors import (
    BackupMissing,
    DataWouldBeLost,
    RevisionUnsafe,
    ServicesAlive,
    StampRefused,
)
from surefoot.errors.names import command
from surefoot.ledger.agreement import expected_fingerprint
from surefoot.ledger.services import Service, intolerant, living
from surefoot.run.events import BackupStarted, Listen, ServicesWaiting, Warned
from surefoot.run.guards import backup
from surefoot.run.guards.loss import destructive, losses
from surefoot.run.report import PlannedRevision
from surefoot.version_table import VersionTable

SERVICES_POLL_S = 0.2


def compare_with_stamp(
    connection: Connection,
    locked: Sequence[Revision],
    stamped: Sequence[str],
    database: str,
    version_table: VersionTable = VersionTable(),
) -> None:
    """Compare the schema with the fingerprint of the revision that is to be stamped.

    On failure: StampRefused. A false stamp hides the difference from every later run.
    """
    expected = expected_fingerprint(locked, stamped)
    found = snapshot(connection, version_table=version_table).fingerprint()
    if found != expected:
        raise StampRefused(database, ", ".join(stamped) or "base", expected, found)


def refuse_unsafe(
    locked: Sequence[Revision], plan: Sequence[PlannedRevision], limits: Limits, listen: Listen
) -> None:
    """Look up the lint verdicts of the revisions that are to be applied.

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
            listen(Warned(RevisionUnsafe.code, f"{revision.id} breaks {rules}"))
        elif revision.verdict is None:
            listen(Warned(RevisionUnsafe.code, f"{revision.id} was never linted: {command()} lock"))


def spare_services(
    connection: Connection,
    revisions: Sequence[Revision],
    plan: Sequence[PlannedRevision],
    limits: Limits,
    sleep: Callable[[float], None],
    listen: Listen,
) -> None:
    """Look for running services whose code a contract revision of the plan breaks; wait for them.

    On failure: ServicesAlive, where one still runs after `limits.services_wait_s`. Outside of
    production that is only a warning.
    """
    applied = {about.revision for about in plan if about.direction == "upgrade"}
    contracts = [r for r in revisions if r.id in applied and r.phase == "contract"]
    until_s = time.monotonic() + limits.services_wait_s
    reported: tuple[Service, ...] = ()
    while contracts:
        services = living(connection, revisions)
        # No lock and no snapshot is held during the wait.
        connection.commit()
        met = ((contract, intolerant(services, revisions, contract)) for contract in contracts)
        contract, broken = next((pair for pair in met if pair[1]), (contracts[0], ()))
        if not broken:
            return
        error = ServicesAlive(contract.id, contract.requires_code or contract.id, broken)
        if not limits.production:
            listen(Warned(error.code, error.message))
            return
        if time.monotonic() >= until_s:
            raise error
        if broken != reported:
            listen(ServicesWaiting(error.code, error.message))
            reported = broken
        sleep(SERVICES_POLL_S)


def protect_data(
    connection: Connection,
    steps: Sequence[RevisionStep],
    plan: Sequence[PlannedRevision],
    phases: Mapping[str, str],
    limits: Limits,
    overrides: bool,
    listen: Listen,
) -> str | None:
    """Refuse to drop data without leave, and back it up: for downgrades and contract revisions.

    `overrides` says that somebody gave a reason. Returns the text about the backup for the ledger,
    or None where nothing is dropped.

    On failure: DataWouldBeLost, BackupMissing, BackupFailed; nothing was changed.
    """
    functions = [
        step.migration_fn
        for step, about in zip(steps, plan, strict=True)
        if about.direction == "downgrade" or phases.get(about.revision) == "contract"
    ]
    lost = [] if overrides else losses(connection, functions)
    if lost:
        raise DataWouldBeLost(_command(plan), [str(loss) for loss in lost])
    if not destructive(functions):
        return None
    if limits.backup_command is not None:
        listen(BackupStarted(limits.backup_command))
        done = await_only(backup.run(limits.backup_command))
        return f"{done.command}: exit code {done.exit_code}\n{done.output}"
    if limits.backup_waived is not None:
        return f"waived: {limits.backup_waived}"
    raise BackupMissing(plan[0].revision)


def _command(plan: Sequence[PlannedRevision]) -> str:
    last = plan[-1]
    if last.direction == "downgrade":
        return f"{command()} downgrade {', '.join(last.after) or 'base'}"
    return f"{command()} upgrade {last.revision}"
