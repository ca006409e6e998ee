"""Sample rows: made from the catalog, so that statements and revisions meet tables with rows.

    types, checks, defaults, references -> Recipe: candidates for each column
    one candidate a column, by row -> the rows that meet every condition -> the table

PostgreSQL decides: a row is kept where the conditions of its table hold, and a unique key may
refuse it. A table stays empty where no row that was tried meets its conditions.
"""

import graphlib
import time
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from surefoot.trace.recipe import Recipe
from surefoot.trace.schema_objects import Column, Relation
from surefoot.trace.snapshot import Snapshot, take
from surefoot.trace.touched import touched
from surefoot.version_table import VersionTable

VARIED_ROWS = 20
# The second try has so many times fewer rows than the first.
FEWER = 20
# The bounds of sample rows: of each table, of all together, and of one statement.
LEAST_ROWS, ROW_BYTES = 100, 400
LONGEST_BYTES, LONGEST_S, STATEMENT_S = 64 * 1024**2, 60.0, 5
_BYTES = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree($1)"
NO_ROW = "no row that was tried met its conditions"
_PARTITIONS = """
SELECT count(*) AS leaves,
       -- A partition without a condition takes every row.
       CASE WHEN bool_and(pg_get_partition_constraintdef(relid) IS NOT NULL)
            THEN string_agg(pg_get_partition_constraintdef(relid), ' OR ') END AS bounds
FROM pg_partition_tree($1::bigint::regclass) WHERE isleaf AND level > 0
"""


