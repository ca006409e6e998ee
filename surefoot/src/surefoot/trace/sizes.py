"""TableSize relates the duration of a statement on the scratch database to rows and bytes."""

from dataclasses import dataclass

import asyncpg

from surefoot.trace.snapshot import take

BYTES = """
SELECT CASE relkind WHEN 'p' THEN (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(oid))
       ELSE pg_table_size(oid) END::bigint
FROM pg_class WHERE oid = $1::bigint
"""


@dataclass(frozen=True)
class TableSize:
    """The rows of a table, and its bytes without indexes."""

    rows: int
    bytes: int


async def table_sizes(connection: asyncpg.Connection) -> dict[int, TableSize]:
    """The size of each table, by oid."""
    found = {}
    for table in (await take(connection)).relations.values():
        if table.is_table:
            rows = await connection.fetchval(f"SELECT count(*) FROM {table.quoted}")  # noqa: S608 - quoted
            found[table.oid] = TableSize(rows, await connection.fetchval(BYTES, table.oid))
    return found
