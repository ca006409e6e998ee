"""MadeRows are the rows of a scratch database on which a backfill is tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any

import asyncpg

from surefoot.backfill.at_once import change
from surefoot.backfill.key import Place
from surefoot.backfill.rolled_back import MadeRowsUnfit, of_made_rows
from surefoot.backfill.statements import Statements
from surefoot.quoting import qualified

_CHANGED = "surefoot_changed"
# The texts of the columns that a backfill writes, by the place of the row; where it does not say
# which they are, of the whole row.
Values = Mapping[Place, Sequence[str | None]]


class MadeRows:
    """The rows of the table of a backfill, in a transaction of the caller."""

    def __init__(self, connection: asyncpg.Connection[Any], of: Statements) -> None:
        self._connection, self._of = connection, of
        self.written = tuple(of.backfill.columns)

    async def values(self) -> Values:
        """The values that the backfill writes, as they are."""
        table, texts = self._of.key.quoted, self._of.key.texts
        written = ", ".join(f"{qualified(each)}::text" for each in self.written)
        query = f"SELECT {texts}, {written or f'ROW({table}.*)::text'} FROM {table}"  # noqa: S608 - quoted
        rows = await self._connection.fetch(query)
        return {tuple(place): tuple(values) for place, *values in rows}

    async def matching(self) -> set[Place]:
        """The places of the rows that lack the change. On failure: MadeRowsUnfit."""
        table, texts = self._of.key.quoted, self._of.key.texts
        query = f"SELECT {texts} FROM {table} WHERE {self._of.todo(but_failed=False)}"  # noqa: S608 - quoted
        async with of_made_rows(self._connection):
            return {tuple(place) for (place,) in await self._connection.fetch(query)}

    async def change(self, of: Statements) -> None:
        """Change all rows that lack it, in one batch. On failure: MadeRowsUnfit, and as its SQL."""
        last = await self._connection.fetchval(of.last)
        if last is not None:
            async with of_made_rows(self._connection):
                await change(self._connection, of, last)

    async def empty(self, optional: Collection[str]) -> None:
        """Set what the backfill writes to NULL; a trigger may have filled it."""
        table = self._of.key.quoted
        sets = [f"{qualified(each)} = NULL" for each in self.written if each in optional]
        if sets:
            with suppress(MadeRowsUnfit):
                await self._execute(
                    f"ALTER TABLE {table} DISABLE TRIGGER USER",
                    f"UPDATE {table} SET {', '.join(sets)}",  # noqa: S608 - quoted
                    f"ALTER TABLE {table} ENABLE TRIGGER USER",
                )

    async def clear(self, column: str) -> None:
        """Set a column of each row to NULL. On failure: MadeRowsUnfit."""
        table = self._of.key.quoted
        await self._execute(f"UPDATE {table} SET {qualified(column)} = NULL")  # noqa: S608 - quoted

    async def exchange(self, column: str) -> None:
        """Give each row the value that the next one has in a column. On failure: MadeRowsUnfit."""
        table, name = self._of.key.quoted, qualified(column)
        keys = [qualified(each) for each in self._of.key.columns]
        same = " AND ".join(f"{table}.{each} = given.{each}" for each in keys)
        next_ = f"lead({name}) OVER (ORDER BY {self._of.key.listed}) AS value"
        await self._execute(
            f"UPDATE {table} SET {name} = given.value FROM (SELECT {self._of.key.listed}, {next_} "  # noqa: S608 - quoted
            f"FROM {table}) AS given WHERE {same} AND given.value IS NOT NULL"
        )

    async def keep(self, places: Collection[Place]) -> Statements:
        """The statements of the same backfill, for these rows, whatever its filter says."""
        texts = self._of.key.texts
        await self._connection.execute(f"CREATE TEMPORARY TABLE {_CHANGED} (place text[])")
        insert = f"INSERT INTO {_CHANGED} VALUES ($1)"  # noqa: S608 - a constant
        await self._connection.executemany(insert, [(place,) for place in places])
        forced = copy(self._of.backfill)
        # Of this instance alone; the class has the filter.
        vars(forced)["todo"] = f"{texts} IN (SELECT place FROM pg_temp.{_CHANGED})"  # noqa: S608 - quoted
        return replace(self._of, backfill=forced)

    def differing(self, before: Values, after: Values, places: Collection[Place]) -> Sequence[str]:
        """The written columns that differ in one of the rows."""
        there = [place for place in places if place in before and place in after]
        return [
            name
            for number, name in enumerate(self.written)
            if any(before[place][number] != after[place][number] for place in there)
        ]

    async def _execute(self, *statements: str) -> None:
        """Statements that the backfill does not have. On failure: MadeRowsUnfit."""
        try:
            async with self._connection.transaction():
                for each in statements:
                    await self._connection.execute(each)
        except asyncpg.PostgresError as error:
            raise MadeRowsUnfit from error
