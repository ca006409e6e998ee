"""The statements of a backfill, from its class, the key of its table and the tables of its state.

The parameters of those for a batch are $1, the place after which it begins or NULL, $2, the place
of its last row, and $3, the number of its range. A batch and how far the walk came are one
statement, and so one transaction.
"""

from collections.abc import Sequence

from surefoot.backfill.arrays import Arrays
from surefoot.backfill.definition import Backfill
from surefoot.backfill.key import Key
from surefoot.frozen import dataclass
from surefoot.quoting import literal, qualified, single
from surefoot.version_table import VersionTable

# The rows that a batch has locked, but for a `statement`; a table of theirs may be named batch.
_LOCKED = "surefoot_batch"
# The version of a row for `fill`; whether one lacks the change.
_VERSION, _LACKS = "surefoot_version", "surefoot_lacks"
# So long a batch that changes rows without locking them first waits for one that is locked.
_WAIT = "(SELECT set_config('lock_timeout', '50ms', true)) IS NOT NULL"
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
        rows = f"FROM {self.key.quoted} WHERE {self._between} ORDER BY {self.key.ordered()}"
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
            f"ORDER BY {self.key.ordered()} OFFSET $3 - 1 LIMIT 1"
        )

    def batch(self, *, but_failed: bool, saves: bool = True) -> str:
        """Change the rows after $1, up to and with $2, and keep that the walk came so far.

        $4 is the number of rows walked, and $5 of those among them that lacked the change. It
        returns the rows that were locked, those changed, the end of the range, and whether it is
        done; no range where its walk is not at $1.
        """
        rows = (
            f"FROM {self.key.quoted} WHERE {self._between} "
            f"AND {self.todo(but_failed=but_failed)} ORDER BY {self.key.ordered()}"
        )
        if self.backfill.sets and self.key.has_places:
            # A row is found again by its place, which costs less than a table of keys.
            locked, number = f"SELECT {self._places(rows)} AS places", "cardinality(places)"
        else:
            locked, number = f"SELECT {self.key.listed} {rows} {self._strength}", "count(*)"
        return self._changing(self._statement, locked, number, saves=saves)

    def plain(self, *, but_failed: bool) -> str | None:
        """The same without locking the rows first, which costs less; None where it has no such.

        A row that stays locked for 50 ms ends it with 55P03 (lock_not_available), before the lock
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
        """The rows of a batch for `fill`: an array for each column in `reads`, all in one order.

        Before them the texts of more arrays: of each column of the key, and of the row's versions.
        """
        columns, arrays = ", ".join(map(qualified, self.reads)), self.arrays
        found = [
            *(f"array_agg({arrays.packed(name)})::text" for name in self.key.columns),
            f"array_agg({_VERSION})::text",
        ]
        given = "".join(f", array_agg({arrays.packed(name)})" for name in self.reads)
        return (
            f"SELECT ARRAY[{', '.join(found)}]{given} FROM (SELECT {columns}, xmin AS {_VERSION} "  # noqa: S608 - quoted
            f"FROM {self.key.quoted} WHERE {self._between} "
            f"AND {self.todo(but_failed=but_failed)} ORDER BY {self.key.ordered()}) AS r"
        )

    @property
    def reads(self) -> Sequence[str]:
        """The columns of a row for `fill`."""
        return tuple(dict.fromkeys((*self.key.columns, *self.backfill.reads)))

    @property
    def written(self) -> str:
        """A look at the columns in `writes`."""
        columns = ", ".join(map(qualified, self.backfill.writes))
        return f"SELECT {columns} FROM {self.key.quoted}"  # noqa: S608 - quoted

    @property
    def arrays(self) -> Arrays:
        """How the columns of `fill` are put into arrays."""
        columns = dict.fromkeys((*self.reads, *self.backfill.writes))
        return Arrays(self.key.kinds, tuple(columns))

    def write(self, *, locks: bool) -> str:
        """Write the values of `fill` to the rows that nobody has changed since they were read.

        Its first parameters are those of `batch`, and it returns the same. $6 is the first value of
        `read`, $7 says which rows got a value, or is NULL where all did; then an array for each
        column in `writes`. Without locks it is as `plain`.
        """
        arrays, keys, writes = self.arrays, self.key.columns, self.backfill.writes
        given = [f"($6::text[])[{n}]::{arrays.type_of(name)}" for n, name in enumerate(keys, 1)]
        given += [f"($6::text[])[{len(keys) + 1}]::xid[]", "$7::boolean[]"]
        given += [f"${n}::{arrays.type_of(name)}" for n, name in enumerate(writes, 8)]
        names = [*(f"k{n}" for n in range(len(keys))), "version", "given"]
        names += [f"w{n}" for n in range(len(writes))]
        values = f"unnest({', '.join(given)}) AS v({', '.join(names)})"
        same = "".join(f"t.{qualified(name)} = v.k{n} AND " for n, name in enumerate(keys))
        same += f"t.xmin = v.version AND v.given IS NOT FALSE AND {self._between}"
        same = same.replace(f"{self.key.quoted}.", "t.")
        sets = ", ".join(f"{qualified(name)} = v.w{n}" for n, name in enumerate(writes))
        update = f"UPDATE {self.key.quoted} AS t SET {sets} FROM"  # noqa: S608 - quoted
        if not locks:
            return self._changing(f"{update} {values} WHERE {_WAIT} AND {same}")
        locked = (
            f"SELECT v.* FROM {self.key.quoted} AS t JOIN {values} ON {same} "  # noqa: S608 - quoted
            "FOR NO KEY UPDATE OF t SKIP LOCKED"
        )
        return self._changing(f"{update} {_LOCKED} AS v WHERE {same}", locked, "count(*)")

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
            f"WHERE {self._between} ORDER BY {self.key.ordered()}"
        )

    @property
    def last(self) -> str:
        """The place of the last row."""
        rows = f"FROM {self.key.quoted} ORDER BY {self.key.ordered('DESC')}"
        return f"SELECT {self.key.texts} {rows} LIMIT 1"

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
        rows = f"{self._between} AND ({keys}) IN (SELECT {keys} FROM {_LOCKED})"  # noqa: S608 - quoted
        if self.key.has_places:
            rows = f"ctid = ANY ((SELECT places FROM {_LOCKED})::tid[])"  # noqa: S608 - ours
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
        name = "batch" if self.backfill.statement else _LOCKED
        batch = f"{name} AS MATERIALIZED ({locked}), " if locked else ""
        changed = (
            f"WITH {batch}changed AS ({statement} RETURNING 1), "  # noqa: S608 - quoted
            "counted AS MATERIALIZED (SELECT count(*) AS n FROM changed)"
        )
        n = "(SELECT n FROM counted)"
        result = f"SELECT {f'(SELECT {number} FROM {name})' if locked else n}, {n}"  # noqa: S608 - as above
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
