"""Forecast is what a backfill has to do on a database, before it does it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import asyncpg

from surefoot.backfill.at_once import change
from surefoot.backfill.checks import refuse_early, refuse_session
from surefoot.backfill.definition import Backfill
from surefoot.backfill.failures import before_batches
from surefoot.backfill.key import read_key
from surefoot.backfill.pace import PLANNED_ROWS
from surefoot.backfill.scans import explained_batch, first_place
from surefoot.backfill.state import State
from surefoot.backfill.statements import Statements
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.errors import BackfillTooEarly
from surefoot.frozen import dataclass
from surefoot.project import Project

# Rows are counted for so long; after that their number is the server's estimate.
_COUNTING_MS = 2000


@dataclass(frozen=True)
class Forecast:
    """The rows to do, and the plan of the first batch."""

    backfill: str
    table: str
    rows: int
    # Whether the rows were counted, or are the server's estimate.
    is_counted: bool
    # Rows of the table, by the statistics; batches, if each has as many rows as the first one.
    rows_of_table: int
    batches: int
    batch_rows: int
    plan: Sequence[str]
    # Large tables that each batch would read as a whole.
    scans: Sequence[str]
    # Of a dry run: the rows that the first batch changed, and the time it took.
    changed: int | None = None
    took_s: float | None = None

    @property
    def estimate_s(self) -> float | None:
        """Seconds for all rows by one worker, at the speed of the dry run; None without one."""
        if not self.took_s or not self.changed:
            return None
        return self.rows * self.took_s / self.changed

    def as_json(self) -> dict[str, object]:
        """The same as one JSON object."""
        return {"schema_version": 1, **asdict(self), "estimate_s": self.estimate_s}


async def plan(
    backfill: Backfill, database: Database, project: Project, *, dry_run: bool = False
) -> Forecast:
    """Look at the rows to do; with `dry_run` change the first batch, and roll it back.

    On failure: PoolerRefused, StandbyRefused, ReadOnlyRefused, BackfillTooEarly,
    BackfillTableGone, BackfillKeyUnfit; the errors of the database.
    """
    with explained(database.shown("backfill")):
        connection = await database.connect("backfill")
        try:
            await refuse_session(connection, database)
            await refuse_early(connection, backfill, database, project)
            key = await read_key(connection, backfill.name, backfill.table, backfill.key)
            of = Statements(backfill, key, project.version_table)
            with before_batches(backfill.name):
                return await _forecast(connection, of, dry_run=dry_run)
        finally:
            await connection.close()


async def rows_to_do(
    backfill: Backfill, database: Database, project: Project
) -> tuple[int, bool] | None:
    """The rows that lack the change, and whether they were counted; reading is enough.

    None where the revision that it needs is not applied. On failure: BackfillTableGone,
    BackfillKeyUnfit; the errors of the database.
    """
    with explained(database.shown("observe")):
        connection = await database.connect("observe")
        try:
            await refuse_early(connection, backfill, database, project)
            key = await read_key(connection, backfill.name, backfill.table, backfill.key)
            return await _rows(connection, Statements(backfill, key, project.version_table))
        except BackfillTooEarly:
            return None
        finally:
            await connection.close()


async def _forecast(
    connection: asyncpg.Connection[Any], of: Statements, *, dry_run: bool
) -> Forecast:
    rows, is_counted = await _rows(connection, of)
    high = await first_place(connection, of)
    lines, scans = ([], []) if high is None else await explained_batch(connection, of, high)
    changed = took_s = None
    if dry_run and high is not None:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await _create(connection, of)
            began_s = time.perf_counter()
            changed = await change(connection, of, high)
            took_s = time.perf_counter() - began_s
        finally:
            await transaction.rollback()
    size, total = min(PLANNED_ROWS, of.backfill.batch_rows[1]), round(of.key.rows)
    return Forecast(
        of.backfill.name,
        of.backfill.table,
        rows,
        is_counted,
        max(total, rows),
        -(-max(total, rows) // size),
        size,
        lines,
        scans,
        changed,
        took_s,
    )


async def _create(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """Create what a run would: a role that may not learns it from a dry run."""
    await State(connection, of.version_table, of.backfill.name).create()


async def _rows(connection: asyncpg.Connection[Any], of: Statements) -> tuple[int, bool]:
    """The rows that lack the change, and whether they were counted."""
    query = f"SELECT FROM {of.key.quoted} WHERE {of.todo(but_failed=False)}"
    with suppress(asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncio.TimeoutError):
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {_COUNTING_MS}")
            counting = query.replace("SELECT", "SELECT count(*)", 1)
            return int(await connection.fetchval(counting)), True
    found = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}"))
    return int(found[0]["Plan"]["Plan Rows"]), False
