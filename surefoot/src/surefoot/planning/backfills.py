"""The backfills that pending revisions require, and how far they are on a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.backfill.control import status
from surefoot.backfill.files import named
from surefoot.backfill.plan import rows_to_do
from surefoot.chain.revisions import Revision
from surefoot.connect.database import Database
from surefoot.frozen import dataclass
from surefoot.project import Project


@dataclass(frozen=True)
class RequiredBackfill:
    """A backfill that has to be complete before a revision."""

    name: str
    # The revision after which it runs.
    after: str
    # As `surefoot backfill status` has it.
    state: str
    # The rows that lack the change; None where the revision that it needs is not applied.
    rows: int | None
    # Whether they were counted, or are the server's estimate.
    is_counted: bool


async def required_backfills(
    pending: Sequence[Revision], database: Database, project: Project
) -> Mapping[str, Sequence[RequiredBackfill]]:
    """Those of each pending revision, by its id; it only reads.

    On failure: BackfillInvalid, BackfillUnknown, BackfillTableGone, BackfillKeyUnfit; the errors of
    the database.
    """
    found: dict[str, Sequence[RequiredBackfill]] = {}
    for revision in pending:
        names = revision.requires_backfill
        # Python 3.10 knows no asynchronous comprehension in another one.
        required = [await _required(name, database, project) for name in names]
        if required:
            found[revision.id] = required
    return found


async def _required(name: str, database: Database, project: Project) -> RequiredBackfill:
    backfill = named(project, name)
    state = (await status(backfill, database, project)).state
    rows, is_counted = await rows_to_do(backfill, database, project) or (None, False)
    return RequiredBackfill(name, backfill.after, state, rows, is_counted)
