"""PastRevision follows a revision of the past that may leave its transaction.

Every change that has run is counted. Before a commit the ledger gets a row that says how many of
them are kept from then on, their digest, and the numbers of rows that they reached: a loop may end
by these. A later attempt does not send these again, where the revision sends the same ones. All
other statements are sent again, and the session is read-only
until the last change that is kept: one that would write a second time fails.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection

from surefoot.errors import PartlyApplied
from surefoot.ledger.digest import TELLING
from surefoot.ledger.table import NOTHING, Row
from surefoot.operations.lock_class import without_comments
from surefoot.quoting import literal
from surefoot.wording import counted

# It changes the database and leaves nothing in the session, so it may be left out.
_CHANGES = re.compile(
    r"\s*(?:CREATE(?!\s+(?:(?:GLOBAL|LOCAL)\s+)?TEMP)|ALTER(?!\s+SYSTEM)|DROP|COMMENT|GRANT|REVOKE"
    r"|TRUNCATE|INSERT|UPDATE|DELETE|MERGE|REINDEX|REFRESH)\b(?!.*\bRETURNING\b)",
    re.IGNORECASE | re.DOTALL,
)
# It may be sent again, in a session that is read-only.
_READS = re.compile(
    r"\s*(?:SELECT|SHOW|VALUES|TABLE|EXPLAIN|SET|RESET|COMMIT|END|ROLLBACK|ABORT|BEGIN|START"
    r"|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE,
)
_BUILDS = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'(?!ON\s)("(?:[^"]|"")+"|[\w$]+)\s+ON\s+(?:ONLY\s+)?([\w$."]+)',
    re.IGNORECASE,
)
_INVALID = """
SELECT indexrelid::regclass::text FROM pg_catalog.pg_index
    JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass({table}) AND NOT indisvalid
      AND relname = (parse_ident({name}))[1]
