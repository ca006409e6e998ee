"""LossGuard finds the data that a revision has lost, before the revision commits.

It reads no SQL. The catalogs of before and now tell the tables and columns that are gone, the files
that were replaced and the types that changed; the server's counters tell the rows that the
transaction has deleted and updated. docs/limits.md says what is counted, and what is an estimate.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from surefoot.catalog.widening import is_widening, needs_no_rewrite
from surefoot.frozen import dataclass
from surefoot.quoting import label, literal, qualified, quoted
from surefoot.run.guards.guards import refuse_loss
from surefoot.run.guards.past import ANSWER, Past
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run
from surefoot.wording import counted

# After an UPDATE the values of a table up to this size are compared, of a column up to this number.
COMPARED_BYTES = 64 * 1024**2
COMPARED_VALUES = 100_000
# One answer of the past has room for the sums of so many columns.
_COMPARED_COLUMNS = 30
# The catalogs of large objects, and of their pages.
_LARGE_OBJECTS, _PAGES = 2995, 2613
_COUNTS = ", ".join(
    f"pg_stat_get_xact_tuples_{each}(c.oid)" for each in ("deleted", "updated", "inserted")
)
# PostgreSQL counts on until it flushes, so the counts of before are subtracted. A table with an
# empty file has nothing to lose; to read the size of a table that is locked would be to wait.
_START = f"""
SELECT json_build_array(oid, is_ours, is_empty, counts) FROM (
    SELECT c.oid::bigint, c.oid IN ({{ours}}) AS is_ours, CASE
        WHEN pg_stat_get_live_tuples(c.oid) = 0 AND c.oid <> ALL (ARRAY(
            SELECT relation FROM pg_catalog.pg_locks WHERE granted AND relation IS NOT NULL
            AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()))
        THEN pg_relation_size(c.oid) = 0 ELSE false END AS is_empty, ARRAY[{_COUNTS}] AS counts
    FROM pg_catalog.pg_class c WHERE relkind IN ('r', 'm')
    AND (c.oid > 16383 OR c.oid IN ({_LARGE_OBJECTS}, {_PAGES})) OFFSET 0) AS r
WHERE is_ours OR is_empty OR 0 < ANY (counts)
"""  # noqa: S608 - constants
_RELATION = """c.oid::bigint, relkind, nspname, relname, relfilenode::bigint, relnatts,
    greatest(reltuples, pg_stat_get_live_tuples(c.oid))::bigint"""
_COLUMN = """
SELECT json_build_array('column', attrelid::bigint, attnum, attname,
    format_type(atttypid, atttypmod), attgenerated,
    json_build_array(attname, attnotnull, atthasdef, attidentity), ctid::text)
FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid > 16383 AND
"""
# A row with an xmax was changed: by this transaction, or by one that was rolled back.
_BEFORE = f"""
SELECT json_build_array('relation', {_RELATION})
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm', 'c') AND relpersistence <> 't' AND c.oid > 16383
AND (c.xmax <> '0' OR 0 < ANY (ARRAY[{_COUNTS}]) OR c.oid = ANY (ARRAY(
    SELECT attrelid FROM pg_catalog.pg_attribute a WHERE a.xmax <> '0')))
UNION ALL {_COLUMN} xmax <> '0'
"""  # noqa: S608 - constants
# The relations of before.
_KNOWN = f"""
SELECT (row->>1)::oid FROM json_array_elements({ANSWER}::json) AS known (row)
WHERE row->>0 = 'relation' AND (row->>1)::oid <> ALL (ARRAY[{{left_out}}]::oid[])
"""  # noqa: S608 - constants
_NOW = f"""
SELECT json_build_array('relation', {_RELATION}, pg_relation_size(c.oid), pg_table_size(c.oid),
    has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid), ARRAY[{_COUNTS}])
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
WHERE c.oid = ANY (ARRAY({_KNOWN})) OR c.oid IN ({_LARGE_OBJECTS}, {_PAGES})
UNION ALL {_COLUMN} attrelid = ANY (ARRAY({_KNOWN}))
UNION ALL SELECT json_build_array('uncounted') WHERE current_setting('track_counts') = 'off'
"""  # noqa: S608 - constants
# Two columns with the same sum have the same values.
_SUM = "json_build_array(count({0}), coalesce(sum(hashtextextended({0}::text, 0)), 0))"
_VALUES = """
SELECT json_build_array(hashtextextended({0}::text, 0), count(*)) FROM ONLY {1}
WHERE {0} IS NOT NULL GROUP BY hashtextextended({0}::text, 0)
"""


@dataclass(frozen=True)
class _Relation:
    """A table, a materialized view or a composite type."""

    oid: int
    kind: str
    schema: str
    name: str
    file: int
    # The highest number that a column has had.
    columns: int
    rows: int

    @property
    def quoted(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def label(self) -> str:
        return label(self.schema, self.name)

    @property
    def estimate(self) -> str:
        """Its rows, by the server's statistics."""
        known = self.rows > 0
        return f"~{counted(self.rows, 'row')}" if known else "an unknown number of rows"


