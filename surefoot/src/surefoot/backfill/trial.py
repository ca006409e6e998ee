"""Tries a batch on the made rows of a scratch database, more than once, and rolls all of it back.

A result is what was seen. Where the made rows do not match the filter, cannot be changed, or get
other values each time, as random() gives, there is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from surefoot.backfill.at_once import change
from surefoot.backfill.definition import Backfill
from surefoot.backfill.failures import meaning
from surefoot.backfill.key import Place, read_key
from surefoot.backfill.scans import unindexed
from surefoot.backfill.statements import Statements
from surefoot.connect.failures import named
from surefoot.errors import BackfillKeyUnfit, BackfillRowsHidden, BackfillTableGone
from surefoot.quoting import qualified
from surefoot.version_table import VersionTable

_CHANGED = "surefoot_changed"
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
# The texts of the columns that it writes, by the place of the row; where it does not say which they
# are, of the whole row.
_Values = Mapping[Place, Sequence[str | None]]


@dataclass(frozen=True)
class Trial:
    """What was seen of a backfill."""

    backfill: Backfill
    # Why it does not work.
    refused: str | None = None
    # Whether a batch reads all of its own table, and the other tables of which it reads all.
    reads_itself: bool = False
    reads: Sequence[str] = ()
    # The rows that a batch has changed, and those among them that match its filter as before.
    changed: int = 0
    again: int = 0
    # The columns that get another value where the same rows are changed once more.
    differing: Sequence[str] = ()
    # Two columns each: one that a service may change, and one that keeps a value made of the former
    # value of it, while the row does not match the filter.
    stale: Sequence[tuple[str, str]] = ()


async def tried(
    connection: asyncpg.Connection[Any], backfill: Backfill, version_table: VersionTable
) -> Trial:
    """Try it on the rows that are there. `fill` is not called: it may call a service.

    On failure: the errors of the connection.
    """
    seen = Trial(backfill)
    try:
        async with _undone(connection):
            key = await read_key(connection, backfill.name, backfill.table, backfill.key)
            of = Statements(backfill, key, version_table)
            await _parse(connection, of)
            tries = _Tries(connection, of)
            with suppress(_OfRows):
                await tries.run()
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


class _OfRows(Exception):
    """The made rows cannot be changed so."""


class _Tries:
    """The tries of one backfill, each of which is undone."""

    def __init__(self, connection: asyncpg.Connection[Any], of: Statements) -> None:
        self._connection, self._of = connection, of
        self._written = tuple(of.backfill.columns)
        self.seen = Trial(of.backfill)

    async def run(self) -> None:
        """On failure: _OfRows; `seen` has what was seen until then."""
        async with _undone(self._connection), _of_rows(self._connection):
            names = [*await unindexed(self._connection, self._of)]
            found = await self._connection.fetch(_NAMES, self._of.backfill.table, names)
        reads = [name for name, is_own in found if not is_own]
        self.seen = replace(self.seen, reads_itself=len(reads) < len(found), reads=reads)
        if self._of.backfill.is_python:
            return
        columns = await self._connection.fetch(_COLUMNS, self._of.key.oid)
        if not await self._matching():
            await self._empty([name for name, is_optional in columns if is_optional])
        before = await self._values()
        async with _undone(self._connection):
            await self._change(self._of)
            first = await self._values()
            changed = {place for place in first if first[place] != before.get(place)}
            again = len(changed & await self._matching())
        self.seen = replace(self.seen, changed=len(changed), again=again)
        await self._change(self._of)
        second = await self._values()
        # Values that vary say nothing, and a row that matches still says enough.
        if again or not changed or any(first[place] != second.get(place) for place in changed):
            return
        forced = await self._keep(changed)
        async with _undone(self._connection):
            await self._change(forced)
            third = await self._values()
        self.seen = replace(self.seen, differing=self._differing(second, third, changed))
        keys = {*self._written, *self._of.key.columns}
        sources = [name for name, _ in columns if name not in keys]
        stale = [pair for each in sources for pair in await self._stale(each, changed, forced)]
        self.seen = replace(self.seen, stale=stale)

    async def _stale(
        self, source: str, changed: Collection[Place], forced: Statements
    ) -> Sequence[tuple[str, str]]:
        """Give each row another value of a column, as a service does; the columns left behind."""
        with suppress(_OfRows):
            async with _undone(self._connection):
                before = await self._values()
                await self._execute(self._exchanged(source))
                now, noticed = await self._values(), await self._matching()
                left = {p for p in changed if p not in noticed and now.get(p) == before.get(p)}
                await self._change(forced)
                right = await self._values()
                return [(source, each) for each in self._differing(now, right, left)]
        return ()

    def _exchanged(self, column: str) -> str:
        """Give each row the value that the next one has in a column."""
        table, name = self._of.key.quoted, qualified(column)
        keys = [qualified(each) for each in self._of.key.columns]
        same = " AND ".join(f"{table}.{each} = given.{each}" for each in keys)
        next_ = f"lead({name}) OVER (ORDER BY {self._of.key.listed}) AS value"
        return (
            f"UPDATE {table} SET {name} = given.value FROM (SELECT {self._of.key.listed}, {next_} "  # noqa: S608 - quoted
            f"FROM {table}) AS given WHERE {same} AND given.value IS NOT NULL"
        )

    async def _empty(self, optional: Collection[str]) -> None:
        """Set what the backfill writes to NULL; a trigger may have filled it."""
        table = self._of.key.quoted
        sets = [f"{qualified(each)} = NULL" for each in self._written if each in optional]
        if sets:
            with suppress(_OfRows):
                await self._execute(
                    f"ALTER TABLE {table} DISABLE TRIGGER USER",
                    f"UPDATE {table} SET {', '.join(sets)}",  # noqa: S608 - quoted
                    f"ALTER TABLE {table} ENABLE TRIGGER USER",
                )

    async def _keep(self, places: Collection[Place]) -> Statements:
        """The statements of the same backfill, for these rows, whatever its filter says."""
        texts = self._of.key.texts
        await self._connection.execute(f"CREATE TEMPORARY TABLE {_CHANGED} (place text[])")
        await self._connection.executemany(
            f"INSERT INTO {_CHANGED} VALUES ($1)",  # noqa: S608 - a constant
            [(place,) for place in places],
        )
        forced = copy(self._of.backfill)
        # Of this instance alone; the class has the filter.
        vars(forced)["todo"] = f"{texts} IN (SELECT place FROM pg_temp.{_CHANGED})"  # noqa: S608 - quoted
        return replace(self._of, backfill=forced)

    async def _values(self) -> _Values:
        table, texts = self._of.key.quoted, self._of.key.texts
        written = ", ".join(f"{qualified(each)}::text" for each in self._written)
        query = f"SELECT {texts}, {written or f'ROW({table}.*)::text'} FROM {table}"  # noqa: S608 - quoted
        rows = await self._connection.fetch(query)
        return {tuple(place): tuple(values) for place, *values in rows}

    async def _matching(self) -> set[Place]:
        """The places of the rows that lack the change."""
        table, texts = self._of.key.quoted, self._of.key.texts
        query = f"SELECT {texts} FROM {table} WHERE {self._of.todo(but_failed=False)}"  # noqa: S608 - quoted
        async with _of_rows(self._connection):
            return {tuple(place) for (place,) in await self._connection.fetch(query)}

    async def _change(self, of: Statements) -> None:
        last = await self._connection.fetchval(of.last)
        if last is not None:
            async with _of_rows(self._connection):
                await change(self._connection, of, last)

    async def _execute(self, *statements: str) -> None:
        """Statements that the backfill does not have. On failure: _OfRows."""
        try:
            async with self._connection.transaction():
                for each in statements:
                    await self._connection.execute(each)
        except asyncpg.PostgresError as error:
            raise _OfRows from error

    def _differing(
        self, before: _Values, after: _Values, places: Collection[Place]
    ) -> Sequence[str]:
        """The written columns that differ in one of the rows."""
        there = [place for place in places if place in before and place in after]
        return [
            name
            for number, name in enumerate(self._written)
            if any(before[place][number] != after[place][number] for place in there)
        ]


async def _parse(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """A mistake in its SQL shows without a row."""
    await connection.prepare(of.first)
    if of.backfill.is_python:
        async with _undone(connection):
            await connection.execute(of.values_table)


@asynccontextmanager
async def _undone(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A transaction, or a part of one, that is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@asynccontextmanager
async def _of_rows(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A part of a transaction. On failure: _OfRows, where other rows might be changed so."""
    try:
        async with connection.transaction():
            yield
    except asyncpg.PostgresError as error:
        if meaning(error) == "stop":
            raise
        raise _OfRows from error
