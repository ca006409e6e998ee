"""VersionTable is the table in which Alembic keeps where a database is, and what is named after it.

Alembic's options `version_table` and `version_table_schema` say where it is. The ledger, the
channel that tells of its rows and the migration mutex take their names from it, so that two
projects in one database have theirs apart.
"""

import hashlib
from collections.abc import Callable, Collection
from itertools import zip_longest

from surefoot.frozen import dataclass
from surefoot.quoting import literal, qualified

# Of the ids in the version table that Alembic creates.
ALEMBICS_LENGTH = 32
# The second number of the advisory lock that a process has as long as it runs a backfill.
AT_WORK = 2**31 - 1
# And of the one that a session has while it ends a lap.
AT_END = AT_WORK - 1


@dataclass(frozen=True)
class VersionTable:
    """A version table; without a schema it is found by the search path."""

    name: str = "alembic_version"
    schema: str | None = None

    @property
    def quoted(self) -> str:
        """The table, as SQL writes it."""
        return self._quoted(self.name)

    @property
    def ledger(self) -> str:
        """The ledger's table, as SQL writes it."""
        return self._quoted(self.ledger_name)

    @property
    def ledger_guard(self) -> str:
        """The function that refuses changes of the ledger's rows, as SQL writes it."""
        return self._quoted(f"{self.ledger_name}_append_only")

    @property
    def ledger_name(self) -> str:
        """The ledger's table without its schema."""
        return f"{self.name}_ledger"

    @property
    def backfills(self) -> tuple[str, str, str]:
        """The tables of backfills, of their ranges and of the rows that failed, as SQL writes."""
        backfills, ranges, failures = map(self._quoted, self._backfill_names)
        return backfills, ranges, failures

    @property
    def relations(self) -> tuple[str, ...]:
        """The objects that are no part of the schema which revisions give."""
        guard = f"{self.ledger_name}_append_only()"
        return (self.name, self.ledger_name, guard, *self._backfill_names)

    @property
    def _backfill_names(self) -> tuple[str, str, str]:
        name = f"{self.name}_backfill"
        return f"{name}s", f"{name}_ranges", f"{name}_failures"

    @property
    def channel(self) -> str:
        """The notification channel that tells of every row of the ledger as it commits."""
        channel = f"{self.schema}.{self.ledger_name}" if self.schema else self.ledger_name
        return channel[:63]  # NAMEDATALEN - 1

    @property
    def mutex(self) -> str:
        """The text whose hash is the advisory lock of the migration mutex."""
        return f"alembic:{self.schema or ''}.{self.name}"

    @property
    def mutex_number(self) -> int:
        """The number of that lock. Each database has its own locks."""
        digest = hashlib.sha256(self.mutex.encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    def leases(self, backfill: str) -> int:
        """The first number of the advisory locks on a backfill; the second one is a range."""
        digest = hashlib.sha256(f"{self.mutex}:backfill:{backfill}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def changes(
        self,
        before: Collection[str],
        after: Collection[str],
        put: Callable[[str, str], str] = lambda name, _: literal(name),
    ) -> tuple[str, ...]:
        """The SQL that leads its rows from those revisions to these, a statement for each row.

        `put` is how a name of the type `text` stands in it.
        """
        gone = [put(each, "text") for each in sorted({*before} - {*after})]
        new = [put(each, "text") for each in sorted({*after} - {*before})]
        found = []
        for old, name in zip_longest(gone, new):
            change = f"UPDATE {self.quoted} SET version_num = {name}"  # noqa: S608 - quoted, as below
            if old is None:
                change = f"INSERT INTO {self.quoted} (version_num) VALUES ({name})"  # noqa: S608
            elif name is None:
                change = f"DELETE FROM {self.quoted}"  # noqa: S608
            found.append(change if old is None else f"{change} WHERE version_num = {old}")
        return tuple(found)

    def _quoted(self, name: str) -> str:
        return qualified(self.schema, name) if self.schema else qualified(name)
