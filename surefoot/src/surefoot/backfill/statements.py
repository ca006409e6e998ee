"""The statements of a backfill, from its class, the key of its table and the tables of its state.

The parameters of those for a batch are $1, the place after which it begins or NULL, $2, the place
of its last row, and $3, the number of its range. A batch and how far the walk came are one
statement, and so one transaction.
"""

from dataclasses import dataclass

from surefoot.backfill.definition import Backfill
from surefoot.backfill.key import Key
from surefoot.quoting import literal, qualified
from surefoot.version_table import VersionTable

# The table of a session in which the values of `fill` arrive.
VALUES = "surefoot_backfill_values"
_ROW = "surefoot_row"


@dataclass(frozen=True)
class Statements:
    """The statements of one backfill."""

    backfill: Backfill
    key: Key
    version_table: VersionTable

    def todo(self, *, but_failed: bool = True) -> str:
        """The condition for rows that lack the change, but for those that failed."""
        found = f"({self.backfill.todo})"
        if not but_failed:
            return found
        failures = self.version_table.backfills[2]
        failed = f"SELECT FROM {failures} AS f WHERE f.backfill = {self._name}"
        return f"{found} AND NOT EXISTS ({failed} AND f.key = {self.key.texts})"

    @property
    def bound(self) -> str:
        """The place of the $3rd row after $1, up to and with $2; no row where there are fewer."""
        return (
            f"SELECT {self.key.texts} FROM {self.key.quoted} "  # noqa: S608 - quoted
            f"WHERE {self._between} ORDER BY {self.key.listed} OFFSET $3 - 1 LIMIT 1"
        )

    def count(self, *, but_failed: bool = True) -> str:
        """The rows between $1 and $2 that lack the change."""
        return (
            f"SELECT count(*) FROM {self.key.quoted} "  # noqa: S608 - quoted
            f"WHERE {self._between} AND {self.todo(but_failed=but_failed)}"
        )

    @property
    def middle(self) -> str:
        """The place of the $3rd row between $1 and $2 that lacks the change."""
        return (
            f"SELECT {self.key.texts} FROM {self.key.quoted} "  # noqa: S608 - quoted
            f"WHERE {self._between} AND {self.todo()} "
            f"ORDER BY {self.key.listed} OFFSET $3 - 1 LIMIT 1"
        )

    def batch(self, *, but_failed: bool, counts: bool, saves: bool = True) -> str:
        """Change a batch and keep how far the walk came, with $4 as the number of rows walked.

        It returns the rows that were locked, those changed, those that lacked the change before,
        and the end of the range. `counts` counts the third, which is a second look at them.
        """
        todo, between = self.todo(but_failed=but_failed), self._between
        strength = "UPDATE" if self._statement.lstrip()[:6].upper() == "DELETE" else "NO KEY UPDATE"
        place = ", ctid" if self.key.has_places else ""
        changed = "(SELECT count(*) FROM changed)"
        before = changed
        if counts:
            before = f"(SELECT count(*) FROM {self.key.quoted} WHERE {between} AND {todo})"  # noqa: S608 - quoted
        batch = (
            f"WITH batch AS MATERIALIZED (SELECT {self.key.listed}{place} "  # noqa: S608 - quoted
            f"FROM {self.key.quoted} WHERE {between} AND {todo} "
            f"ORDER BY {self.key.listed} FOR {strength} SKIP LOCKED), "
            f"changed AS ({self._statement} RETURNING 1)"
        )
        result = f"SELECT (SELECT count(*) FROM batch), {changed}, {before}"  # noqa: S608 - as above
        if not saves:
            return f"{batch} {result}, NULL::text[], false"
        saved = self._saved(changed, f"greatest({before} - {changed}, 0)", "$2", "$3", "$4")
        return (
            f"{batch}, saved AS ({saved}) {result}, (SELECT high FROM saved), "  # noqa: S608 - as above
            "(SELECT done FROM saved)"
        )

    @property
    def save(self) -> str:
        """Keep that the walk came to $1 in the range $2, after $3 rows, and changed none."""
        return self._saved("0", "0", "$1", "$2", "$3")

    def read(self, *, but_failed: bool) -> str:
        """The rows of a batch for `fill`, each with the version that it has."""
        columns = dict.fromkeys((*self.key.columns, *self.backfill.reads))
        return (
            f"SELECT {', '.join(map(qualified, columns))}, xmin::text AS {_ROW} "  # noqa: S608 - quoted
            f"FROM {self.key.quoted} WHERE {self._between} "
            f"AND {self.todo(but_failed=but_failed)} ORDER BY {self.key.listed}"
        )

    @property
    def values_table(self) -> str:
        """Create the table for the values of `fill`, which each transaction leaves empty."""
        columns = ", ".join(map(qualified, (*self.key.columns, *self.backfill.writes)))
        return (
            f"CREATE TEMPORARY TABLE {VALUES} ON COMMIT DELETE ROWS AS "  # noqa: S608 - quoted
            f"SELECT {columns}, ''::text AS {_ROW} FROM {self.key.quoted} LIMIT 0"
        )

    @property
    def values_columns(self) -> tuple[str, ...]:
        """The columns of that table."""
        return (*self.key.columns, *self.backfill.writes, _ROW)

    @property
    def write(self) -> str:
        """Write the values of `fill` to the rows that nobody has changed since they were read.

        The walk came to $1 in the range $2, after $3 rows, of which $4 had values.
        """
        changed = "(SELECT count(*) FROM changed)"
        saved = self._saved(changed, f"greatest($4 - {changed}, 0)", "$1", "$2", "$3")
        keys = [qualified(name) for name in self.key.columns]
        same = " AND ".join(f"{_ROW}.{name} = v.{name}" for name in keys)
        found = "ctid" if self.key.has_places else None
        join = f"t.{found} = batch.{found}" if found else same.replace(f"{_ROW}.", "t.")
        join = join.replace("v.", "batch.")
        sets = ", ".join(f"{name} = batch.{name}" for name in map(qualified, self.backfill.writes))
        place = f", {_ROW}.ctid" if found else ""
        order = ", ".join(f"v.{name}" for name in keys)
        return (
            f"WITH batch AS MATERIALIZED (SELECT v.*{place} FROM {self.key.quoted} AS {_ROW} "  # noqa: S608 - quoted
            f"JOIN pg_temp.{VALUES} AS v ON {same} AND {_ROW}.xmin::text = v.{_ROW} "
            f"ORDER BY {order} FOR NO KEY UPDATE OF {_ROW} SKIP LOCKED), "
            f"changed AS (UPDATE {self.key.quoted} AS t SET {sets} FROM batch WHERE {join} "
            f"RETURNING 1), saved AS ({saved}) "
            f"SELECT (SELECT count(*) FROM batch), {changed}, $4::bigint, "
            "(SELECT high FROM saved), (SELECT done FROM saved)"
        )

    @property
    def fail(self) -> str:
        """Keep the row at $1, in the range $2, as one that failed: SQLSTATE $3, its words $4."""
        failures = self.version_table.backfills[2]
        saved = self._saved("0", "0", "$1", "$2", "1")
        return (
            f"WITH saved AS ({saved}) "  # noqa: S608 - quoted
            f"INSERT INTO {failures} (backfill, key, sqlstate, error) "
            f"SELECT {self._name}, $1, $3, $4 FROM saved ON CONFLICT (backfill, key) DO UPDATE "
            "SET sqlstate = excluded.sqlstate, error = excluded.error, failed_at = now()"
        )

    def sample(self, percent: float) -> str:
        """Places between $1 and $2, in their order, from about so many percent of the pages."""
        return (
            f"SELECT {self.key.texts} FROM {self.key.quoted} TABLESAMPLE SYSTEM ({percent:f}) "  # noqa: S608 - quoted
            f"WHERE {self._between} ORDER BY {self.key.listed}"
        )

    @property
    def last(self) -> str:
        """The place of the last row."""
        order = ", ".join(f"{qualified(name)} DESC" for name in self.key.columns)
        return f"SELECT {self.key.texts} FROM {self.key.quoted} ORDER BY {order} LIMIT 1"  # noqa: S608 - quoted

    @property
    def any_left(self) -> str:
        """Whether a row lacks the change, failed ones included."""
        return f"SELECT EXISTS (SELECT FROM {self.key.quoted} WHERE ({self.backfill.todo}))"  # noqa: S608 - quoted

    @property
    def _name(self) -> str:
        return literal(self.backfill.name)

    @property
    def _statement(self) -> str:
        if self.backfill.statement:
            return self.backfill.statement.strip().rstrip(";")
        sets = ", ".join(f"{qualified(k)} = {value}" for k, value in self.backfill.sets.items())
        rows = f"({self.key.listed}) IN (SELECT {self.key.listed} FROM batch)"  # noqa: S608 - quoted
        if self.key.has_places:
            rows = "ctid = ANY (ARRAY(SELECT ctid FROM batch))"
        return f"UPDATE {self.key.quoted} SET {sets} WHERE {rows}"  # noqa: S608 - quoted

    @property
    def _between(self) -> str:
        # Plans are made for the values of the parameters, so the first part vanishes or stays.
        low, high = (self.key.values(f"${n}::text[]") for n in (1, 2))
        return f"($1::text[] IS NULL OR {self.key.row} > {low}) AND {self.key.row} <= {high}"

    def _saved(self, changed: str, skipped: str, position: str, number: str, walked: str) -> str:
        """Keep the place of the last row that was walked; a range ends with its own last place."""
        ranges = self.version_table.backfills[1]
        end = f"{self.key.values(f'{position}::text[]')} >= {self.key.values('high')}"
        return (
            f"UPDATE {ranges} SET position = {position}::text[], done = {end}, "  # noqa: S608 - quoted
            f"changed = changed + {changed}, skipped = skipped + {skipped}, "
            f"walked = walked + {walked}::bigint, batches = batches + 1 "
            f"WHERE backfill = {self._name} AND id = {number} RETURNING high, done"
        )
