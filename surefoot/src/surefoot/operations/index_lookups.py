"""Lookups of an index: how it is, and the rows that a unique one could not be built on."""

from sqlalchemy import Connection

from surefoot.quoting import literal

_INDEX = """
SELECT i.indisvalid AND i.indisready,
       regexp_replace(pg_get_indexdef(i.indexrelid),
                      '^([^"]*?(?:"(?:[^"]|"")*")?) ON ONLY ', '\\1 ON ')
FROM pg_index i WHERE i.indexrelid = to_regclass({name})
"""
_OF_PARTS = "SELECT relkind = 'I' FROM pg_class WHERE oid = to_regclass({name})"
# The keys and the predicate of the index that failed, as the server prints them: it is invalid.
_KEYS = """
SELECT i.indrelid::regclass::text, pg_get_expr(i.indpred, i.indrelid), i.indnullsnotdistinct,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k)
FROM pg_index i WHERE i.indexrelid = to_regclass({name})
"""


def duplicates(connection: Connection, name: str) -> int:
    """The number of rows to remove before the unique index can be built."""
    row = connection.exec_driver_sql(_KEYS.format(name=literal(name))).first()
    if row is None:
        return 0
    table, predicate, nulls_are_alike, keys = row
    conditions = [] if nulls_are_alike else [f"({key}) IS NOT NULL" for key in keys]
    conditions.append(f"({predicate or 'true'})")
    groups = ", ".join(f"({key})" for key in keys)
    sql = (
        "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n "  # noqa: S608 - from the catalog
        f"FROM {table} WHERE {' AND '.join(conditions)} GROUP BY {groups} HAVING count(*) > 1) d"
    )
    return int(connection.exec_driver_sql(sql).scalar() or 0)


def find_index(connection: Connection, name: str) -> tuple[bool, str] | None:
    """Whether an index is valid, and its definition."""
    row = connection.exec_driver_sql(_INDEX.format(name=literal(name))).first()
    return None if row is None else (bool(row[0]), str(row[1]))


def is_of_parts(connection: Connection, name: str) -> bool:
    """Whether an index is that of a partitioned table."""
    return bool(connection.exec_driver_sql(_OF_PARTS.format(name=literal(name))).scalar())
