"""Calls `fill`, with rows that the server gave as columns; its values go back as columns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, cast

import asyncpg

from surefoot.backfill.definition import Backfill, Row, Values
from surefoot.backfill.failures import RowRefused
from surefoot.backfill.statements import Statements
from surefoot.errors import BackfillStopped
from surefoot.wording import counted


async def make_ready(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """Create what the statements with arrays need in a session. On failure: the server's errors."""
    if of.backfill.is_python and (creation := of.arrays.creation):
        await connection.execute(creation)


def rows_of(of: Statements, columns: Sequence[Sequence[Any] | None]) -> Sequence[Row]:
    """The rows of a batch, from the columns in `reads`."""
    rows: list[dict[str, Any]] | None = None
    boxed = of.arrays.boxed
    for name, column in zip(of.reads, columns, strict=True):
        values = column or ()
        if name in boxed:
            values = [value for (value,) in values]
        if rows is None:
            rows = [{} for _ in values]
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows or []


async def filled(
    backfill: Backfill, rows: Sequence[Row], calls: asyncio.Semaphore
) -> Sequence[Values | None]:
    """The values that `fill` gives for each row, from calls that run at the same time.

    On failure: RowRefused, BackfillStopped.
    """

    async def call(part: Sequence[Row]) -> Sequence[Values | None]:
        async with calls:
            found = await _called(backfill, part)
        if not isinstance(found, Sequence):
            reason = f"fill gave {type(found).__name__}, not a list with the values of each row"
            raise BackfillStopped(backfill.name, reason)
        if len(found) != len(part):
            reason = f"fill gave {counted(len(found), 'value')} for {counted(len(part), 'row')}"
            raise BackfillStopped(backfill.name, reason)
        return found

    size = backfill.rows_per_call
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [each for part in await asyncio.gather(*map(call, parts)) for each in part]


async def _called(backfill: Backfill, part: Sequence[Row]) -> Any:
    """Whatever `fill` gives. On failure: RowRefused, also where it raises CancelledError itself."""

    async def call() -> Any:
        try:
            return await backfill.fill(part)
        except (Exception, SystemExit) as error:
            raise RowRefused(f"fill raised {type(error).__name__}") from error

    task = asyncio.ensure_future(call())
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise RowRefused("fill raised CancelledError")
    return task.result()


def columns_of(
    of: Statements, found: Sequence[Values | None]
) -> tuple[Sequence[bool] | None, Sequence[Sequence[Any]]]:
    """Which rows got values, None where all did, and a column for each in `writes`.

    On failure: BackfillStopped.
    """
    given, columns = _columns_of(of.backfill, found)
    boxed = of.arrays.boxed
    return given, [
        [(value,) for value in column] if name in boxed else column
        for name, column in zip(of.backfill.writes, columns, strict=True)
    ]


def _columns_of(
    backfill: Backfill, found: Sequence[Values | None]
) -> tuple[Sequence[bool] | None, Sequence[Sequence[Any]]]:
    writes = backfill.writes
    # As most are, and most cheaply: a row costs about as much here as in the database.
    if {*map(type, found)} == {dict}:
        plain = cast("Sequence[Values]", found)
        if {*map(len, plain)} == {len(writes)}:
            with suppress(KeyError):
                return None, [[*map(itemgetter(name), plain)] for name in writes]
    for values in found:
        _check(backfill, values)
    given = [values is not None for values in found]
    return given, [[values and values[name] for values in found] for name in writes]


def _check(backfill: Backfill, values: Any) -> None:
    if values is None:
        return
    if not isinstance(values, Mapping):
        reason = f"fill gave {type(values).__name__} for a row, not a mapping or None"
        raise BackfillStopped(backfill.name, reason)
    if values.keys() != set(backfill.writes):
        named = ", ".join(sorted(values.keys() ^ set(backfill.writes)))
        reason = f"the values of fill are not those of `writes`: {named}"
        raise BackfillStopped(backfill.name, reason)
