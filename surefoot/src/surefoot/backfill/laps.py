"""A lap is one walk over the table; its ranges are leased, split, and followed by the next lap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.events import LapDone, Listen, Unseen
from surefoot.backfill.key import Place
from surefoot.backfill.state import COMPLETE, FAILED, RUNNING, Progress, State
from surefoot.backfill.statements import Statements
from surefoot.wording import duration

# A table of fewer rows is one range; a larger one has so many.
_SMALL_ROWS, _RANGES = 20_000, 32
# So many places a sample has, about: it is read a page at a time.
_SAMPLE_ROWS = 3000
# One statement looks for so long whether a row is left; then the next lap does. After a lap that
# changed nothing it takes longer: no other one would.
_LOOKING_MS, _LONGER_MS = 5000, 60_000
# It reads all of the table, which goes faster without the index of the key.
_BY_PAGES = "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on"


async def end_lap(
    connection: asyncpg.Connection[Any], state: State, statements: Statements, listen: Listen
) -> bool:
    """Begin the next lap where all ranges of this one are done, or end the backfill.

    Whether it has ended. It is complete after a lap behind which no row lacks the change.
    """
    progress = await state.read()
    if progress is None or progress.state in (COMPLETE, FAILED):
        return True
    if progress.ranges_left or progress.state != RUNNING:
        return False
    lap, ends = progress.lap, await _has_ended(connection, progress, statements, listen)
    places = [] if ends else await _places(connection, statements)
    async with connection.transaction():
        progress = await state.read(lock=True)
        if progress is None or progress.state in (COMPLETE, FAILED):
            return True
        if progress.ranges_left or progress.state != RUNNING or progress.lap != lap:
            return False
        if ends:
            await state.end(FAILED if progress.failed else COMPLETE)
        else:
            await state.begin_lap(progress, places)
    if lap:
        found = progress.changed_in_lap, progress.skipped_in_lap
        listen(LapDone(statements.backfill.name, lap, *found))
    return ends


async def _has_ended(
    connection: asyncpg.Connection[Any], progress: Progress, statements: Statements, listen: Listen
) -> bool:
    """Whether no row lacks the change, where this is known without another lap.

    A lap that changed no row is not enough: a row that came meanwhile, or whose key was changed,
    may be where the walk had been. It is enough where a look takes too long, and that is told.
    """
    if not progress.lap or progress.skipped_in_lap:
        return False
    query = statements.any_left(but_failed=progress.failed > 0)
    longest_ms = _LOOKING_MS if progress.changed_in_lap else _LONGER_MS
    with suppress(asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {longest_ms}; {_BY_PAGES}")
            return not await connection.fetchval(query)
    if progress.changed_in_lap:
        return False
    took = f"a look at the whole table takes more than {duration(longest_ms / 1000)}"
    listen(Unseen(statements.backfill.name, f"rows that came behind the last lap: {took}"))
    return True


async def split_one(
    connection: asyncpg.Connection[Any], state: State, statements: Statements
) -> bool:
    """Split a range that another session walks, so that there is one to lease."""
    ranges = list(await state.ranges.open_ranges())
    random.shuffle(ranges)  # workers without work do not all choose the same
    percent = _percent(statements.key.rows)
    # Half a range has a batch, at least.
    least = max(2.0, 2 * statements.backfill.batch_rows[0] * percent / 100)
    for each in ranges:
        sample = await connection.fetch(statements.sample(percent), each.begin, each.high)
        if len(sample) < least:
            continue
        (middle,) = sample[len(sample) // 2 - 1]
        if middle != each.high and await state.ranges.split(each, middle, statements.key):
            return True
    return False


async def _places(connection: asyncpg.Connection[Any], statements: Statements) -> Sequence[Place]:
    """Where the ranges of a lap end: at places of a sample, and with the last row."""
    last = await connection.fetchval(statements.last)
    if last is None:
        return []
    rows = statements.key.rows
    if rows < _SMALL_ROWS:
        return [last]
    sample = await connection.fetch(statements.sample(_percent(rows)), None, last)
    step = max(1, len(sample) // _RANGES)
    found = [place for (place,) in sample[step::step] if place != last]
    return [*found[: _RANGES - 1], last]


def _percent(rows: float) -> float:
    return min(100.0, max(0.001, 100 * _SAMPLE_ROWS / max(rows, 1)))
