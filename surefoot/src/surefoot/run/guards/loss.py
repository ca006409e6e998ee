"""LossGuard finds the data that a revision has lost, before the revision commits.

It reads no SQL. The catalogs of before and now tell the tables and columns that are gone, the files
that were replaced and the types that changed; the server's counters tell the rows that the
transaction has deleted and updated. docs/limits.md says what is counted, and what is an estimate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from surefoot.catalog.widening import is_widening, needs_no_rewrite
from surefoot.quoting import literal, qualified, quoted
from surefoot.run.guards.past import Past
from surefoot.run.run import Run

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
            SELECT relation FROM pg_locks WHERE granted AND relation IS NOT NULL
            AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()))
        THEN pg_relation_size(c.oid) = 0 ELSE false END AS is_empty, ARRAY[{_COUNTS}] AS counts
    FROM pg_class c WHERE relkind IN ('r', 'm')
    AND (c.oid > 16383 OR c.oid IN ({_LARGE_OBJECTS}, {_PAGES})) OFFSET 0) AS r
WHERE is_ours OR is_empty OR 0 < ANY (counts)
"""  # noqa: S608 - constants
_RELATION = """c.oid::bigint, relkind, nspname, relname, relfilenode::bigint, relnatts,
    greatest(reltuples, pg_stat_get_live_tuples(c.oid))::bigint"""
_COLUMN = """
SELECT json_build_array('column', attrelid::bigint, attnum, attname,
    format_type(atttypid, atttypmod), attgenerated,
    json_build_array(attname, attnotnull, atthasdef, attidentity), ctid::text)
FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid > 16383 AND
"""
# A row with an xmax was changed: by this transaction, or by one that was rolled back.
_BEFORE = f"""
SELECT json_build_array('relation', {_RELATION})
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm', 'c') AND relpersistence <> 't' AND c.oid > 16383
AND (c.xmax <> '0' OR 0 < ANY (ARRAY[{_COUNTS}]) OR c.oid = ANY (ARRAY(
    SELECT attrelid FROM pg_attribute a WHERE a.xmax <> '0')))
UNION ALL {_COLUMN} xmax <> '0'
"""  # noqa: S608 - constants
_NOW = f"""
SELECT json_build_array('relation', {_RELATION}, pg_relation_size(c.oid), pg_table_size(c.oid),
    has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid), ARRAY[{_COUNTS}])
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE c.oid = ANY ({{oids}}) OR c.oid IN ({_LARGE_OBJECTS}, {_PAGES})
UNION ALL {_COLUMN} attrelid = ANY ({{oids}})
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
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def estimate(self) -> str:
        """Its rows, by the server's statistics."""
        known = self.rows > 0
        return f"~{_number(self.rows, 'row')}" if known else "an unknown number of rows"


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


