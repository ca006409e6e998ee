"""Trace is the record of what revisions do, made by running them on a scratch database.

    scratch database -- upgrade to the revision of the target -- sample rows -- upgrade + Tracer
                                                                     |    (`back`: downgrade)
    revision file -- statement --> Snapshot before, Snapshot after --> Statement (locks, effects)

It records executed statements, so SQL in a string, a DO block or a Python loop is treated alike.
Locks and effects are measured in PostgreSQL, not derived from the text of the SQL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from surefoot.connect.failures import sqlstate
from surefoot.connect.limits import Limits
from surefoot.errors import DuplicateRows, Refused, SurefootError
from surefoot.frozen import dataclass
from surefoot.ledger.glance import heads_of
from surefoot.quoting import literal
from surefoot.run.commands import downgrade, upgrade
from surefoot.run.events import Listen, ignore
from surefoot.target import Target
from surefoot.trace.lock_probe import LockProbe
from surefoot.trace.sample_rows import seed, unseed
from surefoot.trace.sizes import table_sizes
from surefoot.trace.statement import Statement
from surefoot.trace.tracer import Tracer

__all__ = ["Statement", "Trace", "trace"]

# Enough for the planner to prefer an index to find one row.
ROWS = 1000
# Equal to UTC since 1912, so that dates mean what they mean there; not to PostgreSQL, which keeps a
# table as it is where timestamp becomes timestamptz in UTC.
ZONE = "Africa/Abidjan"
# A scratch database in UTC has what a run in one of these gives.
AS_UTC = ("UTC", "Etc/UTC", ZONE)


@dataclass(frozen=True)
class Trace:
    """The statements of the pending revisions, and the error that stopped them."""

    statements: tuple[Statement, ...]
    failure: SurefootError | None = None
    # The downgrade of those that were applied, newest first; None where it was not requested.
    back: Trace | None = None
    # The lines of its file that each revision has executed.
    lines: Mapping[str, frozenset[int]] = field(default_factory=dict)
    # The revision whose function ran last.
    last: str | None = None

    @property
    def stopped_at(self) -> str | None:
        """The revision that failed or was refused; None where none did, or none had begun."""
        if self.failure is None:
            return None
        return getattr(self.failure, "revision", None) or self.last

    def applied(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of the revisions, oldest first, that the run has applied."""
        if self.failure is None:
            return ids
        before = ids[: ids.index(self.stopped_at)] if self.stopped_at in ids else ()
        # A revision may be refused as it runs, or before any one does.
        is_refused = isinstance(self.failure, Refused)
        return [each for each in before if each in self.lines or not is_refused]

    def seen(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of the revisions, oldest first, that were applied and whose downgrade was tried.

        One whose downgrade failed after that of another one is not among them: rows that the other
        has lost may be the reason.
        """
        applied, back = self.applied(ids), self.back
        if back is None or (back.failure is not None and back.stopped_at not in applied):
            return ()
        if back.failure is None:
            return applied
        return applied[applied.index(back.stopped_at) + 1 :] or applied[-1:]


async def trace(
    scratch: Target,
    versions: Path | Collection[Path],
    *,
    start: Sequence[str],
    to: Sequence[str] = ("head",),
    rows: int = ROWS,
    back: bool = False,
    retry: bool = True,
    text: str | None = None,
    zone: str = ZONE,
    listen: Listen = ignore,
) -> Trace:
    """Run the revisions after `start`, which are in these folders, and record each statement.

    The database is empty, or already at `start`. A revision that fails because of the sample rows
    is run again without them, once, unless `retry` is false. With `back` the applied revisions are
    downgraded afterwards, and recorded as well. `listen` hears the events of each run. Tables that
    `text` names get rows, all of them without it. Sessions are in the time zone `zone`, by default
    one that is not UTC.

    A revision that fails is `failure` of the Trace, as is one before `start`.
    """
    folders = (versions,) if isinstance(versions, Path) else versions
    # A scratch database has no users: no guard and no limit of the project applies.
    scratch = replace(scratch, limits=Limits())
    # Before the revisions that lead there: the bounds of partitions follow it.
    try:
        async with scratch.engine.connect() as connection:
            await _set_time_zone(connection, zone)
            there = await connection.run_sync(heads_of, scratch.version_table)
        for revision in start:
            if revision not in there:
                await upgrade(scratch, revision, listen=listen, measure=False, squash=False)
    except SurefootError as error:
        return Trace((), error)
    engine = scratch.engine
    async with engine.connect() as opened, engine.connect() as other:
        session: Any = (await opened.get_raw_connection()).driver_connection
        reader: Any = (await other.get_raw_connection()).driver_connection
        if rows:
            await seed(session, rows, scratch.version_table, text)

        async def run(
            command: Callable[..., Awaitable[object]], to: Sequence[str], *, retry: bool
        ) -> Trace:
            tracer = Tracer(folders, LockProbe(session, reader))
            repeated: set[str | None] = set()
            while True:
                failure = None
                with tracer.on(engine.sync_engine, await table_sizes(session)):
                    try:
                        for each in to:
                            await command(scratch, each, listen=listen, measure=False)
                    except SurefootError as error:
                        failure = error
                last = tracer.last
                if not retry or last in repeated or not _is_about_rows(failure):
                    lines = {each: frozenset(found) for each, found in tracer.lines.items()}
                    return Trace(tuple(tracer.statements), failure, lines=lines, last=last)
                repeated.add(last)
                await unseed(session, scratch.version_table)

        traced = await run(partial(upgrade, together=False), to, retry=retry)
        # A revision that ends other sessions has ended this one.
        if not back or len(start) > 1 or session.is_closed():
            return traced
        # With the sample rows: a downgrade that fails on them would fail on the target too.
        return replace(traced, back=await run(downgrade, start or ["base"], retry=False))


async def _set_time_zone(connection: AsyncConnection, zone: str) -> None:
    """Set the time zone of new sessions.

    In UTC a change from timestamp to timestamptz needs no rewrite.
    """
    name = await connection.scalar(text("SELECT quote_ident(current_database())"))
    await connection.execute(text(f"ALTER DATABASE {name} SET timezone TO {literal(zone)}"))
    await connection.commit()


def _is_about_rows(error: BaseException | None) -> bool:
    """Whether a revision failed on sample rows: SQLSTATE class 23, integrity, or 22, data."""
    state = (error and sqlstate(error)) or ""
    return state[:2] in ("22", "23") or isinstance(error, DuplicateRows)
