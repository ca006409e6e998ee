"""The ledger is the append-only record, in the database, of what was done to it.

It stands beside Alembic's revision table, which never needs it. A row about a revision that runs
in a transaction commits with that transaction; a step outside of one is preceded by a `started`
row, so a crash in it is visible. Each row holds the hash of the one before it, so an edit by hand
is found, and a trigger refuses the plain ones. Times are the server's. A run that changed something
ends with a `measured` row, which holds the fingerprint of the schema that it left.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from surefoot.errors import LedgerEdited
from surefoot.quoting import literal

SUFFIX = "_ledger"
# Told of every row as it commits.
CHANNEL = "alembic_version_ledger"
_OUTCOMES = (
    "('started', 'applied', 'failed', 'adopted', 'stamped', 'accepted', 'backup', 'measured')"
)
# What was written to the columns, in one text; the same expression makes a hash and checks it.
# A column that came later stands at the end: concat_ws leaves NULL out, so older rows keep theirs.
_HASHED = """encode(sha256(convert_to(concat_ws(E'\\x1f', {p}id, {p}revision, {p}direction,
    {p}phase, {p}outcome, {p}checksum,
    extract(epoch FROM {p}started_at), extract(epoch FROM {p}finished_at),
    {p}statements, {p}attempts, {p}actor::text, {p}build, coalesce({p}fingerprint, ''),
    coalesce({p}error, ''), coalesce({p}reason, ''), {p}previous_sha256, {p}requires_code),
    'UTF8')), 'hex')"""

_CREATE = f"""
CREATE TABLE {{table}} (
    id bigint PRIMARY KEY,
    revision text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
    phase text NOT NULL,
    outcome text NOT NULL CONSTRAINT outcome_known CHECK (outcome IN {_OUTCOMES}),
    checksum text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    duration_s double precision NOT NULL
        GENERATED ALWAYS AS (extract(epoch FROM finished_at - started_at)) STORED,
    statements integer NOT NULL,
    attempts integer NOT NULL,
    actor jsonb NOT NULL,
    build text NOT NULL,
    fingerprint text,
    error text,
    reason text,
    requires_code text,
    previous_sha256 text NOT NULL,
    row_sha256 text NOT NULL
)
"""
# A ledger of an earlier build knows fewer outcomes, under the name that PostgreSQL gave the check.
_NARROW = """
SELECT quote_ident(conname) FROM pg_constraint
WHERE conrelid = CAST(:table AS regclass) AND contype = 'c'
  AND pg_get_constraintdef(oid) LIKE '%stamped%' AND pg_get_constraintdef(oid) NOT LIKE '%measured%'
"""
_GUARD = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""
_APPEND = """
INSERT INTO {table} (id, revision, direction, phase, outcome, checksum, started_at, finished_at,
    statements, attempts, actor, build, fingerprint, error, reason, requires_code,
    previous_sha256, row_sha256)
WITH last AS (SELECT id, row_sha256 FROM {table} ORDER BY id DESC LIMIT 1),
entry AS (
    SELECT coalesce((SELECT id FROM last), 0) + 1 AS id,
           CAST({revision} AS text) AS revision, CAST({direction} AS text) AS direction,
           CAST({phase} AS text) AS phase, CAST({outcome} AS text) AS outcome,
           CAST({checksum} AS text) AS checksum, now() AS started_at,
           clock_timestamp() AS finished_at, CAST({statements} AS integer) AS statements,
           CAST({attempts} AS integer) AS attempts, CAST({actor} AS jsonb) AS actor,
           CAST({build} AS text) AS build, CAST({fingerprint} AS text) AS fingerprint,
           CAST({error} AS text) AS error, CAST({reason} AS text) AS reason,
           CAST({requires_code} AS text) AS requires_code,
           coalesce((SELECT row_sha256 FROM last), '') AS previous_sha256
)
SELECT entry.*, {hashed} FROM entry, pg_notify('{channel}', '')
"""
_READ = "SELECT * FROM {table} ORDER BY id"
_LACKS = """
SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('{table}')
                   AND attname = 'requires_code')
