"""Looks at the plan of the first batch, for tables that each batch would read as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg

from surefoot.backfill.key import Place
from surefoot.backfill.pace import FIRST_ROWS
from surefoot.backfill.statements import BY_KEY, Statements
from surefoot.errors import BackfillScans

# A table below this is read as a whole in a moment.
_SMALL_BYTES = 8 * 1024**2
_SIZE = "SELECT pg_relation_size(to_regclass($1))"


async def refuse_scans(connection: asyncpg.Connection[Any], of: Statements) -> None:
    """On failure: BackfillScans, where each batch would read all of a large table."""
    high = await first_place(connection, of)
    if high is not None:
        lines, scans = await explained_batch(connection, of, high)
        if scans:
            raise BackfillScans(of.backfill.name, ", ".join(scans), lines)


async def first_place(connection: asyncpg.Connection[Any], of: Statements) -> Place | None:
    """The place of the last row of the first batch; None where the table is empty."""
    last = await connection.fetchval(of.last)
    if last is None:
        return None
    size = min(FIRST_ROWS, of.backfill.batch_rows[1])
    found: Place = await connection.fetchval(of.walk(but_failed=False), None, last, size) or last
    return found


async def explained_batch(
    connection: asyncpg.Connection[Any], of: Statements, high: Place
) -> tuple[Sequence[str], Sequence[str]]:
    """The plan of a batch as text, and the large tables that it reads as a whole."""
    query = of.first
    await connection.execute(BY_KEY)
    text = await connection.fetch(f"EXPLAIN (COSTS OFF) {query}", None, high)
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON, VERBOSE) {query}", None, high)
    scans = [
        name
        for name in sorted(set(_scanned(json.loads(found)[0]["Plan"])))
        if (await connection.fetchval(_SIZE, name) or 0) > _SMALL_BYTES
    ]
    return [line for (line,) in text], scans


def _scanned(node: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a plan reads as a whole."""
    if node["Node Type"] == "Seq Scan":
        yield f'"{node["Schema"]}"."{node["Relation Name"]}"'
    for inner in node.get("Plans", ()):
        yield from _scanned(inner)
