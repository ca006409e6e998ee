"""admitted() decides whether a backfill may run on a database, before its first batch."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from typing import Any

import asyncpg

from surefoot.backfill.definition import Backfill
from surefoot.backfill.events import Listen
from surefoot.backfill.failures import before_batches
from surefoot.backfill.files import read_backfills
from surefoot.backfill.key import REPLACED, read_key
from surefoot.backfill.record import record
from surefoot.backfill.scans import refuse_scans
from surefoot.backfill.state import COMPLETE, FAILED, PAUSED, RUNNING, State
from surefoot.backfill.statements import Statements
from surefoot.chain.backfills import check_backfills
from surefoot.chain.revisions import ancestors
from surefoot.connect.database import Database
from surefoot.errors import (
    BackfillColumnShared,
    BackfillEdited,
    BackfillInvalid,
    BackfillPaused,
    BackfillTableGone,
    BackfillTooEarly,
    NotFound,
    PoolerRefused,
    ReadOnlyRefused,
    StandbyRefused,
)
from surefoot.errors.names import command
from surefoot.ledger.writer import os_user, who
from surefoot.project import Project

_SESSION = """
SELECT pg_backend_pid(), pg_is_in_recovery(), current_setting('default_transaction_read_only'),
       current_database(), session_user::text
"""


async def admitted(
    backfill: Backfill,
    database: Database,
    project: Project,
    parameters: Mapping[str, float],
    *,
    retry_failed: bool = False,
    listen: Listen = lambda _: None,
) -> Statements:
    """Look at the database and begin the backfill, or go on with it; its statements.

    On failure: LockFileStale, PoolerRefused, StandbyRefused, ReadOnlyRefused, BackfillTooEarly,
    BackfillTableGone, BackfillKeyUnfit, BackfillScans, BackfillEdited, BackfillPaused,
    BackfillColumnShared; NotFound, with `retry_failed` where it has not begun.
    """
    check_backfills(project.lock)
    connection = await database.connect("backfill")
    try:
        user = await refuse_session(connection, database)
        await refuse_early(connection, backfill, database, project)
        key = await read_key(connection, backfill.name, backfill.table, backfill.key)
        statements = Statements(backfill, key, project.version_table)
        with before_batches(backfill.name):
            await refuse_scans(connection, statements)
        state = State(connection, project.version_table, backfill.name)
        exists = await state.exists()
        if retry_failed and (not exists or await state.read() is None):
            raise not_begun(backfill)
        if exists:
            await _refuse_shared(connection, backfill, project, key.oid)
        else:
            await state.create()
        actor = {"database_user": user, "os_user": os_user(), "host": socket.gethostname()}
        if await state.begin(backfill.sha256, key.oid, actor, parameters):
            begun = "started"
        else:
            is_again = await _go_on(connection, state, statements, retry_failed=retry_failed)
            await state.set_parameters(parameters)
            begun = "started again" if is_again else ""
        if begun:
            await record(backfill, database, project, f"{begun} by {who()}", listen)
        return statements
    finally:
        await connection.close()


def not_begun(backfill: Backfill) -> NotFound:
    """The error about a backfill of which the database has no state."""
    return NotFound(
        f"{backfill.name} has not begun on this database",
        help=f"`{command()} backfill run {backfill.name}` shows what it would do",
    )


async def refuse_session(connection: asyncpg.Connection[Any], database: Database) -> str:
    """The user of a session that may change rows, and keeps a lease.

    On failure: PoolerRefused, StandbyRefused, ReadOnlyRefused.
    """
    pid, standby, read_only, name, user = await connection.fetchrow(_SESSION)  # type: ignore[misc]  # it answers
    if (connected := connection.get_server_pid()) != pid:
        reason = f"the connection is to process {connected}, and process {pid} answers"
        raise PoolerRefused(database.location("backfill").address, reason)
    if standby:
        raise StandbyRefused(name)
    if read_only == "on":
        raise ReadOnlyRefused(name)
    return str(user)


async def refuse_early(
    connection: asyncpg.Connection[Any], backfill: Backfill, database: Database, project: Project
) -> None:
    """Look whether the revision that it needs is applied.

    On failure: BackfillTooEarly; BackfillInvalid, where the project has no such revision.
    """
    if backfill.after not in {each.id for each in project.locked()}:
        raise BackfillInvalid(
            f"{backfill.name}.py", f"the project has no revision {backfill.after} (`after`)"
        )
    if backfill.after in await pending(connection, project):
        name = await connection.fetchval("SELECT current_database()")
        raise BackfillTooEarly(backfill.name, backfill.after, name)


async def pending(connection: asyncpg.Connection[Any], project: Project) -> Collection[str]:
    """The revisions of the project that are not applied."""
    table, revisions, found = project.version_table.quoted, project.locked(), []
    if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table):
        rows = await connection.fetch(f"SELECT version_num FROM {table}")  # noqa: S608 - quoted
        found = [row[0] for row in rows]
    return {each.id for each in revisions} - ancestors(revisions, found)


async def _go_on(
    connection: asyncpg.Connection[Any], state: State, statements: Statements, *, retry_failed: bool
) -> bool:
    """Go on with a backfill that has begun; with one that is complete, where rows are left.

    Whether it had ended and walks the table again.
    """
    backfill, progress = statements.backfill, await state.read()
    if progress is None:
        return False
    if progress.state == PAUSED:
        raise BackfillPaused(backfill.name, progress.reason or "somebody")
    if retry_failed and progress.failed:
        await state.forget_failures()
        await state.restart(backfill.sha256, statements.key.oid)
        return True
    if progress.state in (COMPLETE, FAILED):
        # Rows that failed wait for `retry_failed`.
        query = statements.any_left(but_failed=progress.failed > 0)
        is_again = bool(await connection.fetchval(query))
        if is_again:
            await state.restart(backfill.sha256, statements.key.oid)
        return is_again
    if progress.sha256 != backfill.sha256:
        raise BackfillEdited(backfill.name)
    if progress.table_oid != statements.key.oid:
        raise BackfillTableGone(backfill.name, backfill.table, REPLACED)
    return False


async def _refuse_shared(
    connection: asyncpg.Connection[Any], backfill: Backfill, project: Project, table_oid: int
) -> None:
    """On failure: BackfillColumnShared, where another one that runs writes the same column."""
    for other in read_backfills(project).values():
        shared = sorted({*backfill.columns} & {*other.columns})
        if other.name == backfill.name or not shared:
            continue
        state = await State(connection, project.version_table, other.name).read()
        if state is None or state.state not in (RUNNING, PAUSED):
            continue
        # The name of a table has several spellings.
        if state.table_oid == table_oid:
            raise BackfillColumnShared(backfill.name, other.name, shared[0])