@dataclass(frozen=True)
class _Changed(_Relation):
    """A relation as the transaction leaves it."""

    bytes: int
    total_bytes: int
    # Whether the session may read it, and sees all of its rows.
    readable: bool
    counts: Sequence[int]


@dataclass(frozen=True)
class _Column:
    relation: int
    number: int
    name: str
    type: str
    generated: str
    # A change of its type leaves these alone.
    properties: Sequence[object]
    # The place of its row in the catalog, which every change moves.
    place: str


# A column of before, and what it is now.
_Pair = tuple[_Column, _Column | None]
_R = TypeVar("_R", bound=_Relation)


class LossGuard:
    """The guard of each revision of a run, in the transaction of that revision."""

    def __init__(self, run: Run) -> None:
        self._run, self._past = run, Past(run.connection)
        self._version_table = run.project.version_table
        self._counted: Mapping[int, Sequence[int]] = {}
        # The tables that hold nothing, and those whose rows change with every revision.
        self._left_out: frozenset[int] = frozenset()

    def begin(self, *settings: str) -> str:
        """A revision is about to begin, with such settings; the id of its transaction."""
        ours = (self._version_table.quoted, self._version_table.ledger)
        names = ", ".join(f"to_regclass({literal(name)})::oid" for name in ours)
        identity, found = self._past.begin(_START.format(ours=names), *settings)
        self._left_out = frozenset(
            oid for oid, is_ours, is_empty, _ in found if is_ours or is_empty
        )
        self._counted = {oid: counts for oid, _, _, counts in found}
        return identity

    def refuse(self, about: PlannedRevision) -> bool:
        """Refuse a revision that has lost data; False where its transaction has ended.

        On failure: DataWouldBeLost, BackupMissing.
        """
        losses = self._losses()
        if losses is not None:
            refuse_loss(self._run, about, losses)
        return losses is not None

    def _losses(self) -> list[str] | None:
        """The data that the transaction has lost up to now; `~` marks an estimate."""
        left_out = ", ".join(map(str, self._left_out))
        past, present = self._past.end(_BEFORE, _NOW.format(left_out=left_out))
        if past is None:
            return None
        before, changed = _read(past, _Relation)
        known = [each for each in before.values() if each.oid not in self._left_out]
        if ["uncounted"] in present:
            return ["what it deletes and updates is unknown: track_counts is off"]
        now, columns = _read(present, _Changed)
        losses = [*self._of_large_objects(now)]
        for relation in sorted(known, key=lambda each: each.label):
            there = columns[relation.oid]
            old = [(each, there.get(number)) for number, each in changed[relation.oid].items()]
            if relation.oid not in now:
                losses += self._dropped(relation)
            elif relation.kind != "m":
                losses += self._of(relation, now[relation.oid], old, [*there.values()])
        return losses

    def _counts(self, relation: _Changed) -> Sequence[int]:
        """The rows that the transaction has deleted, updated and inserted."""
        before = self._counted.get(relation.oid, (0, 0, 0))
        return [now - then for now, then in zip(relation.counts, before, strict=True)]

    def _of_large_objects(self, now: Mapping[int, _Changed]) -> Iterator[str]:
        gone, _, _ = self._counts(now[_LARGE_OBJECTS])
        deleted, updated, _ = self._counts(now[_PAGES])
        if gone:
            yield counted(gone, "large object")
        elif deleted or updated:
            yield f"{counted(deleted + updated, 'page')} of large objects"

    def _dropped(self, relation: _Relation) -> Iterator[str]:
        """A table, or a materialized view that is not created again. A type holds no value."""
        if relation.kind == "r":
            yield f"table {relation.label} ({relation.estimate})"
        elif relation.kind == "m":
            again = f"SELECT to_json(to_regclass({literal(relation.quoted)}) IS NOT NULL)"
            if self._past.now(again) == [False]:
                yield f"materialized view {relation.label} ({relation.estimate})"

    def _of(
        self, was: _Relation, now: _Changed, changed: Sequence[_Pair], columns: Sequence[_Column]
    ) -> Iterator[str]:
        """The losses of a relation that is there; `columns` are those of now."""
        (deleted, updated, inserted), replaced = self._counts(now), now.file != was.file
        if replaced and self._is_emptied(now, inserted):
            yield f"the rows of {was.label} ({was.estimate})"
            return
        if deleted:
            yield f"{counted(deleted, 'row')} of {was.label}"
        for old, new in changed:
            name = f"{was.label}.{old.name}"
            if new is None and old.generated:
                continue  # it has no value of its own
            if new is None:
                is_table = was.kind == "r"
                yield f"column {name} ({was.estimate})" if is_table else f"attribute {name}"
            elif replaced and old.place != new.place and not self._is_kept(now, old, new):
                change = f"{old.type} to {new.type}" if old.type != new.type else "computed again"
                yield f"values of {name} ({change}, {was.estimate})"
        if updated and not deleted:
            if now.readable and not replaced and now.total_bytes <= COMPARED_BYTES:
                kept = [c for c in columns if c.number <= was.columns and not c.generated]
                yield from self._overwritten(now, kept)
            else:
                rows = counted(updated, "updated row")
                yield f"values in {rows} of {was.label}, which cannot be compared"

    def _is_emptied(self, now: _Changed, inserted: int) -> bool:
        """Whether a table with a new file has only rows of the transaction, or none."""
        if not now.bytes or not inserted or not now.readable:
            return not now.bytes or (not now.readable and inserted > 0)
        rows = f"SELECT FROM ONLY {now.quoted} LIMIT {inserted + 1}"
        (kept,) = self._past.now(f"SELECT to_json(count(*)) FROM ({rows}) AS r")  # noqa: S608 - quoted
        return bool(kept == inserted)

    def _is_kept(self, now: _Changed, old: _Column, new: _Column) -> bool:
        """Whether a column of a rewritten table has its values, as far as that can be known.

        A USING expression leaves no trace, so a type that keeps all values is not enough: the
        values must not be all alike.
        """
        if old.type == new.type:
            kept = old.properties != new.properties
        else:
            # Any other widening is no reason for a rewrite.
            kept = is_widening(old.type, new.type) and not needs_no_rewrite(old.type, new.type)
        if not kept or not now.readable:
            return False
        value, rows = f"{quoted(new.name)}::text", f"FROM ONLY {now.quoted}"
        others = f"SELECT {rows} WHERE {value} IS DISTINCT FROM (SELECT {value} {rows} LIMIT 1)"  # noqa: S608 - quoted
        return bool(self._past.now(f"SELECT to_json(EXISTS ({others}))") == [True])

    def _overwritten(self, now: _Changed, columns: Sequence[_Column]) -> Iterator[str]:
        """The columns of which some values are gone. Rows are not told apart, only their values."""
        for start in range(0, len(columns), _COMPARED_COLUMNS):
            names = [column.name for column in columns[start : start + _COMPARED_COLUMNS]]
            sums = ", ".join(_SUM.format(quoted(name)) for name in names)
            asked = f"SELECT json_build_array({sums}) FROM ONLY {now.quoted}"  # noqa: S608 - quoted
            (after,), (before,) = self._past.now(asked, then=asked), self._past.before()
            for name, was, sum_ in zip(names, before, after, strict=True):
                if was in (sum_, [0, 0]):
                    continue
                if was[0] > COMPARED_VALUES:
                    yield f"values of {now.label}.{name}, which are too many to compare"
                    continue
                asked = _VALUES.format(quoted(name), now.quoted)
                left = dict(self._past.now(asked, then=asked))
                gone = sum(max(0, n - left.get(v, 0)) for v, n in self._past.before())
                if gone:
                    yield f"{counted(gone, 'value')} of {now.label}.{name}"


def _read(
    rows: Iterable[Sequence[Any]], kind: type[_R]
) -> tuple[Mapping[int, _R], Mapping[int, Mapping[int, _Column]]]:
    """The relations by oid, and their columns by number; of columns only those with a value."""
    relations, columns = {}, defaultdict[int, dict[int, _Column]](dict)
    for what, *values in rows:
        if what == "relation":
            relations[values[0]] = kind(*values)
        else:
            column = _Column(*values)
            columns[column.relation][column.number] = column
    return relations, columns
