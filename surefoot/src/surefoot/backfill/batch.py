"""Batch runs the statements of one batch, in SQL or with the values of `fill`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from surefoot.backfill.definition import Backfill, Row, Values
from surefoot.backfill.failures import RowRefused
from surefoot.backfill.key import Place
from surefoot.backfill.statements import VALUES, Statements
from surefoot.errors import BackfillStopped


@dataclass(frozen=True)
class Outcome:
    """The result of a batch, which is committed."""

    # Rows that were locked, and changed; those that lacked the change before, if that was counted.
    locked: int
    changed: int
    before: int
    # The end of the range by now; None where the range is gone.
    high: Place | None
    is_done: bool

    def behind(self, first: Outcome) -> Outcome:
        """The result of both, where this batch follows on another one."""
        return replace(
            self,
            locked=first.locked + self.locked,
            changed=first.changed + self.changed,
            before=first.before + self.before,
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
        self._has_table = False
        # Whether rows of the backfill have failed, and whether rows that lack it are counted.
        self.but_failed, self.counts = False, False

    def forget(self) -> None:
        """Prepare the statements again: the table has changed."""
        self._prepared.clear()

    async def value(self, query: str, *arguments: object) -> Any:
        """The first value of the answer."""
        return await (await self._prepare(query)).fetchval(*arguments)

    async def run(self, low: Place | None, high: Place, number: int, walked: int) -> Outcome:
        """Change the rows between two places, and keep that the walk came so far.

        On failure: what the server or `fill` says; nothing of the batch is kept.
        """
        if self._statements.backfill.is_python:
            return await self._filled(low, high, number, walked)
        query = self._statements.batch(but_failed=self.but_failed, counts=self.counts)
        return _outcome(await (await self._prepare(query)).fetchrow(low, high, number, walked))

    async def fail(self, place: Place, number: int, state: str | None, reason: str) -> None:
        """Keep a row as one that failed; the walk goes on behind it."""
        await self._connection.execute(self._statements.fail, place, number, state, reason)
        self.but_failed = True

    async def _prepare(self, query: str) -> Any:
        if query not in self._prepared:
            self._prepared[query] = await self._connection.prepare(query)
        return self._prepared[query]

    async def _filled(self, low: Place | None, high: Place, number: int, walked: int) -> Outcome:
        of = self._statements
        read = await self._prepare(of.read(but_failed=self.but_failed))
        rows: Sequence[asyncpg.Record] = await read.fetch(low, high)
        if not rows:
            found = await (await self._prepare(of.save)).fetchrow(high, number, walked)
            return _outcome((0, 0, 0, *(found or (None, True))))
        values = await filled(of.backfill, rows, self._calls)
        records = [
            (*(row[name] for name in of.key.columns), *given, row[-1])
            for row, given in zip(rows, values, strict=True)
            if given is not None
        ]
        if not self._has_table:
            await self._connection.execute(of.values_table)
            self._has_table = True
        async with self._connection.transaction():
            await self._connection.copy_records_to_table(
                VALUES, records=records, columns=of.values_columns
            )
            write = await self._prepare(of.write)
            return _outcome(await write.fetchrow(high, number, walked, len(rows)))


async def filled(
    backfill: Backfill, rows: Sequence[asyncpg.Record], calls: asyncio.Semaphore
) -> Sequence[Sequence[Any] | None]:
    """The values of `writes` for each row, from calls that run at the same time.

    On failure: RowRefused, BackfillStopped.
    """

    async def call(part: Sequence[Row]) -> Sequence[Values | None]:
        async with calls:
            try:
                found = await backfill.fill(part)
            except Exception as error:
                raise RowRefused(f"fill raised {type(error).__name__}") from error
        if len(found) != len(part):
            reason = f"fill gave {len(found)} values for {len(part)} rows"
            raise BackfillStopped(backfill.name, reason)
        return found

    # Without the version of the row, which is the last.
    given = [dict([*row.items()][:-1]) for row in rows]
    size = backfill.rows_per_call
    parts = [given[at : at + size] for at in range(0, len(given), size)]
    found = await asyncio.gather(*map(call, parts))
    return [_ordered(backfill, each) for part in found for each in part]


def _ordered(backfill: Backfill, values: Mapping[str, Any] | None) -> Sequence[Any] | None:
    if values is None:
        return None
    if {*values} != {*backfill.writes}:
        named = ", ".join(sorted({*values} ^ {*backfill.writes}))
        reason = f"the values of fill are not those of `writes`: {named}"
        raise BackfillStopped(backfill.name, reason)
    return [values[name] for name in backfill.writes]


def _outcome(row: Any) -> Outcome:
    locked, changed, before, high, is_done = row
    return Outcome(locked, changed, before, high, bool(is_done))
