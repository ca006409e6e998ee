"""The statements of a backfill, from its class, the key of its table and the tables of its state.

The parameters of those for a batch are $1, the place after which it begins or NULL, $2, the place
of its last row, and $3, the number of its range. A batch and how far the walk came are one
statement, and so one transaction.
"""

from dataclasses import dataclass

from surefoot.backfill.definition import Backfill
from surefoot.backfill.key import Key
from surefoot.quoting import literal, qualified, single
from surefoot.version_table import VersionTable

# The table of a session in which the values of `fill` arrive.
VALUES = "surefoot_backfill_values"
# The ctid and xmin of a row for `fill`, and the file of the table; whether a row lacks the change.
_FOUND = "ANY ((SELECT places FROM batch)::tid[])"
_PLACE, _VERSION, _FILE = "surefoot_place", "surefoot_version", "surefoot_file"
FOUND_BY = (_PLACE, _VERSION, _FILE)
_LACKS = "surefoot_lacks"
# So long a batch that changes rows without locking them first waits for one that is locked.
_WAIT = "(SELECT set_config('lock_timeout', '10ms', true)) IS NOT NULL"
# The rows that a batch leaves dead are counted with its commit, and not up to a second later.
_COUNTED = "FROM pg_stat_force_next_flush()"
# For sessions that walk: by the index of the key. How many rows are below a place, the planner
# tells by the first column of a key alone, and with one volume or tenant these are all rows. Before
# PostgreSQL 18 a plan that needs what is off costs so much that each batch would be compiled.
BY_KEY = (
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off"
)


