"""look() reads what a running service shows of a database beside its verdict, now and then."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from surefoot.connect.failures import describe, is_lost
from surefoot.frozen import dataclass
from surefoot.ledger.table import ARRIVED, BACKFILL, BROKEN_OFF, NOTHING, Ledger
from surefoot.startup.backfills import SeenBackfill, read_backfills
from surefoot.version_table import VersionTable

logger = logging.getLogger(__name__)

# A run that is at work may still end well what began, or tries again what failed.
_BROKEN_OFF = f"""
SELECT count(DISTINCT revision) FROM {{table}} broken
WHERE outcome IN {BROKEN_OFF}
  AND NOT EXISTS (SELECT FROM {{table}} later WHERE later.revision = broken.revision
                  AND later.id > broken.id AND later.outcome <> '{BACKFILL}')
  -- A downgrade of which nothing is kept, behind which another step was done.
  AND NOT (direction = 'downgrade'
           AND position('kept of ' || revision || ': {NOTHING}' IN coalesce(error, '')) > 0
           AND EXISTS (SELECT FROM {{table}} later
                       WHERE later.id > broken.id AND later.outcome IN {ARRIVED}))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks
                  WHERE locktype = 'advisory' AND granted AND objsubid = 1
                  AND database = (SELECT oid FROM pg_catalog.pg_database
                                  WHERE datname = current_database())
                  AND classid = {{high}} AND objid = {{low}})
"""  # noqa: S608 - constants and the names of our own tables
_T = TypeVar("_T")


@dataclass(frozen=True)
class Look:
    """The facts that were seen; None is not known."""

    # The backfills that have begun.
    backfills: Sequence[SeenBackfill] | None = None
    # The revisions whose last run failed or did not end, while none is at work.
    broken_off: int | None = None


async def look(connection: AsyncConnection, version_table: VersionTable) -> Look:
    """Read each part, by itself. On failure: the connection is lost."""
    return Look(
        await _part(connection, "backfills", read_backfills, version_table),
        await _part(connection, "runs", read_broken_off, version_table),
    )


def read_broken_off(connection: Connection, version_table: VersionTable = VersionTable()) -> int:
    """The number of revisions whose last run failed or did not end, while none is at work.

    On failure: the errors of the database, as where there is no ledger.
    """
    mutex = version_table.mutex_number % 2**64
    query = _BROKEN_OFF.format(
        high=mutex >> 32, low=mutex & 0xFFFFFFFF, **Ledger(version_table).names
    )
    found: int = connection.exec_driver_sql(query).scalar_one()
    return found


async def _part(
    connection: AsyncConnection,
    name: str,
    read: Callable[[Connection, VersionTable], _T],
    version_table: VersionTable,
) -> _T | None:
    try:
        return await connection.run_sync(read, version_table)
    except Exception as error:
        if is_lost(error):
            raise
        logger.debug("the state of the %s could not be read: %s", name, describe(error))
        return None
