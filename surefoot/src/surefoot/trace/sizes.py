"""TableSize relates the duration of a statement on the scratch database to rows and bytes."""

import asyncpg

from surefoot.frozen import dataclass
from surefoot.quoting import qualified
from surefoot.trace.provision_query import LAST_OF_SERVER

# A table that is empty, as most are, has nothing to count.
TABLES = f"""
SELECT c.oid::bigint, nspname, relname, (p.bytes)::bigint AS bytes, p.main > 0 AS has_rows
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
CROSS JOIN LATERAL (SELECT sum(pg_table_size(relid)) AS bytes, sum(pg_relation_size(relid)) AS main
    FROM (SELECT c.oid AS relid WHERE relkind = 'r'
          UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE relkind = 'p') AS parts) AS p
WHERE relkind IN ('r', 'p') AND c.oid > {LAST_OF_SERVER} AND nspname !~ '^pg_temp'
    AND nspname NOT IN ('pg_catalog', 'information_schema')
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class TableSize:
    """The rows of a table, and its bytes without indexes."""

    rows: int
    bytes: int


async def table_sizes(connection: asyncpg.Connection) -> dict[int, TableSize]:
    """The size of each table, by oid."""
    found = {}
    for oid, schema, name, size, has_rows in await connection.fetch(TABLES):
        count = f"SELECT count(*) FROM {qualified(schema, name)}"  # noqa: S608 - quoted
        found[oid] = TableSize(await connection.fetchval(count) if has_rows else 0, size or 0)
    return found
