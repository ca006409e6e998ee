"""read() reads everything that an overview shows from a database, part by part."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.failures import describe, sqlstate
from surefoot.errors import LedgerEdited, SurefootError
from surefoot.ledger import agreement
from surefoot.ledger.services import living
from surefoot.ledger.table import Ledger
from surefoot.overview.model import Activity, Reading, Unread
from surefoot.run import sessions
from surefoot.run.locks import mutex
from surefoot.startup.backfills import read_backfills
from surefoot.startup.check import Build, check
from surefoot.version_table import VersionTable

# With a silent server, closing the connection takes up to two seconds more.
READ_S = 3.0
# So many of the newest rows of the ledger are read with statements and locks.
DETAILED = 100
# A table that a migration has locked is not worth waiting for.
_BOUNDS = (
    "SELECT set_config('lock_timeout', '200ms', true), "
    "set_config('statement_timeout', '1500ms', true)"
)
_AWAY = Unread("the database does not answer")
_T = TypeVar("_T")


async def read(engine: AsyncEngine, build: Build, *, timeout_s: float = READ_S) -> Reading:
    """Read every part within about `timeout_s`, whatever the database does.

    `engine` makes read-only sessions. A part that cannot be read says why.
    """
    verdict, parts = await asyncio.gather(
        check(engine, build, timeout_s=timeout_s), _read(engine, build, timeout_s)
    )
    return Reading(verdict=verdict, **parts)


async def _read(engine: AsyncEngine, build: Build, timeout_s: float) -> dict[str, Any]:
    """Every part of a reading, by its name."""
    until_s = time.monotonic() + timeout_s
    parts: dict[str, Callable[[Connection], Any]] = {
        "activity": partial(_activity, version_table=build.version_table),
        "ledger": partial(Ledger(build.version_table).rows, details=DETAILED),
        "ledger_broken": partial(_ledger_broken, Ledger(build.version_table)),
        "services": lambda connection: living(connection, build.revisions),
        "backfills": partial(read_backfills, version_table=build.version_table),
        # Last: it is the longest, and waits where a migration has locked something.
        "agreement": lambda connection: agreement.compare(
            connection, build.revisions, build.version_table, build.schemas, build.exclude
        ),
    }
    connection = engine.connect()
    try:
        with anyio.fail_after(timeout_s):
            await connection.start()
        return {name: await _part(connection, ask, until_s) for name, ask in parts.items()}
    except DATABASE_ERRORS as error:
        # An answer is told, such as that the role has no connection left.
        why = Unread(describe(error)) if sqlstate(error) else _AWAY
        return dict.fromkeys(parts, why)
    finally:
        with contextlib.suppress(*DATABASE_ERRORS):
            await connection.close()


async def _part(
    connection: AsyncConnection, ask: Callable[[Connection], _T], until_s: float
) -> _T | Unread:
    try:
        with anyio.fail_after(max(until_s - time.monotonic(), 0.01)):
            await connection.exec_driver_sql(_BOUNDS)
            found = await connection.run_sync(ask)
            await connection.rollback()
    except (SurefootError, *DATABASE_ERRORS) as error:
        # A timeout has closed the connection; the parts that follow then fail as well.
        with contextlib.suppress(*DATABASE_ERRORS):
            await connection.rollback()
        late = isinstance(error, (TimeoutError, asyncio.TimeoutError))
        return Unread("the database took too long to answer" if late else describe(error))
    return found


def _activity(connection: Connection, version_table: VersionTable) -> Activity | None:
    holder = sessions.mutex_holder(connection, mutex.key(version_table))
    if holder is None:
        return None
    progress = sessions.progress(connection, holder.pid)
    return Activity(holder, progress, sessions.blockers(connection, holder.pid))


def _ledger_broken(ledger: Ledger, connection: Connection) -> str | None:
    try:
        if ledger.exists(connection):
            ledger.verify(connection)
    except LedgerEdited as error:
        return error.message
    return None
