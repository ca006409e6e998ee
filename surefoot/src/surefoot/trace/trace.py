"""Trace is the record of what revisions do, made by running them on a scratch database.

    scratch database -- upgrade to the revision of the target -- sample rows -- upgrade + Tracer
                                                                     |    (`back`: downgrade)
    revision file -- statement --> Snapshot before, Snapshot after --> Statement (locks, effects)

It records executed statements, so SQL in a string, a DO block or a Python loop is treated alike.
Locks and effects are measured in PostgreSQL, not derived from the text of the SQL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.failures import sqlstate
from surefoot.connect.limits import Limits
from surefoot.errors import DuplicateRows, Refused, SurefootError
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target
from surefoot.trace.lock_probe import LockProbe
from surefoot.trace.sample_rows import seed, unseed
from surefoot.trace.sizes import table_sizes
from surefoot.trace.statement import Statement
from surefoot.trace.tracer import Tracer

__all__ = ["Statement", "Trace", "trace"]

# Enough for the planner to prefer an index to find one row.
ROWS = 1000
ZONE = "Etc/GMT-1"


@dataclass(frozen=True)
class Trace:
    """The statements of the pending revisions, and the error that stopped them."""

    statements: tuple[Statement, ...]
    failure: SurefootError | None = None
    # The downgrade of those that were applied, newest first; None where it was not requested.
    back: Trace | None = None

    def applied(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of the revisions, oldest first, that the run has applied."""
        if self.failure is None:
            return ids
        # A refusal, unlike a revision that failed, is before all revisions.
        stopped = None if isinstance(self.failure, Refused) else self.failure
        named = getattr(stopped, "revision", None)
        return ids[: ids.index(named)] if named in ids else ()


async def trace(
    scratch: Target,
    versions: Path,
    *,
    start: Sequence[str],
    to: str = "head",
    rows: int = ROWS,
    back: bool = False,
) -> Trace:
    """Run the revisions after `start`, and record each statement.

    The database is empty, or already at `start`. A revision that fails because of the sample rows
    is run again without them. With `back` the applied revisions are downgraded afterwards, and
    recorded as well.

    On failure: as `upgrade` to `start`. A later revision that fails is `failure` of the Trace.
    """
    # A scratch database has no users: no guard and no limit of the project applies.
    scratch = replace(scratch, limits=Limits())
    for revision in start:
        await upgrade(scratch, revision)
    engine = scratch.engine
    await _set_time_zone(engine)
    async with engine.connect() as opened, engine.connect() as other:
        session: Any = (await opened.get_raw_connection()).driver_connection
        reader: Any = (await other.get_raw_connection()).driver_connection
        if rows:
            await seed(session, rows, scratch.version_table)

        async def run(command: Callable[..., Awaitable[object]], to: str, *, retry: bool) -> Trace:
            tracer = Tracer(versions, LockProbe(session, reader))
            while True:
                failure = None
                sizes = await table_sizes(session)
                with tracer.on(engine.sync_engine, sizes):
                    try:
                        await command(scratch, to)
                    except SurefootError as error:
                        failure = error
                has_rows = any(each.rows for each in sizes.values())
                if not (retry and has_rows and _is_about_rows(failure)):
                    return Trace(tuple(tracer.statements), failure)
                tracer.forget(getattr(failure, "revision", ""))
                await unseed(session, scratch.version_table)

        traced = await run(upgrade, to, retry=True)
        if not back or len(start) > 1:
            return traced
        # With the sample rows: a downgrade that fails on them would fail on the target too.
        return replace(
            traced, back=await run(downgrade, start[0] if start else "base", retry=False)
        )


async def _set_time_zone(engine: AsyncEngine) -> None:
    """Set a time zone for new sessions in which a timestamp differs from UTC.

    In UTC a change from timestamp to timestamptz needs no rewrite, which would hide it.
    """
    async with engine.begin() as connection:
        name = await connection.scalar(text("SELECT quote_ident(current_database())"))
        await connection.execute(text(f"ALTER DATABASE {name} SET timezone TO '{ZONE}'"))


def _is_about_rows(error: BaseException | None) -> bool:
    """Whether a revision failed on sample rows: SQLSTATE class 23, integrity, or 22, data."""
    state = (error and sqlstate(error)) or ""
    return state[:2] in ("22", "23") or isinstance(error, DuplicateRows)