@dataclass(frozen=True)
class Statements:
    """The statements of one backfill."""

    backfill: Backfill
    key: Key
    version_table: VersionTable

    def todo(self, *, but_failed: bool = True) -> str:
        """The condition for rows that lack the change, but for those that failed."""
        found = f"({self.backfill.condition})"
        if not but_failed:
            return found
        failures = self.version_table.backfills[2]
        failed = f"SELECT FROM {failures} AS f WHERE f.backfill = {self._name}"
        return f"{found} AND NOT EXISTS ({failed} AND f.key = {self.key.texts})"

    def walk(self, *, but_failed: bool) -> str:
        """The place of the $3rd row after $1, up to and with $2; NULL where there are fewer rows.

        With the number of at most $3 rows, and of those among them that lack the change.
        """
        rows = f"FROM {self.key.quoted} WHERE {self._between} ORDER BY {self.key.listed}"
        # Two walks cost less than to keep the rows of one.
        return (
            f"SELECT (SELECT {self.key.texts} {rows} OFFSET $3 - 1 LIMIT 1), "  # noqa: S608 - quoted
            f"count(*), count(*) FILTER (WHERE {_LACKS}) "
            f"FROM (SELECT ({self.todo(but_failed=but_failed)}) AS {_LACKS} {rows} LIMIT $3) AS w"
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

    def batch(self, *, but_failed: bool, saves: bool = True) -> str:
        """Change the rows after $1, up to and with $2, and keep that the walk came so far.

        $4 is the number of rows walked, and $5 of those among them that lacked the change. It
        returns the rows that were locked, those changed, the end of the range, and whether it is
        done; no range where its walk is not at $1.
        """
        rows = (
            f"FROM {self.key.quoted} WHERE {self._between} "
            f"AND {self.todo(but_failed=but_failed)} ORDER BY {self.key.listed}"
        )
        if self.backfill.sets and self.key.has_places:
            # A row is found again by its place, which costs less than a table of keys.
            locked, number = f"SELECT {self._places(rows)} AS places", "cardinality(places)"
        else:
            locked, number = f"SELECT {self.key.listed} {rows} {self._strength}", "count(*)"
        return self._changing(self._statement, locked, number, saves=saves)

    def plain(self, *, but_failed: bool) -> str | None:
        """The same without locking the rows first, which costs less; None where it has no such.

        A row that stays locked for 10 ms ends it with 55P03 (lock_not_available), before the lock
        of a writer can wait for it in a circle for as long as deadlock_timeout.
        """
        if not self.backfill.sets:
            return None
        where = f"{_WAIT} AND {self._between} AND {self.todo(but_failed=but_failed)}"
        return self._changing(self._update(where))

    @property
    def first(self) -> str:
        """The first statement of a batch without a state: its change, or the rows for `fill`."""
        if self.backfill.is_python:
            return self.read(but_failed=False)
        return self.batch(but_failed=False, saves=False)

    @property
    def save(self) -> str:
        """Keep that the walk came to $1 in the range $2, after $3 rows, and changed none."""
        return self._saved("0", "0", "$1", "$2", "$3")

    def read(self, *, but_failed: bool) -> str:
        """The rows of a batch for `fill`, each with the version that it has in `FOUND_BY`."""
        columns = dict.fromkeys((*self.key.columns, *self.backfill.reads))
        return (
            f"SELECT {', '.join(map(qualified, columns))}, {self._found_by} "  # noqa: S608 - quoted
            f"FROM {self.key.quoted} WHERE {self._between} "
            f"AND {self.todo(but_failed=but_failed)} ORDER BY {self.key.listed}"
        )

    @property
    def values_table(self) -> str:
        """Create the table for the values of `fill`, which each transaction leaves empty."""
        columns = ", ".join(map(qualified, self.values_columns[: -len(FOUND_BY)]))
        return (
            f"CREATE TEMPORARY TABLE {VALUES} ON COMMIT DELETE ROWS AS "  # noqa: S608 - quoted
            f"SELECT {columns}, {self._found_by} FROM {self.key.quoted} LIMIT 0"
        )

    @property
    def values_columns(self) -> tuple[str, ...]:
        """The columns of that table."""
        keys = () if self.key.has_places else self.key.columns
        return (*keys, *self.backfill.writes, *FOUND_BY)

    @property
    def _found_by(self) -> str:
        return f"ctid AS {_PLACE}, xmin AS {_VERSION}, {self._file} AS {_FILE}"

    @property
    def _file(self) -> str:
        # Asked once for a statement, not for each row.
        return f"(SELECT pg_relation_filenode({self.key.oid}))"

    @property
    def write(self) -> str:
        """Write the values of `fill` to the rows that nobody has changed since they were read.

        Its parameters are those of `batch`, and it returns the same.
        """
        return self._write(locks=True)

    @property
    def write_plain(self) -> str:
        """The same without locking the rows first, as `plain`."""
        return self._write(locks=False)

    def _write(self, *, locks: bool) -> str:
        sets = ", ".join(f"{name} = v.{name}" for name in map(qualified, self.backfill.writes))
        table, values = self.key.quoted, f"pg_temp.{VALUES}"
        number = "count(*)"
        if self.key.has_places:
            # VACUUM FULL and CLUSTER give a row another place, and leave its version. A plan that
            # joins by the place alone may read the whole table.
            read = f"SELECT {_PLACE} FROM {values} WHERE {_FILE} = {self._file}"  # noqa: S608 - quoted
            given = f"ANY (ARRAY({read}))"
            same = f"t.ctid = v.{_PLACE} AND t.ctid = {_FOUND if locks else given}"
            locked = f"SELECT {self._places(f'FROM {table} WHERE ctid = {given}')} AS places"
            number = "cardinality(places)"
        else:
            keys = [qualified(name) for name in self.key.columns]
            same = " AND ".join(f"t.{name} = v.{name}" for name in keys)
            same += f" AND {self._between.replace(f'{table}.', 't.')}"
            locked = (
                f"SELECT v.* FROM {table} AS t JOIN {values} AS v ON {same} "  # noqa: S608 - quoted
                f"AND t.xmin = v.{_VERSION} FOR NO KEY UPDATE OF t SKIP LOCKED"
            )
            values = "batch" if locks else values
        where = f"{same} AND t.xmin = v.{_VERSION}"
        statement = f"UPDATE {table} AS t SET {sets} FROM {values} AS v WHERE "  # noqa: S608 - quoted
        if locks:
            return self._changing(statement + where, locked, number)
        return self._changing(f"{statement}{_WAIT} AND {where}")

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

    def any_left(self, *, but_failed: bool = False) -> str:
        """Whether a row lacks the change."""
        todo = self.todo(but_failed=but_failed)
        return f"SELECT EXISTS (SELECT FROM {self.key.quoted} WHERE {todo})"  # noqa: S608 - quoted

    @property
    def _name(self) -> str:
        return literal(self.backfill.name)

    @property
    def _statement(self) -> str:
        if self.backfill.statement:
            return single(self.backfill.statement) or self.backfill.statement
        keys = self.key.listed
        # The planner does not see that the rows of the batch are near to each other.
        rows = f"{self._between} AND ({keys}) IN (SELECT {keys} FROM batch)"  # noqa: S608 - quoted
        if self.key.has_places:
            rows = f"ctid = {_FOUND}"
        return self._update(rows)

    def _update(self, where: str) -> str:
        given = self.backfill.sets.items()
        sets = ", ".join(f"{qualified(name)} = {single(value) or value}" for name, value in given)
        return f"UPDATE {self.key.quoted} SET {sets} WHERE {where}"  # noqa: S608 - quoted

    @property
    def _strength(self) -> str:
        deletes = self._statement.lstrip()[:6].upper() == "DELETE"
        return f"FOR {'UPDATE' if deletes else 'NO KEY UPDATE'} SKIP LOCKED"

    @staticmethod
    def _places(rows: str) -> str:
        return f"ARRAY(SELECT ctid {rows} FOR NO KEY UPDATE SKIP LOCKED)"

    def _changing(
        self, statement: str, locked: str = "", number: str = "", *, saves: bool = True
    ) -> str:
        """Change rows, as `batch`; `locked` gives those that are locked, and `number` their number.

        Without these the rows are locked as they are changed.
        """
        batch = f"batch AS MATERIALIZED ({locked}), " if locked else ""
        changed = (
            f"WITH {batch}changed AS ({statement} RETURNING 1), "  # noqa: S608 - quoted
            "counted AS MATERIALIZED (SELECT count(*) AS n FROM changed)"
        )
        n = "(SELECT n FROM counted)"
        result = f"SELECT {f'(SELECT {number} FROM batch)' if locked else n}, {n}"  # noqa: S608 - as above
        if not saves:
            return f"{changed} {result}, NULL::text[], false"
        skipped = f"greatest($5::bigint - {n}, 0)"
        begins = "coalesce(position, low) IS NOT DISTINCT FROM $1::text[]"
        saved = self._saved(n, skipped, "$2", "$3", "$4", where=begins)
        return (
            f"{changed}, saved AS ({saved}) {result}, (SELECT high FROM saved), "  # noqa: S608 - as above
            f"(SELECT done FROM saved) {_COUNTED}"
        )

    @property
    def _between(self) -> str:
        # Plans are made for the values of the parameters, so the first part vanishes or stays.
        low, high = (self.key.values(f"${n}::text[]") for n in (1, 2))
        return f"($1::text[] IS NULL OR {self.key.row} > {low}) AND {self.key.row} <= {high}"

    def _saved(
        self,
        changed: str,
        skipped: str,
        position: str,
        number: str,
        walked: str,
        *,
        where: str = "true",
    ) -> str:
        """Keep the place of the last row that was walked; a range ends with its own last place."""
        ranges = self.version_table.backfills[1]
        end = f"{self.key.values(f'{position}::text[]')} >= {self.key.values('high')}"
        return (
            f"UPDATE {ranges} SET position = {position}::text[], done = {end}, "  # noqa: S608 - quoted
            f"changed = changed + {changed}, skipped = skipped + {skipped}, "
            f"walked = walked + {walked}::bigint, batches = batches + 1 "
            f"WHERE backfill = {self._name} AND id = {number} AND {where} RETURNING high, done"
        )
