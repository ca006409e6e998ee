"""A lap is one walk over the table; its ranges are leased, split, and followed by the next lap."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.events import LapDone
from surefoot.backfill.job import Job
from surefoot.backfill.key import Place
from surefoot.backfill.pace import Pace
from surefoot.backfill.state import COMPLETE, FAILED, RUNNING, State
from surefoot.backfill.statements import Statements

# A table of fewer rows is one range; a larger one has so many.
_SMALL_ROWS, _RANGES = 20_000, 32
# So many places a sample has, about: it is read a page at a time.
_SAMPLE_ROWS = 3000
# One statement looks for so long whether a row is left; then pieces of the table do, each of which
# should take so many seconds.
_LOOKING_MS = 5000
_PIECE_S, _PIECE_ROWS = 0.5, 1_000_000
# After a lap whose rows were all locked by others the next one waits for so long, then for twice as
# long, up to the most.
_LOCKED_S, _MOST_LOCKED_S = 0.1, 5.0
# It reads all of the table, which goes faster without the index of the key.
_BY_PAGES = "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on"


async def end_lap(connection: asyncpg.Connection[Any], state: State, job: Job) -> bool:
    """Begin the next lap where all ranges of this one are done, or end the backfill.

    Whether it has ended. It is complete after a lap behind which a look at every row finds none
    that lacks the change. One session looks at a time.
    """
    progress = await state.read()
    if progress is None or progress.state in (COMPLETE, FAILED):
        return True
    if progress.ranges_left or progress.state != RUNNING or not await state.ranges.claim_end():
        return False
    try:
        ends = await _end_lap(connection, state, job)
    except asyncpg.PostgresError:
        if not connection.is_closed():
            await state.ranges.release_end()
        raise
    await state.ranges.release_end()
    return ends


async def _end_lap(connection: asyncpg.Connection[Any], state: State, job: Job) -> bool:
    statements, progress = job.statements, await state.read()
    if progress is None or progress.state in (COMPLETE, FAILED):
        return True
    if progress.ranges_left or progress.state != RUNNING:
        return False
    lap, ends = progress.lap, False
    if lap:
        is_left = await _is_any_left(connection, job, but_failed=progress.failed > 0)
        if job.is_stopping:
            return False
        ends = not is_left
        await _wait_for_locks(job, is_needed=is_left and not progress.changed_in_lap)
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
        job.listen(LapDone(statements.backfill.name, lap, *found))
    return ends


async def _wait_for_locks(job: Job, *, is_needed: bool) -> None:
    """Do not walk the table again and again for rows that others keep locked."""
    longer_s = min(max(2 * job.between_laps_s, _LOCKED_S), _MOST_LOCKED_S)
    job.between_laps_s = longer_s if is_needed else 0.0
    await job.sleep(job.between_laps_s)


async def _is_any_left(connection: asyncpg.Connection[Any], job: Job, *, but_failed: bool) -> bool:
    """Whether a row lacks the change; a job that is to stop has no answer.

    One statement reads the whole table. Where that takes too long pieces do, between which other
    sessions and vacuum go on: of a row that moves meanwhile one of its places may be seen.
    """
    of = job.statements
    with suppress(asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {_LOOKING_MS}; {_BY_PAGES}")
            return bool(await connection.fetchval(of.any_left(but_failed=but_failed)))
    low: Place | None = None
    walk, last = of.walk(but_failed=but_failed), await connection.fetchval(of.last)
    pace = Pace(_PIECE_S, 1, _PIECE_ROWS)
    while last is not None and await job.may_go_on():
        began_s = time.monotonic()
        try:
            place, walked, lacking = await connection.fetchrow(walk, low, last, pace.rows)  # type: ignore[misc]  # it counts
        except asyncpg.QueryCanceledError:
            if pace.rows == 1:
                raise
            pace.halve()
            continue
        if lacking:
            return True
        pace.took(time.monotonic() - began_s, walked)
        if place is None:
            # Rows came behind the last one.
            place, last = last, await connection.fetchval(of.last)
            if place == last:
                return False
        low = place
    return False


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