"""
_ROW = re.compile(
    r"left its transaction; changes that are kept: (\d+) \((\w+)\)(?:; rows: ([\dx -]+))?"
)
_UNKNOWN = "unknown"
# So many different numbers of rows are kept.
_NUMBERS = 1000


def last_attempt(rows: Iterable[Row], revision: str, direction: str) -> str | None:
    """The text of the last row about an attempt, in this direction, that did not end."""
    for row in reversed([row for row in rows if row.revision == revision]):
        if row.outcome in TELLING or row.direction != direction:
            return None
        if row.outcome == "started":
            return row.error
    return None


class PastRevision:
    """The changes of one revision: those that have run, and those that are kept."""

    def __init__(
        self,
        connection: Connection,
        revision: str,
        begun: str | None,
        write: Callable[[str], object],
    ) -> None:
        """`begun`: the last row about an attempt before it; `write` writes the next one."""
        self._connection, self._revision, self._write = connection, revision, write
        # Whether it has left its transaction in this attempt.
        self.left = False
        # Whether it was in no transaction after its last statement.
        self.was_outside = False
        # Whether it has opened a second connection, of which nothing is known.
        self._has_connected = False
        # The change that was sent; those that have run, in this attempt.
        self._pending, self._done, self._digest = "", 0, hashlib.sha256()
        # The numbers of rows of those that have run, each with how often it comes.
        self._rows: list[tuple[int, int]] = []
        # Whether it, and all that have run, may be left out by another attempt.
        self._is_change = self._is_repeatable = True
        found = _ROW.match(begun or "")
        # Of the attempt before it.
        self._kept, self._known = (int(found[1]), found[2]) if found else (0, "")
        runs = [each.split("x") for each in ((found and found[3]) or "").split()]
        self._kept_rows = [int(rows) for rows, times in runs for _ in range(int(times))]
        self._told = (self._kept, self._known)
        # How many are known to be kept: the commit of the last row may not be done.
        self._sure = self._kept

    @property
    def resumed(self) -> bool:
        """Whether an attempt before it has left changes."""
        return self._kept > 0

    @property
    def replays(self) -> bool:
        """Whether changes of an attempt before it are still to come."""
        return self._done < self._kept

    def begins(self) -> None:
        """Make the session read-only until the last change that is kept.

        On failure: PartlyApplied, where it is not known which changes are kept.
        """
        if self._known == _UNKNOWN:
            raise PartlyApplied(self._revision, self._kept)
        if self.resumed:
            self._connection.exec_driver_sql("SET default_transaction_read_only = on")
            self._connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    def replaced(self, statement: str, parameters: object) -> str | None:
        """Note a statement; where an attempt before it has done it, the one to send instead.

        On failure: PartlyApplied, where it sends another change.
        """
        code = without_comments(statement)
        self._pending, self._sure = "", self._told[0]
        if _READS.match(code):
            return None
        self._pending = f"{statement}\n{parameters!r}\n"
        self._is_change = _CHANGES.match(code) is not None
        if not self._is_change and self.replays:
            raise PartlyApplied(self._revision, self._kept)
        if not self.replays:
            if self.was_outside or _is_autocommit(self._connection):
                # Where the run is killed, nobody knows whether this one was done.
                self._tell(_UNKNOWN)
                if self._known and (index := _BUILDS.match(code)) is not None:
                    _drop_invalid(self._connection, *index.groups())
            return None
        after = self._digest.copy()
        after.update(self._pending.encode("utf-8", "surrogatepass"))
        if self._done + 1 == self._kept and after.hexdigest()[:32] != self._known:
            raise PartlyApplied(self._revision, self._kept)
        # It changes nothing, and reaches as many rows.
        return f"SELECT FROM generate_series(1, {self._kept_rows[self._done]})"

    def ended(self, rows: int) -> bool:
        """The statement has run; True where it is kept, as no transaction is open."""
        if self._pending:
            rows = self._kept_rows[self._done] if self.replays else rows
            if self._rows and self._rows[-1][0] == rows:
                rows, times = self._rows.pop()
                self._rows.append((rows, times + 1))
            else:
                self._rows.append((rows, 1))
            self._done += 1
            is_short = len(self._rows) <= _NUMBERS
            self._is_repeatable = self._is_repeatable and self._is_change and is_short
            self._digest.update(self._pending.encode("utf-8", "surrogatepass"))
            self._pending = ""
        driver: Any = self._connection.connection.driver_connection
        self.was_outside = not driver.is_in_transaction()
        return self.was_outside

    def leaves(self) -> None:
        """The changes that have run are kept from now on, or were kept just now."""
        self.left = True
        if self.replays:
            return
        if self.resumed:
            self._connection.exec_driver_sql("SET default_transaction_read_only = off")
        if self._done > self._kept or not self._known or self._has_connected:
            self._tell(self._digest.hexdigest()[:32] if self._is_repeatable else _UNKNOWN)

    def connects(self) -> bool:
        """It opens a second connection: False where its transaction is open, which might block it.

        On failure: PartlyApplied, where changes of an attempt before it are still to come.
        """
        driver: Any = self._connection.connection.driver_connection
        if driver.is_in_transaction():
            return False
        if self.replays:
            raise PartlyApplied(self._revision, self._kept)
        self._has_connected, self._is_repeatable = True, False
        self.leaves()
        self._connection.commit()
        return True

    def undone(self) -> None:
        """Changes that have run were rolled back; those that run next are no sequel of them."""
        self.was_outside = False
        if self._done > self._sure:
            self._is_repeatable = False
            self._told = (self._sure, "")

    def failed(self) -> None:
        """The server has answered with an error, so the statement that was sent is not done."""
        if self._pending and self._told[1] == _UNKNOWN and self._is_repeatable:
            self._tell(self._digest.hexdigest()[:32])

    def is_outside_at_its_end(self) -> bool:
        """Whether its function, which has run, has left its transaction; its changes are kept then.

        On failure: PartlyApplied, where it sent less than is kept.
        """
        if self.replays:
            raise PartlyApplied(self._revision, self._kept)
        if not (self.left or self.resumed):
            return False
        self.leaves()
        # With the row: the changes since the last commit.
        self._connection.commit()
        end_autocommit(self._connection)
        return True

    def kept(self, *, lost: bool) -> str:
        """The part that is kept, in words for an error; `lost`: the connection."""
        if self._has_connected:
            return "not known: it has opened a second connection"
        if self._sure:
            return f"{counted(self._sure, 'change')} at its beginning, and perhaps the next"
        return "not known: its commit was under way" if lost and self._told[0] else NOTHING

    def _tell(self, known: str) -> None:
        told = (self._done, known)
        if told != self._told:
            rows = "" if known == _UNKNOWN else " ".join(f"{n}x{times}" for n, times in self._rows)
            text = f"left its transaction; changes that are kept: {self._done} ({known})"
            self._write(f"{text}; rows: {rows}" if rows else text)
            self._told = told


def _drop_invalid(connection: Connection, name: str, table: str) -> None:
    """Drop an index that a failed CREATE INDEX CONCURRENTLY of the table has left."""
    found = connection.exec_driver_sql(
        _INVALID.format(name=literal(name), table=literal(table))
    ).scalar()
    if found is not None:
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {found}")


def end_autocommit(connection: Connection) -> None:
    """Give a connection that is in no transaction its transactions back."""
    if _is_autocommit(connection):
        connection.execution_options(isolation_level=connection.default_isolation_level)


def _is_autocommit(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
