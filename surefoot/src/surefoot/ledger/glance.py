"""glance() reads the version table and the ledger in one statement, at one moment."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, text

from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.errors import SearchPathEmpty, VersionRowInvalid, VersionRowRepeated
from surefoot.frozen import dataclass
from surefoot.ledger.digest import DIGITS, TELLING
from surefoot.ledger.table import TIME, Ledger, Row, applied, refuse_hidden, was_used
from surefoot.quoting import literal
from surefoot.version_table import VersionTable

_DIGEST = f"""encode(sha256(convert_to(
    string_agg(revision || ' ' || left(checksum::text, {DIGITS}), ';' ORDER BY id),
    'UTF8')), 'hex')"""
# Without a downgrade all rows are in force, and the last row of each revision need not be found:
# this statement is planned in a fifth of the time.
_SHORT = f"""
SELECT (SELECT json_agg(version_num) FROM {{version_table}})::text,
    bool_and(direction <> 'downgrade') AND {_DIGEST} = $1,
    (SELECT count(*) FROM {{table}}), CAST({{literal}} AS regclass)::bigint,
    pg_snapshot_xmin(pg_current_snapshot())::xid::text
FROM {{table}} WHERE outcome IN {TELLING}
"""  # noqa: S608 - constants and the names of our own tables
# A row where the same table has as many rows, and the transaction that wrote each row and column
# had ended at the former look: whoever changes one leaves the id of his own. The content is not
# read, and of each row nothing but that id. An age below 0 is that of an id which comes again.
_SINCE = "age('{since}'::xid)"
_AGAIN = f"""
SELECT FROM {{table}}
HAVING count(*) = {{count}} AND count(CASE WHEN age(xmin) <= {_SINCE} THEN 1 END) = 0
    AND {_SINCE} BETWEEN 0 AND {2**30} AND CAST({{literal}} AS regclass) = {{oid}}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = {{oid}})
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = {{oid}}
        AND age(xmin) <= {_SINCE})
    AND (SELECT json_agg(version_num) FROM {{version_table}})::text = {{heads}}
"""  # noqa: S608 - as above
# In the `info` of a connection: that query after a look at which the ledger had the expected
# digest, and what was found.
_SEEN = "surefoot_seen"
# The answer to it: one row.
_UNCHANGED = "SELECT 1"
# The rows in force, oldest first, and whether their digest is the expected one.
_LONG = f"""
WITH in_force AS (
    SELECT l.* FROM {{table}} l JOIN (
        SELECT max(id) AS id FROM {{table}} WHERE outcome IN {TELLING} GROUP BY revision
    ) last USING (id) WHERE direction <> 'downgrade'
)
SELECT (SELECT json_agg(version_num) FROM {{version_table}})::text, {_DIGEST} = $1,
    json_agg(json_build_array(revision, direction, phase, outcome, checksum,
        extract(epoch FROM {TIME.format("finished_at")}),
        to_jsonb(in_force) ->> 'requires_code') ORDER BY id)::text,
    EXISTS (SELECT FROM {{table}} WHERE outcome IN {TELLING})
