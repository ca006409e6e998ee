"""An index of a partitioned table: PostgreSQL builds none concurrently in one statement.

    CREATE INDEX ix ON ONLY events (n)                           it reads no row, and is not valid
    CREATE INDEX CONCURRENTLY events_2026_ix ON events_2026 (n)
    ALTER INDEX ix ATTACH PARTITION events_2026_ix               valid with the last one

A partition that comes meanwhile brings its index along; one that goes is left out.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.connect.failures import UNDEFINED_TABLE, sqlstate
from surefoot.operations.index_lookups import attached_to_invalid, is_taken
from surefoot.operations.sent import drop_index, send
from surefoot.quoting import literal, quoted, short_name

# The partitions of a table without a valid index that is attached to the one of the table. One
# whose concurrent detachment was interrupted is none any more.
_PARTS = """
SELECT c.oid, quote_ident(s.nspname) || '.', c.relname, c.relkind = 'p',
       x.indexrelid::regclass::text
FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid JOIN pg_namespace s ON s.oid = relnamespace
LEFT JOIN (pg_inherits a JOIN pg_index x ON x.indexrelid = a.inhrelid)
     ON x.indrelid = c.oid AND a.inhparent = to_regclass({index})
WHERE p.inhparent = to_regclass({table}) AND NOT p.inhdetachpending AND x.indisvalid IS NOT TRUE
ORDER BY c.relname
"""
# The index of a partition that is none any more, or that has got another one.
_NOT_ATTACHABLE = "55000"
# The index has another definition than the one of the table.
_DIFFERS = "42P17"
# Builds the index of a name in a schema on a table; not where there is a valid one.
Build = Callable[[str, str, str], bool]


class _Part(NamedTuple):
    oid: int
    schema: str
    name: str
    is_parted: bool
    attached: str | None


def build_parts(connection: Connection, table: str, index: str, name: str, build: Build) -> None:
    """Build an index of a table, which exists ON ONLY the table, on its partitions, and attach all.

    The list of partitions is read again after each one, since others may be attached, detached or
    dropped meanwhile. Their indexes are named after the partition and `name`, so that another
    attempt finds them.
    """

    def lacking() -> list[_Part]:
        statement = _PARTS.format(table=literal(table), index=literal(index))
        return [_Part(*row) for row in connection.exec_driver_sql(statement)]

    done: set[int] = set()
    while part := next((each for each in lacking() if each.oid not in done), None):
        there = f"{part.schema}{quoted(part.name)}"
        try:
            its = part.attached or _attach_one(connection, part, index, name, build)
            if part.is_parted:
                build_parts(connection, there, its, name, build)
        except DBAPIError as error:
            gone = sqlstate(error) in (UNDEFINED_TABLE, _NOT_ATTACHABLE)
            if not gone or part in lacking():
                raise
        else:
            done.add(part.oid)
    # It does not become valid where the last partition that lacked it has gone.
    if (attached := attached_to_invalid(connection, index)) is not None:
        send(connection, f"ALTER INDEX {index} ATTACH PARTITION {attached}")


def _attach_one(connection: Connection, part: _Part, index: str, name: str, build: Build) -> str:
    """Build the index of a partition and attach it; its name.

    That of a partition with partitions is attached before it is complete, so that it goes with the
    index of the table.
    """
    there = f"{part.schema}{quoted(part.name)}"
    for number in itertools.count():
        own = quoted(short_name(f"{part.name}_{name}{number or ''}"))
        its = f"{part.schema}{own}"
        if is_taken(connection, its, part.oid):
            continue
        built = build(part.schema, own, f"ONLY {there}" if part.is_parted else there)
        try:
            send(connection, f"ALTER INDEX {index} ATTACH PARTITION {its}")
        except DBAPIError as error:
            # One that nothing would use; it is on a table that is no partition, or twice on one.
            if built and sqlstate(error) == _NOT_ATTACHABLE:
                drop_index(connection, its)
            if built or sqlstate(error) != _DIFFERS:
                raise
        else:
            break
    return its
