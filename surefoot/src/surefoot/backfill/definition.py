"""Backfill is the class of a file in the folder `backfills` beside the revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from surefoot.quoting import single

# The most seconds for which a batch may be asked to lock its rows.
MOST_BATCH_S = 3600
# A row for `fill`, and the values of its columns that are written back; None leaves it as it is.
Row = Mapping[str, Any]
Values = Mapping[str, Any]


class Backfill:
    """A change of the rows of one table, in batches that are transactions of their own.

    The file `alembic/backfills/jobs_priority.py` has one subclass, and the backfill has the name
    of the file. It has one of `sets`, `statement` and `fill`. A batch may run more than once, and
    rows that are locked are done later: `todo` alone says which rows still lack the change.

    Example:
        class JobsPriority(Backfill):
            after = "0007"
            table = "jobs"
            todo = "priority IS NULL"
            sets = {"priority": "CASE WHEN rank > 10 THEN 1 ELSE 2 END"}
    """

    # The revision that it needs.
    after: ClassVar[str]
    # The table, as SQL writes it: jobs, or shop.jobs.
    table: ClassVar[str]
    # A condition, as SQL writes it: it is true for the rows that still lack the change.
    todo: ClassVar[str]
    # The columns of a unique index, by which the rows are walked; without it the primary key.
    key: ClassVar[Sequence[str]] = ()
    # For each column the SQL of its new value; it may use the columns of the row.
    sets: ClassVar[Mapping[str, str]] = {}
    # One INSERT, UPDATE, DELETE or, from PostgreSQL 17 on, MERGE, without RETURNING. `batch` in it
    # is a table with the keys of the rows of the batch, which are locked: "DELETE FROM jobs USING
    # batch WHERE …".
    statement: ClassVar[str] = ""
    # The columns of the table that `statement` or `fill` writes.
    writes: ClassVar[Sequence[str]] = ()
    # The columns that `fill` gets, beside those of the key.
    reads: ClassVar[Sequence[str]] = ()
    # The most rows of one call of `fill`.
    rows_per_call: ClassVar[int] = 1000
    # The most calls of `fill` at a time in one process.
    concurrency: ClassVar[int] = 1
    # Seconds for which a batch should lock its rows, as a writer of one waits; its number of rows
    # follows. With more than one round of calls of `fill` it may take ten times as long in all.
    batch_s: ClassVar[float] = 0.05
    # The least and the most rows of a batch.
    batch_rows: ClassVar[tuple[int, int]] = (10, 50_000)
    # After so many rows that cannot be changed the run stops.
    max_failed_rows: ClassVar[int] = 100

    # The name of its file; the hash of its code.
    name: str = ""
    sha256: str = ""

    async def fill(self, rows: Sequence[Row]) -> Sequence[Values | None]:
        """The new values of each row, in the order of the rows; None leaves a row as it is.

        It runs outside of a transaction, and no row is locked meanwhile: a row that somebody
        changes before its values are written gets other values in a later batch.
        """
        raise NotImplementedError

    @property
    def condition(self) -> str:
        """`todo` without comments."""
        return single(self.todo) or self.todo

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the table that it writes, as far as it says so."""
        return (*self.sets, *self.writes)

    @property
    def is_python(self) -> bool:
        """Whether its values come from `fill`."""
        return type(self).fill is not Backfill.fill
