"""Rows made from the catalog, for tables that are to meet the next revision with something in them.

    checks, types, defaults, references -> candidates, a few for each column
    rows by number, one candidate for each column -> those that pass every check -> the table

The server judges: a row of candidates is kept where the table's own conditions hold for it, and
what is unique may say no. Null is a candidate where it may stand, and values come more than once
where they may: a revision has to expect what the schema allows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import asyncpg

from surefoot.testing.recipe import Recipe
from surefoot.trace.seed import in_order
from surefoot.trace.state import STATE, Column, Relation, State, read_state

_PARTITIONS = """
SELECT count(*) AS leaves,
       -- One without a condition takes every row.
       CASE WHEN bool_and(pg_get_partition_constraintdef(relid) IS NOT NULL)
            THEN string_agg(pg_get_partition_constraintdef(relid), ' OR ') END AS bounds
FROM pg_partition_tree($1::bigint::regclass) WHERE isleaf AND level > 0
"""


async def fill(
    connection: asyncpg.Connection, values: Mapping[str, str], former: State | None = None
) -> tuple[State, dict[str, str]]:
    """Fill every empty table, and every second row of the columns that `former` does not know.

    What comes back is the State, and why a table stayed empty, by its name.
    """
    state = read_state(await connection.fetchval(STATE))
    missing = {}
    for table in in_order(state):
        if await _has_rows(connection, table):
            recipe = Recipe(state, table, values)
            for column in recipe.columns:
                if former and (table.oid, column.number) not in former.columns:
                    await _add(connection, recipe, column)
        elif reason := await _make(connection, state, table, values):
            missing[table.label] = reason
    return state, missing


async def _make(
    connection: asyncpg.Connection, state: State, table: Relation, values: Mapping[str, str]
) -> str | None:
    """Put rows into an empty table; else say why there are none."""
    bounds = ""
    if table.kind == "p":
        found = await connection.fetchrow(_PARTITIONS, table.oid)
        if found is None or not found["leaves"]:
            return None  # nothing can lie in it
        bounds = found["bounds"] or ""
    recipe = Recipe(state, table, values, bounds)
    given = {column: await _fitting(connection, recipe, column) for column in recipe.columns}
    required = {c: given[c] for c in given if c.required and c.default is None}
    reason = None
    # A constraint that is deferrable knows no ON CONFLICT, and a row without it may be refused.
    for columns, end in itertools.product((given, required), (" ON CONFLICT DO NOTHING", "")):
        try:
            async with connection.transaction():
                await connection.execute(recipe.insert(columns) + end)
        except asyncpg.PostgresError as error:
            reason = reason or str(error)
            continue
        if await _has_rows(connection, table):
            return None
    return reason or "no row that was tried met its conditions"


async def _fitting(connection: asyncpg.Connection, recipe: Recipe, column: Column) -> list[str]:
    """The candidates that are values of the column's type.

    What somebody said is taken as it is, so that the server says what is wrong with it.
    """
    candidates = recipe.candidates(column)
    if recipe.told(column) is not None:
        return list(candidates)
    return [each for each in candidates if await _works(connection, _sample(column, each))]


async def _add(connection: asyncpg.Connection, recipe: Recipe, column: Column) -> None:
    """Give every second row a value in a column that came to it; none where none is allowed."""
    for candidate in recipe.candidates(column):
        if await _works(connection, recipe.add(column, candidate)):
            return


def _sample(column: Column, candidate: str) -> str:
    """The statement that fails where the candidate is no value of the column's type."""
    return f"SELECT ({candidate})::{column.type} FROM (SELECT 1::bigint AS n) AS first"  # noqa: S608 - made here


async def _works(connection: asyncpg.Connection, statement: str) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.PostgresError:
        return False
    return True


async def _has_rows(connection: asyncpg.Connection, table: Relation) -> bool:
    return bool(await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.quoted})"))  # noqa: S608 - quoted
