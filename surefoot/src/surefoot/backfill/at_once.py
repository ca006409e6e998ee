"""Changes rows in the transaction of the caller, without a state.

fill_at_once() is for scratch databases, whose rows are made up: a revision that requires a backfill
finds there the rows as the backfill leaves them. A dry run changes one batch and is rolled back.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from surefoot.backfill.calls import columns_of, filled, make_ready, rows_of
from surefoot.backfill.definition import Backfill
from surefoot.backfill.failures import before_batches
from surefoot.backfill.key import Place, read_key
from surefoot.backfill.statements import Statements
from surefoot.errors import BackfillWithoutProgress
from surefoot.quoting import qualified
from surefoot.version_table import VersionTable


async def fill_at_once(
    connection: asyncpg.Connection[Any], backfill: Backfill, version_table: VersionTable
) -> None:
    """Change every row that lacks the change; nothing where the table is not there.

    On failure: BackfillWithoutProgress, where rows match the filter afterwards; BackfillKeyUnfit;
    BackfillStopped, where its SQL cannot work; what the server or `fill` says.
    """
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", backfill.table):
        return
    key = await read_key(connection, backfill.name, backfill.table, backfill.key)
    of = Statements(backfill, key, version_table)
    last = await connection.fetchval(of.last)
    if last is None:
        # A mistake in its SQL shows without a row.
        with before_batches(backfill.name):
            await connection.prepare(of.first)
    elif await change(connection, of, last):
        left = await connection.fetchval(of.count(but_failed=False), None, last)
        if left:
            raise BackfillWithoutProgress(backfill.name, left, backfill.todo)


async def change(connection: asyncpg.Connection[Any], of: Statements, high: Place) -> int:
    """Change the rows up to a place that lack the change; their number.

    On failure: what the server or `fill` says.
    """
    await make_ready(connection, of)
    first = await connection.fetchrow(of.first, None, high)
    assert first is not None  # it counts, or has the rows as columns
    if not of.backfill.is_python:
        return int(first[1])
    rows = rows_of(of, first[1:])
    values = await filled(of.backfill, rows, asyncio.Semaphore(of.backfill.concurrency))
    columns_of(of, values)
    keys, writes = of.key.columns, of.backfill.writes
    sets = ", ".join(f"{qualified(name)} = ${n}" for n, name in enumerate(writes, 1))
    same = " AND ".join(f"{qualified(name)} = ${n}" for n, name in enumerate(keys, len(writes) + 1))
    written = [
        (*(given[name] for name in writes), *(row[name] for name in keys))
        for row, given in zip(rows, values, strict=True)
        if given is not None
    ]
    query = f"UPDATE {of.key.quoted} SET {sets} WHERE {same}"  # noqa: S608 - quoted
    await connection.executemany(query, written)
    return len(written)
