"""Lookups of an index: how it is, where it belongs, and the rows that a unique one cannot have."""

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
# PostgreSQL takes no index as valid that a foreign table cannot have: it refuses the statement.
_IS_PARTITIONED = """
SELECT bool_or(NOT isleaf) AND bool_and(relkind <> 'f')
FROM pg_partition_tree(to_regclass({table})) JOIN pg_class c ON c.oid = relid
"""
_IS_TAKEN = """
SELECT EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass({name}) AND (
    EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
    OR NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = c.oid AND indrelid = {table})))
"""
_ATTACHED = """
SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_index ON indexrelid = inhparent
WHERE inhparent = to_regclass({index}) AND NOT indisvalid LIMIT 1
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


def is_partitioned(connection: Connection, table: str) -> bool:
    found = connection.exec_driver_sql(_IS_PARTITIONED.format(table=literal(table)))
    return bool(found.scalar())


def is_taken(connection: Connection, name: str, table: int) -> bool:
    """Whether something else has a name than an index of this table that is attached to none."""
    statement = _IS_TAKEN.format(name=literal(name), table=table)
    return bool(connection.exec_driver_sql(statement).scalar())


def attached_to_invalid(connection: Connection, name: str) -> str | None:
    """An index that is attached to this one, unless this one is valid."""
    found = connection.exec_driver_sql(_ATTACHED.format(index=literal(name))).scalar()
    return None if found is None else str(found)
