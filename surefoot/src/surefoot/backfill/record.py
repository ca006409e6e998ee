"""The rows of the ledger about a backfill: who began, paused, resumed or cancelled it, and its end.

The ledger has one writer at a time, who holds the migration mutex. A backfill does not wait long
for that: a row that could not be written is told as an event. The row about the end is written by
the next run, where the run that met the end could not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Listen, Unrecorded
from surefoot.backfill.state import COMPLETE
from surefoot.backfill.tables import with_tables
from surefoot.connect.database import Database
from surefoot.connect.failures import describe
from surefoot.errors import SurefootError
from surefoot.ledger.appending import append
from surefoot.ledger.table import BACKFILL, Entry, Ledger
from surefoot.project import Project
from surefoot.wording import counted, duration

if TYPE_CHECKING:
    from sqlalchemy import Connection

WAIT_S, _POLL_S = 5.0, 0.2
_UNTOLD = """
UPDATE {backfills} SET is_recorded = true
WHERE name = $1 AND finished_at IS NOT NULL AND NOT is_recorded
RETURNING state,
    changed + coalesce((SELECT sum(changed) FROM {ranges} WHERE backfill = name), 0)::bigint,
    (SELECT count(*) FROM {failures} WHERE backfill = name)
"""
# The words of a row, and those about what went wrong; None where there is nothing to write.
_Words = tuple[str, str | None] | None


async def record(
    backfill: Backfill, database: Database, project: Project, said: str, listen: Listen
) -> None:
    """Write that the backfill was `started by ci@host`, say, where the project has a ledger."""
    await _record(backfill, database, project, lambda _: (said, None), said, listen)


async def record_end(
    backfill: Backfill, database: Database, project: Project, listen: Listen
) -> None:
    """Write how it ended, where it has and no run has written it."""

    def words(connection: Connection) -> _Words:
        query = with_tables(_UNTOLD, project.version_table)
        row = connection.exec_driver_sql(query, (backfill.name,)).one_or_none()
        if row is None:
            return None
        state, changed, failed = row
        if state == COMPLETE:
            return f"complete: {changed_in_words(changed)}", None
        return f"ended: {changed_in_words(changed)}", f"rows that failed: {failed:,}"

    await _record(backfill, database, project, words, "ended", listen)


def changed_in_words(rows: int) -> str:
    """The number of rows that were changed, for a row of the ledger."""
    return f"{counted(rows, 'row')} changed"


async def _record(
    backfill: Backfill,
    database: Database,
    project: Project,
    words: Callable[[Connection], _Words],
    said: str,
    listen: Listen,
) -> None:
    # SQLAlchemy takes longer to import than a first look.
    from surefoot.connect.any_failure import DATABASE_ERRORS  # noqa: PLC0415 - the same

    ledger, number = Ledger(project.version_table), project.version_table.mutex_number
    engine = database.engine("backfill")
    until_s, why = time.monotonic() + WAIT_S, None
    try:
        async with engine.connect() as connection:
            while not await connection.run_sync(_try, ledger, number, backfill, words, database):
                if time.monotonic() > until_s:
                    why = f"another session held the migration mutex for {duration(WAIT_S)}"
                    break
                await asyncio.sleep(_POLL_S)
    except (SurefootError, *DATABASE_ERRORS) as error:
        why = error.message if isinstance(error, SurefootError) else describe(error)
    finally:
        await engine.dispose()
    if why is not None:
        listen(Unrecorded(backfill.name, said, why))


def _try(
    connection: Connection,
    ledger: Ledger,
    number: int,
    backfill: Backfill,
    words: Callable[[Connection], _Words],
    database: Database,
) -> bool:
    """Write the row in one transaction; False where somebody else has the mutex."""
    with connection.begin():
        if not ledger.exists(connection):
            return True
        free = f"SELECT pg_try_advisory_xact_lock({number})"
        if not connection.exec_driver_sql(free).scalar():
            return False
        if (found := words(connection)) is None:
            return True
        ledger.extend(connection)
        said, error = found
        entry = Entry(
            revision=backfill.after,
            direction="upgrade",
            phase=BACKFILL,
            outcome=BACKFILL,
            checksum=backfill.sha256,
            build=database.limits.build,
            reason=f"{backfill.name} {said}",
            error=error,
        )
        append(connection, ledger, entry)
    return True
