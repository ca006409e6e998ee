"""The ledger is the append-only record, in the database, of what was done to it.

It is a second table, which plain Alembic does not need. The row of a revision that runs in a
transaction commits with that transaction; before a step outside of one a `started` row is written,
so a crash in the step is visible. Each row holds the hash of the row before it, so an edit by hand
is found; a trigger refuses UPDATE, DELETE and TRUNCATE. Times are the server's. A run that changed
something ends with a `measured` row, which holds the fingerprint of the schema that it left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from surefoot.connect.failures import PERMISSION_MISSING, describe, sqlstate
from surefoot.errors import LedgerAltered, LedgerEdited, PermissionMissing, RowsHidden
from surefoot.frozen import dataclass
from surefoot.ledger.digest import IN_FORCE, TELLING
from surefoot.ledger.layout import (
    ADDED_LATER,
    COLUMNS,
    CREATE,
    EXTEND,
    GUARD,
    LACKS,
    NARROW,
    OUTCOMES,
    TRIGGER,
    TYPES_MADE,
    hashed,
    lacking,
)
from surefoot.quoting import literal
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The outcome of a row about a backfill, whose revision is the one that the backfill needs. It says
# nothing of the revision itself.
BACKFILL = "backfill"
# The outcomes of a step that did not end well.
BROKEN_OFF = ("failed", "started")
# The outcomes of a step that led the database to a revision.
ARRIVED = ("applied", "adopted", "stamped")
# The part of a revision that is kept, in words for an error.
NOTHING = "nothing"
_READ = "SELECT {columns} FROM {table} ORDER BY id"
# Of a row that was changed by hand, where it is nothing that a run writes: it is read without that.
TIME = "CASE WHEN {0} BETWEEN '0002-01-01' AND '9998-12-31' THEN {0} END"
_AS_WRITTEN = {
    "started_at": TIME.format("started_at"),
    "finished_at": TIME.format("finished_at"),
    "duration_s": "CASE WHEN abs(duration_s) < 'infinity' THEN duration_s ELSE 0 END",
    "actor": "CASE jsonb_typeof(actor) WHEN 'object' THEN actor END",
}
# They are long: of so many of the newest rows.
_DETAILS = "CASE WHEN id > (SELECT max(id) FROM {table}) - {newest} THEN details END AS details"
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
    # As `ledger.details` has them; read where they are asked for.
    details: Mapping[str, Any] | None = None


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


_READ_COLUMNS = tuple(field.name for field in fields(Row) if field.name != "details")


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
        # The columns that the table of an older build was seen not to have.
        self._lacking: frozenset[str] = frozenset()

    def exists(self, connection: Connection) -> bool:
        """Whether there is the table. On failure: LedgerAltered, where it has other columns."""
        found = _asked(connection, COLUMNS, self.names["table"])
        self._lacking = lacking(found or {})
        if found is None:
            return False
        different = [
            f"{name} is {found[name]} and was {type_}" if name in found else f"{name} is missing"
            for name, type_ in TYPES_MADE.items()
            if found.get(name) != type_ and (name in found or name not in ADDED_LATER)
        ]
        if different:
            raise LedgerAltered(self.name, different)
        return True

    def create(self, connection: Connection) -> None:
        """Create the table. The caller holds the migration mutex, so no other run does the same.

        On failure: PermissionMissing.
        """
        self._change(connection, self.creation(), f"so there is no {self.name}")

    def creation(self) -> tuple[str, ...]:
        return tuple(part.format(**self.names) for part in (CREATE, GUARD, TRIGGER))

    def digest_in_force(self) -> str:
        """The SQL of one hash over the revisions in force and their checksums, ordered by id."""
        return IN_FORCE.format(**self.names)

    def extend(self, connection: Connection) -> None:
        """Alter a table of an older build so that it can hold the rows of this one.

        On failure: PermissionMissing.
        """
        changes = []
        if _asked(connection, LACKS, self.names["table"]):
            changes.append(EXTEND.format(**self.names))
        if (narrow := _asked(connection, NARROW, self.names["table"])) is not None:
            changes.append(
                f"ALTER TABLE {self.names['table']} DROP CONSTRAINT {narrow}, "
                f"ADD CONSTRAINT outcome_known CHECK (outcome IN {OUTCOMES})"
            )
        self._change(connection, changes, "and an older build has made it")
        self._lacking = frozenset()

    def _change(self, connection: Connection, statements: Iterable[str], rest: str) -> None:
        try:
            for statement in statements:
                connection.exec_driver_sql(statement)
        except Exception as error:
            if sqlstate(error) != PERMISSION_MISSING:
                raise
            url, why = connection.engine.url, f"{describe(error)}, {rest}"
            raise PermissionMissing(url.username or "", url.database or "", why) from error

    def extension(self) -> str:
        """The same for the columns, as a statement of PL/pgSQL."""
        lacks = LACKS.format(name=literal(self.names["table"])).strip()
        return f"IF ({lacks}) THEN {EXTEND.format(**self.names)}; END IF;"

    def read(self, connection: Connection, *, details: int = 0) -> tuple[Row, ...]:
        """Every row, oldest first, of a table that `exists`; so many of the newest with details.

        On failure: RowsHidden.
        """
        there = (name for name in _READ_COLUMNS if name not in self._lacking)
        asked = {name: _AS_WRITTEN.get(name, name) for name in there}
        if details and "details" not in self._lacking:
            asked["details"] = _DETAILS.format(newest=details, **self.names)
        query = _READ.format(columns=", ".join(asked.values()), **self.names)
        rows = connection.exec_driver_sql(query)
        found = tuple(Row(**dict(zip(asked, row, strict=True))) for row in rows)
        if not found:
            refuse_hidden(connection, self.names["table"])
        return found

    def rows(self, connection: Connection, *, details: int = 0) -> tuple[Row, ...]:
        """As `read`; none where there is no ledger. On failure: LedgerAltered, RowsHidden."""
        return self.read(connection, details=details) if self.exists(connection) else ()

    def was_dropped(self, connection: Connection) -> bool:
        """Whether its function exists and the table does not."""
        known, guard = "SELECT to_regprocedure({name}) IS NOT NULL", self.names["function"] + "()"
        return not self.exists(connection) and bool(_asked(connection, known, guard))

    def verify(self, connection: Connection) -> None:
        """Compare every row with its hash, of a table that `exists`.

        On failure: LedgerEdited names the first to differ.
        """
        query = _VERIFY.format(hashed=hashed("", without=self._lacking), **self.names)
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


def has_begun(rows: Iterable[Row]) -> bool:
    """Whether the ledger tells of a revision that has left its transaction, done or not."""
    return any(row.outcome == "started" for row in rows)


def steps(rows: Iterable[Row]) -> Sequence[Row]:
    """The rows of runs of Alembic, without those about backfills."""
    return [row for row in rows if row.outcome != BACKFILL]


def unfinished(rows: Iterable[Row]) -> Row | None:
    """The last row of a run, where its step began and did not end."""
    last = next(reversed(steps(rows)), None)
    return last if last is not None and last.outcome == "started" else None
