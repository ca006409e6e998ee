"""The ledger is the append-only record, in the database, of what was done to it.

It is a second table, which plain Alembic does not need. The row of a revision that runs in a
transaction commits with that transaction; before a step outside of one a `started` row is written,
so a crash in the step is visible. Each row holds the hash of the row before it, so an edit by hand
is found; a trigger refuses UPDATE, DELETE and TRUNCATE. Times are the server's. A run that changed
something ends with a `measured` row, which holds the fingerprint of the schema that it left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from surefoot.connect.failures import PERMISSION_MISSING, describe, sqlstate
from surefoot.errors import LedgerAltered, LedgerEdited, PermissionMissing, RowsHidden
from surefoot.ledger.digest import IN_FORCE, TELLING
from surefoot.quoting import literal
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The outcome of a row about a backfill, whose revision is the one that the backfill needs. It says
# nothing of the revision itself.
BACKFILL = "backfill"
# The outcomes of a step that did not end well.
BROKEN_OFF = ("failed", "started")
_OUTCOMES = (
    "('started', 'applied', 'failed', 'adopted', 'stamped', 'accepted', 'backup', 'measured', "
    "'backfill')"
)
# One expression computes a hash and checks it. A column that was added later is the last:
# concat_ws leaves NULL out, so the hashes of older rows stay the same.
HASHED = """encode(sha256(convert_to(concat_ws(E'\\x1f', {p}id, {p}revision, {p}direction,
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
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
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
# Its columns by name and type.
_COLUMN = re.compile(r"^    (\w+) ([a-z ]+?)(?: NOT NULL| PRIMARY|,|$)", re.MULTILINE)
_TYPES_MADE = dict(_COLUMN.findall(_CREATE))
_ADDED_LATER = ("requires_code",)
# quote_all_identifiers quotes a type.
_COLUMNS = """
SELECT json_object_agg(attname, replace(format_type(atttypid, NULL), '"', '')) FROM pg_attribute
WHERE attrelid = to_regclass({name}) AND attnum > 0 AND NOT attisdropped
"""
# The check of an older ledger allows fewer outcomes, and has the name that PostgreSQL gave it.
_NARROW = """
SELECT quote_ident(conname) FROM pg_constraint
WHERE conrelid = CAST({name} AS regclass) AND contype = 'c'
  AND pg_get_constraintdef(oid) LIKE '%stamped%' AND pg_get_constraintdef(oid) NOT LIKE '%backfill%'
"""
_GUARD = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""
_READ = "SELECT * FROM {table} ORDER BY id"
_LACKS = """
SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({name})
                   AND attname = 'requires_code')
"""
_EXTEND = "ALTER TABLE {table} ADD COLUMN requires_code text"
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
    """The content of a row, without number, times and hashes."""

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
    # Of a contract revision: the oldest revision whose code still works after it.
    requires_code: str | None = None


@dataclass(frozen=True)
class Row(Entry):
    """A row of the table."""

    id: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float = 0.0
    actor: Mapping[str, str] | None = None

    @property
    def person(self) -> str:
        """Who wrote it: the user of a machine and its name, as `who` gives them."""
        user, host = ((self.actor or {}).get(key, "?") for key in ("os_user", "host"))
        return f"{user}@{host}"


class Ledger:
    """The ledger of one version table."""

    def __init__(self, version_table: VersionTable = VersionTable()) -> None:
        self.name = version_table.ledger_name
        self.channel = version_table.channel.replace("'", "''")
        self.names = {
            "table": version_table.ledger,
            "function": version_table.ledger_guard,
            "version_table": version_table.quoted,
        }

    def exists(self, connection: Connection) -> bool:
        """Whether there is the table. On failure: LedgerAltered, where it has other columns."""
        found = _asked(connection, _COLUMNS, self.names["table"])
        if found is None:
            return False
        different = [
            f"{name} is {found[name]} and was {type_}" if name in found else f"{name} is missing"
            for name, type_ in _TYPES_MADE.items()
            if found.get(name) != type_ and (name in found or name not in _ADDED_LATER)
        ]
        if different:
            raise LedgerAltered(self.name, different)
        return True

    def create(self, connection: Connection) -> None:
        """Create the table. The caller holds the migration mutex, so no other run does the same.

        On failure: PermissionMissing.
        """
        try:
            for statement in self.creation():
                connection.exec_driver_sql(statement)
        except Exception as error:
            if sqlstate(error) != PERMISSION_MISSING:
                raise
            url, why = connection.engine.url, f"{describe(error)}, so there is no {self.name}"
            raise PermissionMissing(url.username or "", url.database or "", why) from error

    def creation(self) -> tuple[str, ...]:
        return tuple(part.format(**self.names) for part in (_CREATE, _GUARD, _TRIGGER))

    def digest_in_force(self) -> str:
        """The SQL of one hash over the revisions in force and their checksums, ordered by id."""
        return IN_FORCE.format(**self.names)

    def extend(self, connection: Connection) -> None:
        """Alter a table of an older build so that it can hold the rows of this one."""
        if _asked(connection, _LACKS, self.names["table"]):
            connection.exec_driver_sql(_EXTEND.format(**self.names))
        if (narrow := _asked(connection, _NARROW, self.names["table"])) is not None:
            connection.exec_driver_sql(
                f"ALTER TABLE {self.names['table']} DROP CONSTRAINT {narrow}, "
                f"ADD CONSTRAINT outcome_known CHECK (outcome IN {_OUTCOMES})"
            )

    def read(self, connection: Connection) -> tuple[Row, ...]:
        """Every row, oldest first, of a table that `exists`. On failure: RowsHidden."""
        rows = connection.exec_driver_sql(_READ.format(**self.names))
        names, known = [*rows.keys()], {field.name for field in fields(Row)}
        found = tuple(
            Row(**{k: v for k, v in zip(names, row, strict=True) if k in known}) for row in rows
        )
        if not found:
            refuse_hidden(connection, self.names["table"])
        return found

    def rows(self, connection: Connection) -> tuple[Row, ...]:
        """Every row; none where there is no ledger. On failure: LedgerAltered, RowsHidden."""
        return self.read(connection) if self.exists(connection) else ()

    def was_dropped(self, connection: Connection) -> bool:
        """Whether its function exists and the table does not."""
        known, guard = "SELECT to_regprocedure({name}) IS NOT NULL", self.names["function"] + "()"
        return not self.exists(connection) and bool(_asked(connection, known, guard))

    def verify(self, connection: Connection) -> None:
        """Compare every row with its hash. On failure: LedgerEdited names the first to differ."""
        query = _VERIFY.format(hashed=HASHED.format(p=""), **self.names)
        if (edited := connection.exec_driver_sql(query).scalar()) is not None:
            raise LedgerEdited(self.name, int(edited))


def refuse_hidden(connection: Connection, table: str) -> None:
    """Ask whether a table that shows no row may have some. On failure: RowsHidden."""
    if _asked(connection, "SELECT row_security_active(CAST({name} AS text))", table):
        raise RowsHidden(table)


def _asked(connection: Connection, query: str, name: str) -> Any:
    return connection.exec_driver_sql(query.format(name=literal(name))).scalar()


def applied(rows: Iterable[Row]) -> dict[str, Row]:
    """The last row of each revision that is in force by the ledger."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.outcome in TELLING:
            if row.direction == "downgrade":
                found.pop(row.revision, None)
            else:
                found[row.revision] = row
    return found


def was_used(rows: Iterable[Row]) -> bool:
    """Whether the ledger tells of a revision, in force or not."""
    return any(row.outcome in TELLING for row in rows)


def steps(rows: Iterable[Row]) -> Sequence[Row]:
    """The rows of runs of Alembic, without those about backfills."""
    return [row for row in rows if row.outcome != BACKFILL]


def unfinished(rows: Iterable[Row]) -> Row | None:
    """The last row of a run, where its step began and did not end."""
    last = next(reversed(steps(rows)), None)
    return last if last is not None and last.outcome == "started" else None
