"""Batch runs the statements of one batch, in SQL or with the values of `fill`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from operator import itemgetter
from typing import Any

import asyncpg

from surefoot.backfill.definition import Backfill, Row, Values
from surefoot.backfill.failures import RowRefused
from surefoot.backfill.key import Place
from surefoot.backfill.statements import FOUND_BY, VALUES, Statements
from surefoot.errors import BackfillStopped
from surefoot.wording import counted

# After a batch that met a row that stayed locked, so many lock their rows first.
_LOCKING = 10


@dataclass(frozen=True)
class Part:
    """The rows of a batch: those of a range after `low`, up to and with `high`."""

    low: Place | None
    high: Place
    # The number of the range.
    number: int
    # Rows walked, and those that lacked the change before.
    walked: int
    lacking: int


@dataclass(frozen=True)
class Outcome:
    """The result of a batch, which is committed."""

    # Rows that nobody else had locked, and those changed among them.
    locked: int
    changed: int
    # The end of the range by now; None where the range is gone.
    high: Place | None
    is_done: bool

    def behind(self, first: Outcome) -> Outcome:
        """The result of both, where this batch follows on another one."""
        return replace(
            self,
            locked=first.locked + self.locked,
            changed=first.changed + self.changed,
        )


class Batches:
    """The batches of one session."""

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        statements: Statements,
        calls: asyncio.Semaphore,
    ) -> None:
        self._connection, self._statements, self._calls = connection, statements, calls
        self._prepared: dict[str, Any] = {}
        self._numbers = count()
        self._has_table = False
        # So many batches more lock their rows first.
        self._locking = 0
        # Whether rows of the backfill have failed.
        self.but_failed = False

    def forget(self) -> None:
        """Prepare the statements again: the table has changed."""
        self._prepared.clear()

    async def value(self, query: str, *arguments: object) -> Any:
        """The first value of the answer."""
        return await (await self._prepare(query)).fetchval(*arguments)

    async def look(self, low: Place | None, high: Place, rows: int, number: int) -> Part:
        """The next batch of a range, of at most so many rows."""
        walk = await self._prepare(self._statements.walk(but_failed=self.but_failed))
        last, walked, lacking = await walk.fetchrow(low, high, rows)
        return Part(low, last or high, number, walked, lacking)

    async def run(self, part: Part) -> Outcome:
        """Change the rows of a batch, and keep that the walk came so far.

        On failure: the server's error or that of `fill`; nothing of the batch is kept.
        """
        if part.lacking == 0:
            return await self._save(part)
        if self._statements.backfill.is_python:
            return await self._filled(part)

        async def change(query: str) -> Outcome:
            return _outcome(await (await self._prepare(query)).fetchrow(*_arguments(part)))

        of, but_failed = self._statements, self.but_failed
        return await self._changed(
            change, of.plain(but_failed=but_failed), of.batch(but_failed=but_failed)
        )

    async def fail(self, place: Place, number: int, state: str | None, reason: str) -> None:
        """Keep a row as one that failed; the walk goes on behind it."""
        await self._connection.execute(self._statements.fail, place, number, state, reason)
        self.but_failed = True

    async def _prepare(self, query: str) -> Any:
        if query not in self._prepared:
            # The server refuses a statement with a name after a change of its columns. One without
            # is parsed again, and asyncpg would read the values as those of the former types.
            name = f"surefoot_{next(self._numbers)}"
            self._prepared[query] = await self._connection.prepare(query, name=name)
        return self._prepared[query]

    async def _changed(
        self, change: Callable[[str], Awaitable[Outcome]], plain: str | None, locking: str
    ) -> Outcome:
        """Change rows by the plain statement, which costs less, or lock them first, and skip some.

        Where a row was locked for too long, other rows often are, too.
        """
        if plain and self._locking == 0:
            try:
                outcome = await change(plain)
            except asyncpg.LockNotAvailableError:
                self._locking = _LOCKING
            else:
                if outcome.changed == 0:
                    # Only a batch that locks its rows tells whether they could have been changed.
                    self._locking = _LOCKING
                return outcome
        self._locking = max(0, self._locking - 1)
        return await change(locking)

    async def _save(self, part: Part) -> Outcome:
        save = await self._prepare(self._statements.save)
        found = await save.fetchrow(part.high, part.number, part.walked)
        return _outcome((0, 0, *(found or (None, True))))

    async def _filled(self, part: Part) -> Outcome:
        of = self._statements
        read = await self._prepare(of.read(but_failed=self.but_failed))
        rows: Sequence[asyncpg.Record] = await read.fetch(part.low, part.high)
        if not rows:
            return await self._save(part)
        values = await filled(of.backfill, rows, self._calls)
        keys = 0 if of.key.has_places else len(of.key.columns)
        records = [
            (*row[:keys], *given, *row[-len(FOUND_BY) :])
            for row, given in zip(rows, values, strict=True)
            if given is not None
        ]
        if not self._has_table:
            await self._connection.execute(of.values_table)
            self._has_table = True

        async def change(query: str) -> Outcome:
            async with self._connection.transaction():
                try:
                    await self._connection.copy_records_to_table(
                        VALUES, records=records, columns=of.values_columns
                    )
                except (TypeError, ValueError, ArithmeticError) as error:
                    # asyncpg writes the values before the server sees them.
                    held = f"fill gave a value that its column cannot hold: {type(error).__name__}"
                    raise RowRefused(held) from error
                return _outcome(await (await self._prepare(query)).fetchrow(*_arguments(part)))

        found = await self._changed(change, of.write_plain, of.write)
        # A row that is left as it is was looked at: it makes no progress.
        return replace(found, locked=found.locked + len(rows) - len(records))


async def filled(
    backfill: Backfill, rows: Sequence[asyncpg.Record], calls: asyncio.Semaphore
) -> Sequence[Sequence[Any] | None]:
    """The values of `writes` for each row, from calls that run at the same time.

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

    columns = [*rows[0].keys()][: -len(FOUND_BY)] if rows else []
    given = [dict(zip(columns, row, strict=False)) for row in rows]
    size = backfill.rows_per_call
    parts = [given[at : at + size] for at in range(0, len(given), size)]
    found = await asyncio.gather(*map(call, parts))
    return [each for part in found for each in _in_order(backfill, part)]


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


