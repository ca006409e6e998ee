"""Looks at the plan of the first batch, for tables that each batch would read as a whole.

A database tells by their size which of them matter. A scratch database does not: there a table
counts where the planner would read all of it although it had a million rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from surefoot.backfill.calls import make_ready
from surefoot.backfill.key import Place
from surefoot.backfill.pace import PLANNED_ROWS
from surefoot.backfill.statements import BY_KEY, Statements
from surefoot.errors import BackfillScans

# A table below this is read as a whole in a moment.
_SMALL_BYTES = 8 * 1024**2
_SIZE = "SELECT pg_relation_size(to_regclass($1))"
# The planner takes the number of rows from the catalog, as so many a page.
_LARGE = """
UPDATE pg_class SET reltuples = 1000000,
    relpages = pg_relation_size(oid) / current_setting('block_size')::int
WHERE relkind IN ('r', 'i') AND relnamespace <> 'pg_catalog'::regnamespace
AND relpersistence <> 't' AND pg_relation_size(oid) > 0
"""


async def refuse_scans(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """On failure: BackfillScans, where each batch would read all of a large table."""
    high = await first_place(connection, of)
    if high is not None:
        lines, scans = await explained_batch(connection, of, high)
        if scans:
            raise BackfillScans(of.backfill.name, ", ".join(scans), lines)


async def first_place(
    connection: asyncpg.Connection[Any], of: Statements, rows: int = PLANNED_ROWS
) -> Place | None:
    """The place of the last row of the first batch; None where the table is empty."""
    last = await connection.fetchval(of.last)
    if last is None:
        return None
    size = min(rows, of.backfill.batch_rows[1])
    found: Place = await connection.fetchval(of.walk(but_failed=False), None, last, size) or last
    return found


async def explained_batch(
    connection: asyncpg.Connection[Any], of: Statements, high: Place
) -> tuple[Sequence[str], Sequence[str]]:
    """The plan of a batch as text, and the large tables that it reads as a whole."""
    await connection.execute(BY_KEY)
    await make_ready(connection, of)
    text = await connection.fetch(f"EXPLAIN (COSTS OFF) {of.first}", None, high)
    found = {_named(each) for each in await _scans(connection, of, high) if _is_heap(each)}
    scans = [
        name
        for name in sorted(found)
        if (await connection.fetchval(_SIZE, name) or 0) > _SMALL_BYTES
    ]
    return [line for (line,) in text], scans


async def unindexed(connection: asyncpg.Connection[Any], of: Statements) -> frozenset[str]:
    """The tables, as SQL writes them, of which a batch would read all if they were large.

    The caller rolls back that they are large. None where the role may not write the catalog.
    """
    high = await first_place(connection, of, 1)
    if high is None:
        return frozenset()
    await connection.execute(f"{BY_KEY}; SET enable_hashjoin = off; SET enable_mergejoin = off")
    with suppress(asyncpg.InsufficientPrivilegeError):
        await connection.execute(_LARGE)
        found = await _scans(connection, of, high)
        return frozenset(_named(each) for each in found if each["Schema"] != "pg_catalog")
    return frozenset()


async def _scans(
    connection: asyncpg.Connection[Any], of: Statements, high: Place
) -> Sequence[Mapping[str, Any]]:
    """The nodes of the plan of a batch that read a table as a whole."""
    explained = f"EXPLAIN (FORMAT JSON, VERBOSE) {of.first}"
    found = json.loads(await connection.fetchval(explained, None, high))
    return [*_whole(found[0]["Plan"])]


def _whole(node: Mapping[str, Any], *, is_first: bool = False) -> Iterator[Mapping[str, Any]]:
    """The nodes that read a table as a whole; `is_first`, where LIMIT asks for the first rows."""
    by_index = node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
    if _is_heap(node) or (by_index and not (is_first and "Filter" not in node)):
        yield node
    for inner in node.get("Plans", ()):
        yield from _whole(inner, is_first=node["Node Type"] == "Limit")


def _is_heap(node: Mapping[str, Any]) -> bool:
    return str(node["Node Type"]) == "Seq Scan"


def _named(node: Mapping[str, Any]) -> str:
    return f'"{node["Schema"]}"."{node["Relation Name"]}"'
