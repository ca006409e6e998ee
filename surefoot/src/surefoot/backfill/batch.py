"""Batch runs the statements of one batch, in SQL or with the values of `fill`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import asyncpg

from surefoot.backfill.calls import columns_of, filled, make_ready, rows_of
from surefoot.backfill.failures import RowRefused
from surefoot.backfill.key import Place
from surefoot.backfill.statements import Statements
from surefoot.connect.failures import sqlstate
from surefoot.frozen import dataclass

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
    # Seconds of the statements that lock its rows: those of `fill` are not among them.
    locked_s: float = 0.0

    def behind(self, first: Outcome) -> Outcome:
        """The result of both, where this batch follows on another one."""
        return replace(
            self,
            locked=first.locked + self.locked,
            changed=first.changed + self.changed,
            locked_s=first.locked_s + self.locked_s,
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
        self._is_ready = False
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
        began_s, outcome = time.monotonic(), None
        if plain and self._locking == 0:
            try:
                outcome = await change(plain)
            except asyncpg.LockNotAvailableError:
                self._locking = _LOCKING
            else:
                if outcome.changed == 0:
                    # Only a batch that locks its rows tells whether they could have been changed.
                    self._locking = _LOCKING
        if outcome is None:
            self._locking = max(0, self._locking - 1)
            outcome = await change(locking)
        return replace(outcome, locked_s=time.monotonic() - began_s)

    async def _save(self, part: Part) -> Outcome:
        save = await self._prepare(self._statements.save)
        found = await save.fetchrow(part.high, part.number, part.walked)
        return _outcome((0, 0, *(found or (None, True))))

    async def _filled(self, part: Part) -> Outcome:
        of = self._statements
        if not self._is_ready:
            await make_ready(self._connection, of)
            self._is_ready = True
        read = await self._prepare(of.read(but_failed=self.but_failed))
        found, *columns = await read.fetchrow(part.low, part.high)
        rows = rows_of(of, columns)
        if not rows:
            return await self._save(part)
        given, written = columns_of(of, await filled(of.backfill, rows, self._calls))

        async def change(query: str) -> Outcome:
            statement = await self._prepare(query)
            try:
                row = await statement.fetchrow(*_arguments(part), found, given, *written)
            except (asyncpg.DataError, AttributeError) as error:
                # asyncpg writes the values before the server sees them.
                if sqlstate(error) is not None:
                    raise
                kind = type(error.__cause__ or error).__name__
                held = f"fill gave a value that its column cannot hold: {kind}"
                raise RowRefused(held) from error
            return _outcome(row)

        outcome = await self._changed(change, of.write(locks=False), of.write(locks=True))
        # A row that is left as it is was looked at: it makes no progress.
        return replace(outcome, locked=outcome.locked + (given or ()).count(False))


def _arguments(part: Part) -> tuple[Place | None, Place, int, int, int]:
    return part.low, part.high, part.number, part.walked, part.lacking


def _outcome(row: Any) -> Outcome:
    locked, changed, high, is_done = row
    return Outcome(locked, changed, high, bool(is_done))
