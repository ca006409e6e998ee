"""guard() asks the guards about a run, before anything of it is written."""

from collections.abc import Sequence

from surefoot.chain.revisions import Revision
from surefoot.run.guards.backfills import refuse_unfilled
from surefoot.run.guards.guards import back_up, compare_with_stamp, refuse_unsafe, spare_services
from surefoot.run.guards.mixture import refuse_mixtures
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run


def guard(
    run: Run, revisions: Sequence[Revision], plan: Sequence[PlannedRevision], after: Sequence[str]
) -> str | None:
    """Ask the guards about a plan, which leads to `after`; the text about a backup for the ledger.

    On failure: MixedRevision, CommitsByItself, BackfillPending, ServicesAlive, StampRefused,
    RevisionUnsafe, BackupMissing, BackupFailed.
    """
    new = [revision for revision in revisions if not revision.past]
    refuse_mixtures(new, [each.revision for each in plan], run.command)
    refuse_unfilled(run, revisions, plan)
    if run.command == "upgrade" and run.reason is None:
        spare_services(run, revisions, plan)
    if run.command == "stamp" and run.reason is None:
        compare_with_stamp(run, revisions, after)
    elif run.command != "stamp" and run.limits.production:
        refuse_unsafe(run, revisions, plan)
        return back_up(run, plan)
    return None
