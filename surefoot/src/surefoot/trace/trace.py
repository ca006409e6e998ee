"""Trace: what revisions do, seen by running them on a scratch database.

    scratch database -- upgrade to where the target is -- rows -- upgrade, beside it the Tracer
                                                                     |     (and back: downgrade)
    revision file -- statement --> State before, State after --> Statement (locks, effects, work)

The statements are those that are executed, so SQL in a string, a DO block and a loop in Python are
seen alike; and what is said of them was measured on a PostgreSQL, not read from their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.failures import sqlstate
from surefoot.connect.limits import Limits
from surefoot.errors import DuplicateRows, SurefootError
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target
from surefoot.trace.contents import contents
from surefoot.trace.gate import Gate
from surefoot.trace.seed import seed, unseed
from surefoot.trace.state import STATE, State, read_state
from surefoot.trace.statement import Statement
from surefoot.trace.tracer import Tracer

__all__ = ["Statement", "Trace", "trace"]

# So many that the server would rather use an index for one of them.
ROWS = 1000
ZONE = "Etc/GMT-1"


@dataclass(frozen=True)
class Trace:
    """What the pending revisions executed, and what stopped them."""

    statements: tuple[Statement, ...]
    failure: SurefootError | None = None
    # The same of going back over those that were applied, newest first; None where nobody asked.
    back: Trace | None = None


async def trace(
    scratch: Target,
    versions: Path,
    *,
    start: Sequence[str],
    to: str = "head",
    rows: int = ROWS,
    back: bool = False,
) -> Trace:
    """Run what is pending after `start`, and tell what each statement did.

    The database is empty, or at `start` already. Where the rows made for it are what a revision
    fails on, that is run once more without them. With `back` what was applied is reverted
    afterwards, and told as well.

    On failure: what `upgrade` meets on the way to `start`; a revision that fails is
    the trace's `failure`, and no error.
    """
    # Nothing waits for a scratch database, and nothing on it is anybody's.
    scratch = replace(scratch, limits=Limits())
    for revision in start:
        await upgrade(scratch, revision)
    engine = scratch.engine
    await _leave_utc(engine)
    async with engine.connect() as opened, engine.connect() as beside:
        session: Any = (await opened.get_raw_connection()).driver_connection
        reader: Any = (await beside.get_raw_connection()).driver_connection
        tracer = Tracer(versions, Gate(session, reader), scratch.version_table)
        if rows:
            await seed(session, await _state(session), rows, scratch.version_table)
        there = await _there(scratch, to, tracer, session)
        if not back or len(start) > 1:
            return there
        tracer = Tracer(versions, Gate(session, reader), scratch.version_table)
        before = start[0] if start else "base"
        return replace(there, back=await _back(scratch, before, tracer, session))


async def _there(scratch: Target, to: str, tracer: Tracer, session: asyncpg.Connection) -> Trace:
    engine = scratch.engine.sync_engine
    while True:
        held = await contents(session, await _state(session))
        with tracer.on(engine, held):
            try:
                await upgrade(scratch, to)
            except SurefootError as error:
                if not any(each.rows for each in held.values()) or not _is_about_rows(error):
                    return Trace(tuple(tracer.statements), error)
            else:
                return Trace(tuple(tracer.statements))
        tracer.forget_last_revision()
        await unseed(session, await _state(session), scratch.version_table)


async def _back(scratch: Target, to: str, tracer: Tracer, session: asyncpg.Connection) -> Trace:
    """Rows stay: what cannot be reverted because of them cannot be on the target either."""
    held = await contents(session, await _state(session))
    with tracer.on(scratch.engine.sync_engine, held):
        try:
            await downgrade(scratch, to)
        except SurefootError as error:
            return Trace(tuple(tracer.statements), error)
    return Trace(tuple(tracer.statements))


async def _leave_utc(engine: AsyncEngine) -> None:
    """Put the sessions that come into a time zone where a timestamp is not what it is in UTC.

    A server in UTC would hide what a change to timestamptz does on another one.
    """
    async with engine.begin() as connection:
        name = await connection.scalar(text("SELECT quote_ident(current_database())"))
        await connection.execute(text(f"ALTER DATABASE {name} SET timezone TO '{ZONE}'"))


async def _state(connection: asyncpg.Connection) -> State:
    return read_state(await connection.fetchval(STATE))


def _is_about_rows(error: BaseException) -> bool:
    """Whether a revision failed on what the rows are: class 23, integrity, and 22, data."""
    state = sqlstate(error) or ""
    return state[:2] in ("22", "23") or isinstance(error, DuplicateRows)
