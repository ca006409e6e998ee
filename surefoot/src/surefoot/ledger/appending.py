"""append() writes rows of the ledger; append_sql() is the SQL of one, for a script.

Each row holds the hash of the row before it, so the rows of a statement are written in their order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from surefoot.connect.failures import NOT_NULL_VIOLATION, column, sqlstate
from surefoot.errors.disclosure import disclosed
from surefoot.ledger.details import LOCKS
from surefoot.ledger.kept_row import KeptRow, Put, cast
from surefoot.ledger.layout import hashed
from surefoot.ledger.table import Entry, Ledger
from surefoot.ledger.writer import actor, storable
from surefoot.quoting import literal

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A column is NULL where the row must not be written, which refuses it with all of its message: `id`
# in another transaction, `previous_sha256` where a change of the version table finds no row.
_REFUSING = ("id", "previous_sha256")
_APPEND = """
{moved}INSERT INTO {table} (id, started_at, finished_at, {columns}, previous_sha256, row_sha256)
WITH last AS (SELECT id, row_sha256 FROM {table} ORDER BY id DESC LIMIT 1),
entry AS (
    SELECT CASE WHEN {is_within} THEN coalesce((SELECT id FROM last), 0) + 1 END AS id,
           now() AS started_at, clock_timestamp() AS finished_at, {values},
           CASE WHEN {is_moved} THEN coalesce((SELECT row_sha256 FROM last), '') END
           AS previous_sha256
)
SELECT entry.*, {hashed} FROM entry, pg_notify('{channel}', '')
"""
_APPEND_SEVERAL = """
{moved}INSERT INTO {table} (id, started_at, finished_at, {columns}, previous_sha256, row_sha256)
WITH RECURSIVE last AS (SELECT id, row_sha256 FROM {table} ORDER BY id DESC LIMIT 1),
given (n, started_at, finished_at, {columns}) AS (VALUES {rows}),
entry AS (
    SELECT n, next.*, {hashed} AS row_sha256 FROM given, LATERAL (
        SELECT CASE WHEN {is_within} THEN coalesce((SELECT id FROM last), 0) + 1 END AS id,
               started_at, finished_at, {given},
               CASE WHEN {is_moved} THEN coalesce((SELECT row_sha256 FROM last), '') END
               AS previous_sha256
    ) next WHERE n = 1
    UNION ALL
    SELECT given.n, next.*, {hashed} FROM entry JOIN given ON given.n = entry.n + 1, LATERAL (
        SELECT entry.id + 1 AS id, given.started_at, given.finished_at, {given},
               entry.row_sha256 AS previous_sha256
    ) next
)
SELECT id, started_at, finished_at, {columns}, previous_sha256, row_sha256
FROM entry, pg_notify('{channel}', '')
"""
# The changes of the version table, as SQL.
Moves = Callable[[Put], Sequence[str]]
# The rows of one such statement. It looks through all of them for each.
_AT_ONCE = 50
# Of the columns that are no text.
_TYPES = {"statements": "integer", "attempts": "integer", "details": "jsonb"}
# Who runs offline SQL is known when it runs.
_OFFLINE_ACTOR = """jsonb_build_object('database_user', session_user, 'os_user', 'offline SQL',
    'host', coalesce(host(inet_client_addr()), 'local'),
    'application', current_setting('application_name'))"""


def no_moves(_: Put) -> Sequence[str]:
    """The version table stays."""
    return ()


@dataclass
class Timed:
    """A row about a revision that has not committed by itself."""

    entry: Entry
    # Seconds since 1970, by the server's clock, as SQL. The end is known before it is written.
    started_s: str
    finished_s: str = ""


def append(connection: Connection, ledger: Ledger, entry: Entry) -> None:
    """Write one row: started when the transaction began, finished now."""
    connection.exec_driver_sql(append_sql(ledger, *_stored(connection, entry)))


def statements(
    connection: Connection,
    ledger: Ledger,
    entries: Sequence[Entry],
    within: str | None,
    moves: Moves,
    kept: KeptRow | None = None,
) -> list[str]:
    """The statements that write rows and move the version table; they fail as `append_sql`.

    `within` is None where the revision has not done its work in the transaction that is open.
    """
    found: list[str] = []
    for number, entry in enumerate(entries):
        make = partial(
            append_sql,
            ledger,
            *_stored(connection, entry),
            within=within,
            moves=no_moves if number else moves,
            with_locks=within is not None,
        )
        found += kept.statements(make) if kept else [make(cast)]
    return found


def statements_together(
    connection: Connection, ledger: Ledger, rows: Sequence[Timed], within: str, moves: Moves
) -> list[str]:
    """The same for revisions that commit together; each of their rows names the transaction."""
    by = _by(connection, **({"transaction": within} if len(rows) > 1 else {}))
    found = [replace(row, entry=_storable(connection, row.entry)) for row in rows]
    return list(several_sql(ledger, found, by, within, moves))


def unwritten(ledger: Ledger, error: BaseException) -> str | None:
    """The column by which a row was refused, `id` or `previous_sha256`; None for another error."""
    if sqlstate(error) != NOT_NULL_VIOLATION:
        return None
    table, found = column(error)
    return found if table == ledger.name and found in _REFUSING else None


def _stored(connection: Connection, entry: Entry) -> tuple[Entry, str]:
    """The entry as the database can store it, and the SQL of who writes it."""
    by = _by(connection)  # asks for the encoding, too
    return _storable(connection, entry), by


def _by(connection: Connection, **actors: str) -> str:
    return f"CAST({literal(json.dumps({**actor(connection), **actors}))} AS jsonb)"


def _storable(connection: Connection, entry: Entry) -> Entry:
    encoding: str = connection.info["ledger_encoding"]
    parts = (entry.error, entry.reason, entry.details)
    error, reason, details = (_text_storable(part, encoding) for part in parts)
    return replace(entry, error=error, reason=reason, details=details)


def _text_storable(value: Any, encoding: str) -> Any:
    """The value with each text in it as everybody may read it, and the database can store it."""
    if isinstance(value, str):
        return storable(disclosed(value), encoding)
    if isinstance(value, list):
        return [_text_storable(each, encoding) for each in value]
    if isinstance(value, dict):
        return {name: _text_storable(each, encoding) for name, each in value.items()}
    return value


def append_sql(
    ledger: Ledger,
    entry: Entry,
    by: str = _OFFLINE_ACTOR,
    put: Put = cast,
    *,
    within: str | None = None,
    moves: Moves = no_moves,
    with_locks: bool = False,
) -> str:
    """The statement that appends a row; `by` is the SQL of who writes it.

    With `within` it fails in any other transaction than that of this id. `moves` are changes of the
    version table, of a row each; it fails unless each finds its row. With `with_locks` the server
    adds to the details the locks that the transaction holds.
    """
    checks = _checks(ledger, within, moves, put)
    given = _values(entry, by, put)
    if with_locks and entry.details is not None:
        given["details"] += f" || {_locks(ledger)}"
    return _APPEND.format(
        columns=", ".join(given),
        values=", ".join(f"{value} AS {name}" for name, value in given.items()),
        hashed=hashed("entry."),
        **checks,
    )


def several_sql(
    ledger: Ledger,
    rows: Sequence[Timed],
    by: str,
    within: str | None = None,
    moves: Moves = no_moves,
) -> Iterator[str]:
    """The statements that append rows of one transaction. The first fails as `append_sql`."""
    for first in range(0, len(rows), _AT_ONCE):
        values = []
        for n, row in enumerate(rows[first : first + _AT_ONCE], 1):
            times = (f"to_timestamp({each_s})" for each_s in (row.started_s, row.finished_s))
            given = _values(row.entry, by)
            values.append(f"({', '.join([str(n), *times, *given.values()])})")
        yield _APPEND_SEVERAL.format(
            columns=", ".join(given),
            given=", ".join(f"given.{name}" for name in given),
            rows=", ".join(values),
            hashed=hashed("next."),
            **_checks(ledger, within, moves if first == 0 else no_moves),
        )


def _values(entry: Entry, by: str, put: Put = cast) -> dict[str, str]:
    """The columns of a row, without number, times and hashes, as SQL."""
    columns = vars(entry)
    if entry.details is not None:
        columns = {**columns, "details": json.dumps(entry.details, ensure_ascii=False)}
    given = {name: put(value, _TYPES.get(name, "text")) for name, value in columns.items()}
    return {**given, "actor": by}


def _locks(ledger: Ledger) -> str:
    names = {f"{each}_name": literal(ledger.names[each]) for each in ("table", "version_table")}
    return LOCKS.format(**names)


def _checks(ledger: Ledger, within: str | None, moves: Moves, put: Put = cast) -> Mapping[str, str]:
    is_within = within and f"pg_current_xact_id_if_assigned() = {put(within, 'xid8')}"
    moved = [f"moved_{n} AS ({move} RETURNING 1)" for n, move in enumerate(moves(put))]
    found = [f"(SELECT count(*) FROM moved_{n}) = 1" for n in range(len(moved))]  # noqa: S608 - a number
    return {
        "is_within": is_within or "true",
        "moved": f"WITH {', '.join(moved)} " if moved else "",
        "is_moved": " AND ".join(found) or "true",
        "channel": ledger.channel,
        **ledger.names,
    }