"""
_EXTEND = "ALTER TABLE {table} ADD COLUMN requires_code text"
# What a row says that counts for what is in the database, see `applied`.
TELLING = ("applied", "adopted", "stamped", "accepted")
_VERIFY = """
SELECT min(id) FROM (
    SELECT id, row_sha256 IS DISTINCT FROM {hashed}
        OR previous_sha256 <> coalesce(lag(row_sha256) OVER (ORDER BY id), '')
        OR id <> row_number() OVER (ORDER BY id) AS edited
    FROM {table}
) rows WHERE edited
"""


@dataclass(frozen=True)
class Entry:
    """What one row says beside its number, its times and its hash."""

    revision: str
    direction: str
    phase: str
    outcome: str
    checksum: str
    statements: int = 0
    attempts: int = 1
    build: str = ""
    fingerprint: str | None = None
    error: str | None = None
    reason: str | None = None
    # Of a contract revision: the oldest one whose code goes on working after it.
    requires_code: str | None = None


@dataclass(frozen=True)
class Row(Entry):
    """One row as it stands in the database."""

    id: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float = 0.0
    actor: Mapping[str, str] | None = None


_FIELDS = frozenset(field.name for field in fields(Row))


class Ledger:
    """The ledger beside one revision table."""

    def __init__(self, version_table: str = "alembic_version", schema: str | None = None) -> None:
        self.name = version_table + SUFFIX
        prefix = f'"{schema}".' if schema else ""
        self.names = {
            "table": f'{prefix}"{self.name}"',
            "function": f'{prefix}"{self.name}_append_only"',
            "version_table": f'{prefix}"{version_table}"',
        }

    def exists(self, connection: Connection) -> bool:
        """Whether the table is there."""
        found = connection.execute(
            text("SELECT to_regclass(:name) IS NOT NULL"), {"name": self.names["table"]}
        )
        return bool(found.scalar())

    def create(self, connection: Connection) -> None:
        """Make the table. The caller holds the migration mutex, so nobody else does."""
        for statement in (_CREATE, _GUARD, _TRIGGER):
            connection.exec_driver_sql(statement.format(**self.names))

    def extend(self, connection: Connection) -> None:
        """Let a table that an older build made hold what this one writes."""
        if connection.exec_driver_sql(_LACKS.format(**self.names)).scalar():
            connection.exec_driver_sql(_EXTEND.format(**self.names))
        narrow = connection.execute(text(_NARROW), {"table": self.names["table"]}).scalar()
        if narrow is not None:
            connection.exec_driver_sql(
                f"ALTER TABLE {self.names['table']} DROP CONSTRAINT {narrow}, "
                f"ADD CONSTRAINT outcome_known CHECK (outcome IN {_OUTCOMES})"
            )

    def append(self, connection: Connection, entry: Entry) -> None:
        """Write one row. It is started when the transaction was, and finished now."""
        values = {**asdict(entry), "actor": json.dumps(actor(connection))}
        # Without parameters it is one message: every revision waits for it.
        literals = {name: literal(value) for name, value in values.items()}
        hashed = _HASHED.format(p="entry.")
        connection.exec_driver_sql(
            _APPEND.format(hashed=hashed, channel=CHANNEL, **self.names, **literals)
        )

    def read(self, connection: Connection) -> tuple[Row, ...]:
        """Every row, oldest first."""
        rows = connection.exec_driver_sql(_READ.format(**self.names))
        return tuple(
            Row(**{name: value for name, value in row.items() if name in _FIELDS})
            for row in rows.mappings()
        )

    def verify(self, connection: Connection) -> None:
        """Compare every row with its hash. On failure: LedgerEdited names the first to differ."""
        edited = connection.exec_driver_sql(
            _VERIFY.format(hashed=_HASHED.format(p=""), **self.names)
        ).scalar()
        if edited is not None:
            raise LedgerEdited(self.name, int(edited))


def actor(connection: Connection) -> dict[str, str]:
    """Who writes: the database's user and the machine's."""
    cached = connection.info.get("ledger_actor")
    if cached is None:
        row = connection.exec_driver_sql(
            "SELECT session_user, current_setting('application_name')"
        ).one()
        cached = connection.info["ledger_actor"] = {
            "database_user": row[0],
            "os_user": _os_user(),
            "host": socket.gethostname(),
            "application": row[1],
        }
    return dict(cached)


def applied(rows: Iterable[Row]) -> dict[str, Row]:
    """For each revision that the ledger holds to be in the database, the row that says so last."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.outcome in TELLING:
            if row.direction == "downgrade":
                found.pop(row.revision, None)
            else:
                found[row.revision] = row
    return found


def unfinished(rows: Sequence[Row]) -> Row | None:
    """The last row, where it is of a step that began and did not end."""
    return rows[-1] if rows and rows[-1].outcome == "started" else None


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's uid without a name
        return str(os.geteuid())


def as_json(row: Row) -> dict[str, Any]:
    """The row as `vegafs ledger --json` prints it."""
    return asdict(row)