async def seed(
    connection: asyncpg.Connection,
    rows: int,
    version_table: VersionTable = VersionTable(),
    text: str | None = None,
) -> None:
    """Insert plain rows, `rows` of them where possible, into each table that the text may touch.

    All tables get rows without a text, as long as there is room and time; the others stay empty.
    """
    snapshot = await take(connection)
    order = in_order(snapshot, version_table)
    named = frozenset(table.oid for table in order)
    if text is not None:
        named, order = await touched(connection, snapshot, order, text)
    rows = min(rows, max(LEAST_ROWS, LONGEST_BYTES // (ROW_BYTES * max(len(named), 1))))
    until_s, left = time.monotonic() + LONGEST_S, LONGEST_BYTES
    await connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
    filled = []
    for table in order:
        if left <= 0 or time.monotonic() > until_s:
            break
        # The others only have to have some keys.
        count = rows if table.oid in named else min(rows, LEAST_ROWS)
        if await _insert_in_time(connection, Recipe(snapshot, table, count)):
            filled.append(table.quoted)
            left -= await connection.fetchval(_BYTES, table.quoted)
    if filled:
        # Not the empty ones: the planner assumes ten pages for a table that was never analyzed.
        await connection.execute(f"ANALYZE {', '.join(filled)}")
    await connection.execute("RESET statement_timeout")


async def _insert_in_time(connection: asyncpg.Connection, recipe: Recipe) -> bool:
    """Insert rows; fewer where a trigger of the table, or a busy machine, makes that slow."""
    for rows in (recipe.rows, recipe.rows // FEWER, VARIED_ROWS):
        recipe.rows = rows
        try:
            return await _insert(connection, recipe) is None
        except asyncpg.QueryCanceledError:
            # Its size is to be that of the rows that it has.
            await connection.execute(f"VACUUM {recipe.table.quoted}")
    return False


async def fill(
    connection: asyncpg.Connection,
    values: Mapping[str, str],
    former: Snapshot | None = None,
    version_table: VersionTable = VersionTable(),
) -> tuple[Snapshot, dict[str, str]]:
    """Insert varied rows into every empty table; fill every second row of each new column.

    A column is new where `former` does not have it. The result is the Snapshot, and the reason
    for each table that stayed empty.
    """
    snapshot = await take(connection)
    missing = {}
    for table in in_order(snapshot, version_table):
        recipe = Recipe(snapshot, table, VARIED_ROWS, varied=True, values=values)
        if await _has_rows(connection, table):
            for column in recipe.columns:
                if former and (table.oid, column.number) not in former.columns:
                    await _update(connection, recipe, column)
        elif reason := await _insert(connection, recipe):
            missing[table.label] = reason
    return snapshot, missing


async def unseed(connection: asyncpg.Connection, version_table: VersionTable) -> None:
    """Empty every table but the version table and the ledger."""
    names = [table.quoted for table in tables(await take(connection), version_table)]
    if names:
        await connection.execute(f"TRUNCATE {', '.join(names)} CASCADE")


def tables(snapshot: Snapshot, version_table: VersionTable) -> Iterator[Relation]:
    """The tables of the Snapshot without the version table and the ledger."""
    for relation in snapshot.relations.values():
        if relation.is_table and relation.name not in version_table.relations:
            yield relation


def in_order(snapshot: Snapshot, version_table: VersionTable) -> Sequence[Relation]:
    """Each table after those that it references; partitions are filled through their parents."""
    roots = {t.oid: t for t in tables(snapshot, version_table) if not t.parents}
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for oid in roots:
        referenced = {f.references for f in snapshot.references(oid)}
        sorter.add(oid, *(referenced - {oid}))
    try:
        order = list(sorter.static_order())
    except graphlib.CycleError:
        order = list(roots)
    return [roots[oid] for oid in order if oid in roots]


async def _insert(connection: asyncpg.Connection, recipe: Recipe) -> str | None:
    """Insert rows into the table, or return the reason why it has none."""
    table = recipe.table
    if table.kind == "p":
        found = await connection.fetchrow(_PARTITIONS, table.oid)
        if found is None or not found["leaves"]:
            return None  # without a partition it cannot hold a row
        recipe.bounds = found["bounds"] or ""
    given = {column: recipe.candidates(column) for column in recipe.columns}
    reason = await _inserted(connection, recipe, given)
    if reason not in (None, NO_ROW):
        # A value that the caller fixed is kept, so that the error of PostgreSQL is reported.
        for c, values in given.items():
            given[c] = [
                v for v in values if recipe.fixed(c) == v or await _is_valid(connection, c, v)
            ]
        reason = await _inserted(connection, recipe, given)
    required = {c: given[c] for c in given if c.required and c.default is None}
    if reason is None or await _inserted(connection, recipe, required) is None:
        return None
    return reason


async def _inserted(
    connection: asyncpg.Connection, recipe: Recipe, given: Mapping[Column, Sequence[str]]
) -> str | None:
    """None where rows of these candidates were inserted, else the reason why not."""
    reason = None
    # The plain INSERT is faster, and the only one that a deferrable constraint supports.
    for end in ("", " ON CONFLICT DO NOTHING"):
        try:
            async with connection.transaction():
                await connection.execute(recipe.insert(given) + end)
        except asyncpg.QueryCanceledError:
            raise
        except asyncpg.PostgresError as error:
            reason = reason or str(error)
            continue
        break
    if await _has_rows(connection, recipe.table):
        return None
    return reason or NO_ROW


async def _update(connection: asyncpg.Connection, recipe: Recipe, column: Column) -> None:
    """Fill a new column in every second row, with the first candidate that is accepted."""
    for candidate in recipe.candidates(column):
        if await _works(connection, recipe.update(column, candidate)):
            return


async def _is_valid(connection: asyncpg.Connection, column: Column, candidate: str) -> bool:
    """Whether the candidate is a value of the column's type."""
    row = "FROM (SELECT 1::bigint AS n) AS first"
    return await _works(connection, f"SELECT ({candidate})::{column.type} {row}")


async def _works(connection: asyncpg.Connection, statement: str) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.PostgresError:
        return False
    return True


async def _has_rows(connection: asyncpg.Connection, table: Relation) -> bool:
    return bool(await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.quoted})"))  # noqa: S608 - quoted