FROM in_force
"""  # noqa: S608 - as above


_EXISTS = """
SELECT to_regclass(:table) IS NOT NULL, current_schema() IS NULL, current_setting('search_path')
"""


@dataclass(frozen=True)
class Glance:
    """The ids that the version table names, and the rows of the ledger in force.

    `recorded` is None where the rows have the expected digest, empty where there is no ledger.
    """

    heads: frozenset[str]
    recorded: Mapping[str, Row] | None
    # Whether the ledger tells of any revision, reverted ones included.
    has_ledger: bool = False


# By the expected digest and the table.
_Seen = dict[tuple[str, VersionTable], tuple[str, Glance]]


async def glance_again(
    connection: Connection, expected: str, version_table: VersionTable = VersionTable()
) -> Glance | None:
    """The same as at the former `glance` on this connection; None where that is not certain.

    One message, past SQLAlchemy, which would prepare the statement first.
    """
    if connection.closed or connection.invalidated:
        return None
    seen: _Seen = connection.info.get(_SEEN, {})
    known = seen.pop((expected, version_table), None)
    if known is None:
        return None
    query, found = known
    driver: Any = connection.connection.driver_connection
    try:
        answer = await driver.execute(query)
    except DATABASE_ERRORS:
        return None  # the whole look meets the same, and says it
    if answer != _UNCHANGED:
        return None
    seen[expected, version_table] = known
    return found


def glance(
    connection: Connection, expected: str, version_table: VersionTable = VersionTable()
) -> Glance:
    """Read both tables; the rows only where `expected` is not their digest.

    It takes one statement at the head of a ledger without downgrades; `glance_again` takes less, as
    long as the ledger does not change. Elsewhere a second one asks for the ledger's columns, and a
    third reads both tables at one moment too.

    On failure: ProgrammingError, where one of the tables does not exist; LedgerAltered; RowsHidden;
    the errors of `ids`.
    """
    ledger, rows, has_ledger = Ledger(version_table), None, True
    names = {**ledger.names, "literal": literal(ledger.names["table"])}
    short = _SHORT.format(**names)
    heads, as_expected, count, oid, since = connection.exec_driver_sql(short, (expected,)).one()
    if heads and as_expected:
        found = Glance(frozenset(ids(json.loads(heads), version_table)), None, has_ledger)
        query = _AGAIN.format(**names, count=count, oid=oid, since=since, heads=literal(heads))
        connection.info.setdefault(_SEEN, {})[expected, version_table] = query, found
        return found
    if not as_expected and ledger.exists(connection):
        heads, as_expected, rows, has_ledger = connection.exec_driver_sql(
            _LONG.format(**names), (expected,)
        ).one()
    if not (heads and has_ledger):
        return read(connection, version_table)  # which tells an empty table from a hidden one
    recorded = None if as_expected else dict(map(_row, json.loads(rows or "[]")))
    return Glance(frozenset(ids(json.loads(heads or "[]"), version_table)), recorded, has_ledger)


def read(connection: Connection, version_table: VersionTable = VersionTable()) -> Glance:
    """Read both tables, each as far as it exists, with all rows in force."""
    rows = Ledger(version_table).rows(connection)
    return Glance(frozenset(heads_of(connection, version_table)), applied(rows), was_used(rows))


def heads_of(
    connection: Connection, version_table: VersionTable = VersionTable()
) -> tuple[str, ...]:
    """The revisions that the version table names; none where it does not exist.

    On failure: SearchPathEmpty, RowsHidden, and the errors of `ids`.
    """
    table = version_table.quoted
    exists, is_blind, path = connection.execute(text(_EXISTS), {"table": table}).one()
    if not exists:
        if is_blind and version_table.schema is None:
            raise SearchPathEmpty(path, version_table.name)
        return ()
    names = f"SELECT version_num FROM {table} ORDER BY version_num"  # noqa: S608 - quoted
    found = ids(connection.exec_driver_sql(names).scalars(), version_table)
    if not found:
        refuse_hidden(connection, table)
    return found


def ids(found: Iterable[Any], version_table: VersionTable = VersionTable()) -> tuple[str, ...]:
    """The revision ids in the rows of a version table.

    On failure: VersionRowInvalid, VersionRowRepeated.
    """
    rows, named = tuple(found), (version_table.name, version_table.quoted)
    for number, row in enumerate(rows):
        if not isinstance(row, str) or not row:
            raise VersionRowInvalid(*named, "NULL" if row is None else repr(row))
        if row in rows[:number]:
            raise VersionRowRepeated(*named, row)
    return rows


def _row(values: list[Any]) -> tuple[str, Row]:
    revision, direction, phase, outcome, checksum, finished_s, requires_code = values
    row = Row(revision, direction, phase, outcome, checksum, requires_code=requires_code)
    if finished_s is not None:
        row = replace(row, finished_at=datetime.fromtimestamp(finished_s, timezone.utc))
    return revision, row
