"""What the tables of the scratch database hold: a measure for what a statement took on them."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from app.migrate.review.trace.state import State

CONTENTS = """
SELECT oid::bigint, (xpath('/row/c/text()', query_to_xml(
           format('SELECT count(*) AS c FROM %s', oid::regclass), false, true, '')))[1]::text::bigint,
       CASE relkind WHEN 'p' THEN (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(oid))
       ELSE pg_table_size(oid) END::bigint
FROM pg_class WHERE oid = ANY ($1::bigint[]) AND relkind IN ('r', 'p')
"""


@dataclass(frozen=True)
class Held:
    """Rows, and the bytes that they take without indexes."""

    rows: int
    bytes: int


async def contents(connection: asyncpg.Connection, state: State) -> dict[int, Held]:
    """What each table holds, by oid."""
    tables = [r.oid for r in state.relations.values() if r.is_table]
    return {row[0]: Held(row[1], row[2]) for row in await connection.fetch(CONTENTS, tables)}