class LossGuard:
    """The guard of each revision of a run, in the transaction of that revision."""

    def __init__(self, run: Run) -> None:
        self._past, self._version_table = Past(run.connection), run.project.version_table
        self._counted: Mapping[int, Sequence[int]] = {}
        # The tables that hold nothing, and those whose rows change with every revision.
        self._left_out: frozenset[int] = frozenset()

    def begin(self) -> None:
        """A revision is about to begin."""
        ours = (self._version_table.quoted, self._version_table.ledger)
        names = ", ".join(f"to_regclass({literal(name)})::oid" for name in ours)
        self._past.begin()
        found = self._past.now(_START.format(ours=names), then=_BEFORE)
        self._left_out = frozenset(
            oid for oid, is_ours, is_empty, _ in found if is_ours or is_empty
        )
        self._counted = {oid: counts for oid, _, _, counts in found}

    def losses(self) -> list[str]:
        """The data that the transaction has lost up to now; `~` marks an estimate."""
        found = self._past.before()
        before = {each[1]: _Relation(*each[1:]) for each in found if each[0] == "relation"}
        relations = [each for each in before.values() if each.oid not in self._left_out]
        oids = f"ARRAY[{', '.join(str(each.oid) for each in relations)}]::oid[]"
        present = self._past.now(_NOW.format(oids=oids))
        if ["uncounted"] in present:
            return ["what it deletes and updates is unknown: track_counts is off"]
        now = {each[1]: _Changed(*each[1:]) for each in present if each[0] == "relation"}
        columns = {
            (each[1], each[2]): _Column(*each[1:]) for each in present if each[0] == "column"
        }
        changed = [_Column(*each[1:]) for each in found if each[0] == "column" and not each[5]]
        losses = [*self._of_large_objects(now)]
        for relation in sorted(relations, key=lambda each: each.label):
            old = [each for each in changed if each.relation == relation.oid]
            new = [each for each in columns.values() if each.relation == relation.oid]
            losses += self._of(relation, now.get(relation.oid), old, new)
        return losses

    def _counts(self, relation: _Changed) -> Sequence[int]:
        """The rows that the transaction has deleted, updated and inserted."""
        before = self._counted.get(relation.oid, (0, 0, 0))
        return [now - then for now, then in zip(relation.counts, before, strict=True)]

    def _of_large_objects(self, now: Mapping[int, _Changed]) -> Iterator[str]:
        gone, _, _ = self._counts(now[_LARGE_OBJECTS])
        deleted, updated, _ = self._counts(now[_PAGES])
        if gone:
            yield _number(gone, "large object")
        elif deleted or updated:
            yield f"{_number(deleted + updated, 'page')} of large objects"

    def _of(
        self,
        relation: _Relation,
        now: _Changed | None,
        changed: Sequence[_Column],
        columns: Sequence[_Column],
    ) -> Iterator[str]:
        """The losses of one relation; `changed` are columns of before, `columns` those of now."""
        name = relation.label
        if relation.kind != "r" or now is None:
            yield from self._gone(relation, now, changed, columns)
            return
        (deleted, updated, inserted), replaced = self._counts(now), now.file != relation.file
        if replaced and self._is_emptied(now, inserted):
            yield f"the rows of {name} ({relation.estimate})"
            return
        if deleted:
            yield f"{_number(deleted, 'row')} of {name}"
        yield from self._gone(relation, now, changed, columns)
        if replaced:
            yield from self._retyped(relation, now, changed, columns)
        if updated and not deleted:
            if now.readable and not replaced and now.total_bytes <= COMPARED_BYTES:
                kept = [c for c in columns if c.number <= relation.columns and not c.generated]
                yield from self._overwritten(now, kept)
            else:
                rows = _number(updated, "updated row")
                yield f"values in {rows} of {name}, which cannot be compared"

    def _gone(
        self,
        relation: _Relation,
        now: _Changed | None,
        changed: Sequence[_Column],
        columns: Sequence[_Column],
    ) -> Iterator[str]:
        """A relation or columns of it that were dropped. A type by itself holds no value."""
        about, numbers = f"({relation.estimate})", {column.number for column in columns}
        if now is None and relation.kind == "r":
            yield f"table {relation.label} {about}"
        elif now is None and relation.kind == "m":
            again = f"SELECT to_json(to_regclass({literal(relation.quoted)}) IS NOT NULL)"
            if self._past.now(again) == [False]:
                yield f"materialized view {relation.label} {about}"
        elif now is not None and relation.kind != "m":
            noun = "column" if relation.kind == "r" else "attribute"
            for column in changed:
                if column.number not in numbers:
                    rows = f" {about}" if relation.kind == "r" else ""
                    yield f"{noun} {relation.label}.{column.name}{rows}"

    def _is_emptied(self, now: _Changed, inserted: int) -> bool:
        """Whether a table with a new file has only rows of the transaction, or none."""
        if not now.bytes or not inserted or not now.readable:
            return not now.bytes or (not now.readable and inserted > 0)
        rows = f"SELECT FROM ONLY {now.quoted} LIMIT {inserted + 1}"
        (kept,) = self._past.now(f"SELECT to_json(count(*)) FROM ({rows}) AS r")  # noqa: S608 - quoted
        return bool(kept == inserted)

    def _retyped(
        self,
        relation: _Relation,
        now: _Changed,
        changed: Sequence[_Column],
        columns: Sequence[_Column],
    ) -> Iterator[str]:
        """The columns of a rewritten table whose values may not be what they were.

        A USING expression leaves no trace, so a type that keeps all values is not enough: where
        all values of the column are alike now, they count.
        """
        later = {column.number: column for column in columns}
        for old in changed:
            new = later.get(old.number, old)
            if old.place == new.place:
                continue
            if old.type == new.type:
                kept = old.properties != new.properties
            else:
                # Another widening is no reason for the rewrite.
                is_reason = not needs_no_rewrite(old.type, new.type)
                kept = is_reason and is_widening(old.type, new.type)
            if not kept or not now.readable or self._are_alike(now, new):
                change = f"{old.type} to {new.type}" if old.type != new.type else "computed again"
                yield f"values of {relation.label}.{old.name} ({change}, {relation.estimate})"

    def _are_alike(self, now: _Changed, column: _Column) -> bool:
        value, rows = f"{quoted(column.name)}::text", f"FROM ONLY {now.quoted}"
        one = f"SELECT {value} {rows} LIMIT 1"
        others = f"SELECT {rows} WHERE {value} IS DISTINCT FROM ({one})"  # noqa: S608 - quoted
        (found,) = self._past.now(f"SELECT to_json(EXISTS ({others}))")
        return not found

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
                    yield f"{_number(gone, 'value')} of {now.label}.{name}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