def _in_order(backfill: Backfill, found: Sequence[Any]) -> Sequence[Sequence[Any] | None]:
    """The values of `writes` for each row. On failure: BackfillStopped."""
    first, *rest = writes = backfill.writes
    # As most are, and most cheaply: a row costs about as much here as in the database.
    if all(type(values) is dict and len(values) == len(writes) for values in found):
        with suppress(KeyError):
            if rest:
                return [*map(itemgetter(*writes), found)]
            return [*zip(map(itemgetter(first), found), strict=True)]
    return [_ordered(backfill, values) for values in found]


def _ordered(backfill: Backfill, values: Any) -> Sequence[Any] | None:
    if values is None:
        return None
    if not isinstance(values, Mapping):
        reason = f"fill gave {type(values).__name__} for a row, not a mapping or None"
        raise BackfillStopped(backfill.name, reason)
    if values.keys() != set(backfill.writes):
        named = ", ".join(sorted(values.keys() ^ set(backfill.writes)))
        reason = f"the values of fill are not those of `writes`: {named}"
        raise BackfillStopped(backfill.name, reason)
    return [values[name] for name in backfill.writes]


def _arguments(part: Part) -> tuple[Place | None, Place, int, int, int]:
    return part.low, part.high, part.number, part.walked, part.lacking


def _outcome(row: Any) -> Outcome:
    locked, changed, high, is_done = row
    return Outcome(locked, changed, high, bool(is_done))
