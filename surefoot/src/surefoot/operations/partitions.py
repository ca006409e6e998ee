"""An index of a partitioned table: PostgreSQL builds none concurrently in one statement.

    CREATE INDEX ix ON ONLY events (n)                           it reads no row, and is not valid
    CREATE INDEX CONCURRENTLY events_2026_ix ON events_2026 (n)
    ALTER INDEX ix ATTACH PARTITION events_2026_ix               valid with the last one

A partition that comes meanwhile brings its index along.
"""

import itertools
from collections.abc import Callable

from sqlalchemy import Connection

from surefoot.connect import sender
from surefoot.quoting import literal, quoted, short_name

# PostgreSQL takes no index as valid that a foreign table cannot have: it refuses the statement.
_IS_PARTITIONED = """
SELECT bool_or(NOT isleaf) AND bool_and(relkind <> 'f')
FROM pg_partition_tree(to_regclass({table})) JOIN pg_class c ON c.oid = relid
"""
# The partitions of a table without a valid index that is attached to the one of the table.
_PARTS = """
SELECT quote_ident(s.nspname) || '.', c.relname, c.relkind = 'p', x.indexrelid::regclass::text
FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid JOIN pg_namespace s ON s.oid = relnamespace
LEFT JOIN (pg_inherits a JOIN pg_index x ON x.indexrelid = a.inhrelid)
     ON x.indrelid = c.oid AND a.inhparent = to_regclass({index})
WHERE p.inhparent = to_regclass({table}) AND x.indisvalid IS NOT TRUE ORDER BY c.relname
"""
_IS_ATTACHED = "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass({index}))"
# Builds the index of a name in a schema on a table, unless there is a valid one.
Build = Callable[[str, str, str], None]


def is_partitioned(connection: Connection, table: str) -> bool:
    found = connection.exec_driver_sql(_IS_PARTITIONED.format(table=literal(table)))
    return bool(found.scalar())


def build_parts(connection: Connection, table: str, index: str, name: str, build: Build) -> None:
    """Build an index of a table, which exists ON ONLY the table, on its partitions, and attach all.

    Theirs are called after the partition and `name`, so that another attempt finds them.
    """
    statement = _PARTS.format(table=literal(table), index=literal(index))
    for schema, part, is_parted, attached in connection.exec_driver_sql(statement).all():
        there = f"{schema}{quoted(part)}"
        own = _free(connection, schema, f"{part}_{name}")
        its = attached or f"{schema}{own}"
        if attached is None:
            build(schema, own, f"ONLY {there}" if is_parted else there)
        if is_parted:
            build_parts(connection, there, its, name, build)
        if attached is None:
            with sender.own(False):
                connection.exec_driver_sql(f"ALTER INDEX {index} ATTACH PARTITION {its}")


def _free(connection: Connection, schema: str, name: str) -> str:
    """The name, or with a number: an index that has another name by now may have attached it."""
    for number in itertools.count():
        found = quoted(short_name(f"{name}{number or ''}"))
        look = _IS_ATTACHED.format(index=literal(f"{schema}{found}"))
        if not connection.exec_driver_sql(look).scalar():
            break
    return found
