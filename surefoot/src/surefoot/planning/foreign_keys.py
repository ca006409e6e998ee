"""ForeignKeys tell the rows that a DELETE takes along, from the catalog and the statistics."""

from collections.abc import Callable, Iterator, Sequence

import asyncpg

from surefoot.frozen import dataclass
from surefoot.planning.statistics import Statistics
from surefoot.quoting import label_sql
from surefoot.trace.expected_rows import ExpectedRows

KEYS = f"""
SELECT {label_sql("pn.nspname", "p.relname")}, {label_sql("cn.nspname", "c.relname")},
    conname::text, confdeltype::text,
    string_agg(a.attname, ', ' ORDER BY k.place),
    max(coalesce((SELECT min(null_frac) FROM pg_stats s WHERE s.schemaname = cn.nspname
        AND s.tablename = c.relname AND s.attname = a.attname), 0))::float8,
    EXISTS (SELECT FROM pg_index i WHERE indrelid = c.oid AND indisvalid AND indpred IS NULL
        AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey)
FROM pg_constraint k0
JOIN pg_class p ON p.oid = confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
CROSS JOIN LATERAL unnest(conkey) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number
WHERE contype = 'f' AND conparentid = 0
GROUP BY k0.oid, 1, 2, conname, confdeltype, conkey, c.oid
"""  # noqa: S608 - constants
# The action on a row that refers to a deleted one; without one, it is only looked for.
_ACTIONS = {"c": ("delete", "CASCADE"), "n": ("update", "SET NULL"), "d": ("update", "SET DEFAULT")}


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of one table to another."""

    referenced: str
    table: str
    name: str
    action: str
    columns: str
    # The fraction of its rows that refer to none.
    nulls: float
    indexed: bool


async def read_foreign_keys(
    connection: asyncpg.Connection, named: Callable[[str], str]
) -> Sequence[ForeignKey]:
    """All of a database; `named` gives the label of a table."""
    rows = await connection.fetch(KEYS)
    return [ForeignKey(named(key), named(table), *rest) for key, table, *rest in rows]


def taken_along(
    deleted: ExpectedRows, keys: Sequence[ForeignKey], statistics: Statistics
) -> Iterator[ExpectedRows]:
    """The rows that go or change with deleted ones, and those that are read to find them."""
    waiting, seen = [deleted], set[str]()
    while waiting:
        parent = waiting.pop(0)
        for key in keys:
            if key.referenced != parent.table or key.name + key.table in seen:
                continue
            seen.add(key.name + key.table)
            there = _rows(statistics, key.table)
            if not key.indexed and there:
                by = f"a scan for each deleted row: {key.name} has no index on {key.columns}"
                yield ExpectedRows(key.table, "read", parent.rows * there, by)
            if key.action not in _ACTIONS:
                continue
            each = there * (1 - key.nulls) / max(_rows(statistics, parent.table), 1)
            rows = min(round(parent.rows * each), there)
            action, clause = _ACTIONS[key.action]
            found = ExpectedRows(key.table, action, rows, f"{key.name} ON DELETE {clause}")
            yield found
            if action == "delete" and rows:
                waiting.append(found)


def _rows(statistics: Statistics, table: str) -> int:
    size = statistics.tables.get(table)
    return size.rows if size else 0
