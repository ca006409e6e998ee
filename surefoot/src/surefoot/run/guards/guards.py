"""Guards look at the plan of a run before its first step, and at a revision before it commits."""

import asyncio
import shlex
import time
from collections.abc import Sequence

from surefoot import catalog
from surefoot.chain.lockfile import with_known
from surefoot.chain.revisions import Revision
from surefoot.compat.sqlalchemy import await_only
from surefoot.errors import (
    BackupFailed,
    BackupMissing,
    DataWouldBeLost,
    RevisionUnsafe,
    RevisionUnseen,
    ServicesAlive,
    StampRefused,
)
from surefoot.errors.names import arguments, command
from surefoot.ledger.agreement import expected_fingerprint
from surefoot.ledger.services import Service, intolerant, living
from surefoot.run.events import BackupStarted, ServicesWaiting, Warned
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run

SERVICES_POLL_S = 0.2
# The end of the output of a backup command that the ledger keeps.
KEPT_CHARACTERS = 4000


def compare_with_stamp(run: Run, revisions: Sequence[Revision], stamped: Sequence[str]) -> None:
    """Compare the schema with the sealed fingerprint of the revision that is to be stamped.

    On failure: StampRefused. A false stamp hides the difference from every later run. Without
    revisions.lock nothing is known of the schema, and that is only a warning outside of production.
    """
    expected = expected_fingerprint(with_known(revisions, run.project.locked()), stamped)
    of = run.project
    found = catalog.fingerprint(run.connection, of.schemas, of.version_table, of.exclude)
    if found == expected:
        return
    refusal = StampRefused(run.recorder.database, stamped, expected, found)
    if run.limits.production or of.lock.exists():
        raise refusal
    run.recorder.listen(Warned(refusal.code, refusal.message))


def refuse_unsafe(run: Run, revisions: Sequence[Revision], plan: Sequence[PlannedRevision]) -> None:
    """Look up the lint verdicts of the revisions that are to be applied, as their files are.

    On failure: RevisionUnsafe, where one breaks a rule of level error and its file does not allow
    it; RevisionUnseen, where lint has not seen all of it.
    """
    if run.limits.lint == "off":
        return
    by_id = {each.id: each for each in with_known(revisions, run.project.locked())}
    for about in plan:
        revision = by_id.get(about.revision)
        if about.direction != "upgrade" or revision is None:
            continue
        if revision.broken_rules and run.limits.lint == "error":
            raise RevisionUnsafe(revision.id, revision.broken_rules)
        if revision.is_unknown and run.limits.lint == "error":
            raise RevisionUnseen(revision.id, unlocked=revision.unlocked)
        how = "lock --baseline heads" if revision.unlocked else "lock"
        warning = f"was not seen to its end: {command()} {how}" if revision.is_unknown else ""
        if revision.broken_rules:
            warning = f"breaks {', '.join(revision.broken_rules)}"
        if warning:
            run.recorder.listen(Warned(RevisionUnsafe.code, f"{revision.id} {warning}"))


def spare_services(
    run: Run, revisions: Sequence[Revision], plan: Sequence[PlannedRevision]
) -> None:
    """Look for running services whose code a contract revision of the plan breaks; wait for them.

    On failure: ServicesAlive, where one still runs after `limits.services_wait_s`. Outside of
    production that is only a warning.
    """
    listen = run.recorder.listen
    applied = {about.revision for about in plan if about.direction == "upgrade"}
    contracts = [r for r in revisions if r.id in applied and r.phase == "contract"]
    until_s = time.monotonic() + run.limits.services_wait_s
    reported: tuple[Service, ...] = ()
    while contracts:
        services = living(run.connection, revisions)
        # No lock and no snapshot is held during the wait.
        run.connection.rollback()
        met = ((contract, intolerant(services, revisions, contract)) for contract in contracts)
        contract, broken = next((pair for pair in met if pair[1]), (contracts[0], ()))
        if not broken:
            return
        error = ServicesAlive(contract.id, contract.requires_code or contract.id, broken)
        if not run.limits.production:
            listen(Warned(error.code, error.message))
            return
        if time.monotonic() >= until_s:
            raise error
        if broken != reported:
            listen(ServicesWaiting(error.code, error.message))
            reported = broken
        run.interruption.sleep(SERVICES_POLL_S)


def back_up(run: Run, plan: Sequence[PlannedRevision]) -> str | None:
    """Back the data up before a run that has leave to lose some, as every run with a reason has.

    Returns the text about the backup for the ledger, or None where there is none. A downgrade needs
    one; an upgrade is stopped by `refuse_loss` if it turns out to need one.

    On failure: BackupMissing, BackupFailed; nothing was changed.
    """
    if run.reason is None:
        return None
    if run.limits.backup_command is not None:
        run.recorder.listen(BackupStarted(run.limits.backup_command))
        # A backup takes longer than the server lets a transaction idle.
        run.connection.commit()
        return await_only(_backed_up(run.limits.backup_command))
    if run.limits.backup_waived is not None:
        return f"waived: {run.limits.backup_waived}"
    if any(about.direction == "downgrade" for about in plan):
        raise BackupMissing(plan[0].revision)
    return None


def refuse_loss(run: Run, about: PlannedRevision, losses: Sequence[str]) -> None:
    """Refuse a revision that has lost data without leave; its transaction has not committed.

    On failure, in production: DataWouldBeLost, BackupMissing; nothing of the revision is kept.
    """
    if not losses:
        return
    if run.limits.production and run.reason is None:
        raise DataWouldBeLost(about.revision, _command(about), losses)
    has_backup = run.limits.backup_command is not None or run.limits.backup_waived is not None
    if run.limits.production and not has_backup:
        raise BackupMissing(about.revision)
    said = f"{about.revision} loses data: {', '.join(losses)}"
    run.recorder.listen(Warned(DataWouldBeLost.code, said))


async def _backed_up(command: str) -> str:
    """Run the operator's backup command to its end; its exit code and the end of its output.

    On failure: BackupFailed; nothing was changed yet.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise BackupFailed(command, 127, str(error)) from None
    output, _ = await process.communicate()
    text = output.decode(errors="replace")[-KEPT_CHARACTERS:]
    if process.returncode != 0:
        raise BackupFailed(command, process.returncode or 0, text)
    return f"{command}: exit code 0\n{text}"


def _command(about: PlannedRevision) -> str:
    if about.direction == "downgrade":
        # To one of several: what does not build on it stays. A new one is that below the revision.
        below = [each for each in about.after if each not in about.before] or about.after
        return f"{command()} downgrade {arguments(below[:1])}"
    return f"{command()} upgrade {about.revision}"
