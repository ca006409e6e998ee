"""Tries a batch on the made rows of a scratch database, more than once, and rolls all of it back.

A result is what was seen. Where the made rows do not match the filter, cannot be changed, or get
other values each time, as random() gives, there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg

from surefoot.backfill.calls import make_ready
from surefoot.backfill.definition import Backfill
from surefoot.backfill.failures import meaning
from surefoot.backfill.key import Place, read_key
from surefoot.backfill.made_rows import MadeRows
from surefoot.backfill.rolled_back import MadeRowsUnfit, of_made_rows, rolled_back
from surefoot.backfill.scans import unindexed
from surefoot.backfill.statements import Statements
from surefoot.connect.failures import named
from surefoot.errors import BackfillKeyUnfit, BackfillRowsHidden, BackfillTableGone
from surefoot.frozen import dataclass
from surefoot.version_table import VersionTable

# The tables of a list, as messages name them, and whether each is the table $1 or a part of it.
_NAMES = """
SELECT each::regclass::text, coalesce(pg_partition_root(each::regclass), each::regclass)
    = coalesce(pg_partition_root(to_regclass($1)), to_regclass($1))
FROM unnest($2::text[]) AS each ORDER BY 1
"""
# Columns that may be NULL, and those that a service may write.
_COLUMNS = """
SELECT attname, NOT attnotnull FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0
AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


@dataclass(frozen=True)
class Trial:
    """The record of a backfill that was tried."""

    backfill: Backfill
    # Why it does not work.
    refused: str | None = None
    # Whether a batch reads all of its own table, and the other tables of which it reads all.
    reads_itself: bool = False
    reads: Sequence[str] = ()
    # The rows that a batch has changed, and those among them that match its filter as before.
    changed: int = 0
    again: int = 0
    # The columns with which a row matches the filter as before where they are NULL.
    unless_null: Sequence[str] = ()
    # The columns that get another value where the same rows are changed once more.
    differing: Sequence[str] = ()
    # Two columns each: one that a service may change, and one that keeps a value made of the former
    # value of it, while the row does not match the filter.
    stale: Sequence[tuple[str, str]] = ()


async def tried(
    connection: asyncpg.Connection[Any],
    backfill: Backfill,
    version_table: VersionTable,
    *,
    changes: bool = True,
) -> Trial:
    """Try it on the rows that are there. `fill` is not called: it may call a service.

    With `changes` each other column gets other values, as a service writes them, for `stale`.

    On failure: the errors of the connection.
    """
    seen = Trial(backfill)
    try:
        async with rolled_back(connection):
            key = await read_key(connection, backfill.name, backfill.table, backfill.key)
            of = Statements(backfill, key, version_table)
            await _parse(connection, of)
            tries = _Tries(connection, of)
            with suppress(MadeRowsUnfit):
                await tries.run(changes=changes)
            seen = tries.seen
    except (BackfillKeyUnfit, BackfillTableGone) as error:
        return replace(seen, refused=error.message)
    except BackfillRowsHidden:
        return seen
    except asyncpg.PostgresError as error:
        if meaning(error) in ("lost", "again"):
            raise
        return replace(seen, refused=named(error))
    return seen


class _Tries:
    """The tries of one backfill, each of which is rolled back."""

    def __init__(self, connection: asyncpg.Connection[Any], of: Statements) -> None:
        self._connection, self._of = connection, of
        self._rows = MadeRows(connection, of)
        self.seen = Trial(of.backfill)

    async def run(self, *, changes: bool) -> None:
        """On failure: MadeRowsUnfit; `seen` has what was seen until then."""
        async with rolled_back(self._connection), of_made_rows(self._connection):
            names = [*await unindexed(self._connection, self._of)]
            found = await self._connection.fetch(_NAMES, self._of.backfill.table, names)
        reads = [name for name, is_own in found if not is_own]
        self.seen = replace(self.seen, reads_itself=len(reads) < len(found), reads=reads)
        if self._of.backfill.is_python:
            return
        columns = await self._connection.fetch(_COLUMNS, self._of.key.oid)
        if not await self._rows.matching():
            await self._rows.empty([name for name, is_optional in columns if is_optional])
        before = await self._rows.values()
        async with rolled_back(self._connection):
            await self._rows.change(self._of)
            first = await self._rows.values()
            changed = {place for place in first if first[place] != before.get(place)}
            again = len(changed & await self._rows.matching())
        keys = {*self._rows.written, *self._of.key.columns}
        nullable = [name for name, is_optional in columns if is_optional and name not in keys]
        stays = [name for name in nullable if not again and await self._stays(name, changed)]
        self.seen = replace(self.seen, changed=len(changed), again=again, unless_null=stays)
        await self._rows.change(self._of)
        second = await self._rows.values()
        # Values that vary say nothing, and a row that matches still says enough.
        if again or not changed or any(first[place] != second.get(place) for place in changed):
            return
        forced = await self._rows.keep(changed)
        async with rolled_back(self._connection):
            await self._rows.change(forced)
            third = await self._rows.values()
        self.seen = replace(self.seen, differing=self._rows.differing(second, third, changed))
        sources = [name for name, _ in columns if changes and name not in keys]
        stale = [pair for each in sources for pair in await self._stale(each, changed, forced)]
        self.seen = replace(self.seen, stale=stale)

    async def _stays(self, column: str, changed: Set[Place]) -> bool:
        """Whether a row that a batch changes matches as before where a column is NULL."""
        with suppress(MadeRowsUnfit):
            async with rolled_back(self._connection):
                await self._rows.clear(column)
                before = await self._rows.matching()
                await self._rows.change(self._of)
                return bool(before & changed & await self._rows.matching())
        return False

    async def _stale(
        self, source: str, changed: Collection[Place], forced: Statements
    ) -> Sequence[tuple[str, str]]:
        """Give each row another value of a column, as a service does; the columns left behind."""
        with suppress(MadeRowsUnfit):
            async with rolled_back(self._connection):
                before = await self._rows.values()
                await self._rows.exchange(source)
                now, noticed = await self._rows.values(), await self._rows.matching()
                left = {p for p in changed if p not in noticed and now.get(p) == before.get(p)}
                await self._rows.change(forced)
                right = await self._rows.values()
                return [(source, each) for each in self._rows.differing(now, right, left)]
        return ()


async def _parse(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """A mistake in its SQL shows without a row."""
    await make_ready(connection, of)
    if of.backfill.is_python:
        await connection.prepare(of.written)
    await connection.prepare(of.first)
