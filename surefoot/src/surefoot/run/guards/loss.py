"""LossGuard finds the data that a revision has lost, before the revision commits.

It reads no SQL. The server counts the rows that a transaction deletes and updates, also those of
its catalogs; where it counted nothing, nothing is lost and nothing else is asked. Otherwise the
catalogs of before and now tell the tables and columns that are gone, the files that were replaced
and the types that changed. docs/limits.md says what is counted, and what is an estimate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
# A row for the table 0: the server does not count.
_COUNTERS = """
SELECT * FROM (
    SELECT oid::bigint, pg_stat_get_xact_tuples_deleted(oid) AS deleted,
        pg_stat_get_xact_tuples_updated(oid) AS updated,
        pg_stat_get_xact_tuples_inserted(oid) AS inserted
    FROM pg_class WHERE relkind = 'r') AS counted
WHERE deleted + updated + inserted > 0
UNION ALL SELECT 0, 1, 0, 0 WHERE current_setting('track_counts') = 'off'
"""
# The tables whose file is empty. To read the size of a table that somebody has locked is to wait.
_EMPTY = """
SELECT oid::bigint FROM (
    SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND pg_stat_get_live_tuples(oid) = 0
    AND oid <> ALL (ARRAY(SELECT relation FROM pg_locks WHERE granted AND relation IS NOT NULL
        AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid())) OFFSET 0) AS unlocked
WHERE pg_relation_size(oid) = 0
"""
_RELATIONS = """
SELECT json_build_array(c.oid::bigint, relkind, nspname, relname, relfilenode::bigint,
    greatest(reltuples, pg_stat_get_live_tuples(c.oid))::bigint)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm', 'c') AND relpersistence <> 't' AND c.oid > 16383
AND (c.oid = ANY ({oids}){or_changed})
"""
# A transaction has marked the row as changed: this one, or one that was rolled back.
_OR_CHANGED = """ OR c.xmax::text <> '0'
    OR c.oid = ANY (ARRAY(SELECT attrelid FROM pg_attribute a WHERE a.xmax::text <> '0'))"""
_COLUMNS = """
SELECT json_build_array(attrelid::bigint, attnum, attname, format_type(atttypid, atttypmod),
    attgenerated, json_build_array(attname, attnotnull, atthasdef, attidentity), ctid::text)
FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid = ANY ({oids})
"""
_STATES = """
SELECT json_build_array(oid::bigint, pg_relation_size(oid), pg_table_size(oid),
    has_table_privilege(oid, 'SELECT') AND NOT row_security_active(oid))
FROM pg_class WHERE relkind = 'r' AND oid = ANY ({oids})
"""
# Two columns with the same sum have the same values.
_SUM = "json_build_array(count({0}), coalesce(sum(hashtextextended({0}::text, 0)), 0))"
_VALUES = """
SELECT json_build_array(hashtextextended({0}::text, 0), count(*)) FROM ONLY {1}
WHERE {0} IS NOT NULL GROUP BY hashtextextended({0}::text, 0)
"""


@dataclass(frozen=True)
class _Relation:
    oid: int
    kind: str
    schema: str
    name: str
    file: int
    rows: int

    @property
    def quoted(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def label(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def estimate(self) -> str:
        """Its rows, as the server's statistics have them."""
        known = self.rows > 0
        return f"~{_number(self.rows, 'row')}" if known else "an unknown number of rows"


@dataclass(frozen=True)
class _Column:
    relation: int
    number: int
    name: str
    type: str
    generated: str
    # A change of its type leaves these alone.
    properties: Sequence[Any]
    # The place of its row in the catalog, which every change moves.
    place: str


@dataclass(frozen=True)
class _State:
    relation: int
    bytes: int
    total_bytes: int
    # Whether the session may read it, and sees all of its rows.
    readable: bool


class LossGuard:
    """The guard of each revision of a run, in the transaction of that revision."""

    def __init__(self, run: Run) -> None:
        self._past, self._version_table = Past(run.connection), run.project.version_table
        self._counted: Mapping[int, Sequence[int]] = {}
        self._empty: frozenset[int] = frozenset()
        # The version table and the ledger, whose rows change with every revision.
        self._ours: frozenset[int] = frozenset()

    def begin(self) -> None:
        """A revision is about to begin."""
        self._past.begin()
        ours = (self._version_table.quoted, self._version_table.ledger)
        names = ", ".join(f"to_regclass({literal(name)})::oid" for name in ours)
        found = f"SELECT oid::bigint FROM pg_class WHERE oid IN ({names})"  # noqa: S608 - literals
        ((empty, ours_),) = self._past.rows(f"SELECT ARRAY({_EMPTY}), ARRAY({found})")
        self._empty, self._ours = frozenset(empty), frozenset(ours_)
        self._counted = self._counters()

    def losses(self) -> list[str]:
        """The data that the transaction has lost up to now; `~` marks an estimate."""
        counted = self._counters()
        if 0 in counted:
            return ["what it deletes and updates is unknown: track_counts is off"]
        changes = {
            oid: [now - then for now, then in zip(counts, before, strict=True)]
            for oid, counts in counted.items()
            if oid not in self._ours and counts != (before := self._counted.get(oid, (0, 0, 0)))
        }
        if not any(deleted or updated for deleted, updated, _ in changes.values()):
            return []
        return [*_of_large_objects(changes), *self._of_relations(changes)]

    def _counters(self) -> Mapping[int, Sequence[int]]:
        return {oid: tuple(counts) for oid, *counts in self._past.rows(_COUNTERS)}

    def _of_relations(self, changes: Mapping[int, Sequence[int]]) -> Iterator[str]:
        asked = _RELATIONS.format(oids=_array(changes), or_changed=_OR_CHANGED)
        relations = [_Relation(*each) for each in self._past.before(asked)]
        oids = _array(each.oid for each in relations if each.oid not in self._empty)
        again = _RELATIONS.format(oids=oids, or_changed="")
        after = {each[0]: _Relation(*each) for each in self._past.now(again)}
        states = {each[0]: _State(*each) for each in self._past.now(_STATES.format(oids=oids))}
        asked = _COLUMNS.format(oids=oids)
        columns = [_Column(*each) for each in self._past.before(asked)]
        later = {(each[0], each[1]): _Column(*each) for each in self._past.now(asked)}
        for relation in sorted(relations, key=lambda each: each.label):
            if relation.oid in self._empty:
                continue
            deleted, updated, inserted = changes.get(relation.oid, (0, 0, 0))
            now, state = after.get(relation.oid), states.get(relation.oid)
            if now is None:
                yield from self._gone(relation)
                continue
            its = [c for c in columns if c.relation == relation.oid and not c.generated]
            replaced = now.file != relation.file
            if state and replaced and self._is_emptied(now, state, inserted):
                yield f"the rows of {relation.label} ({relation.estimate})"
                continue
            if deleted:
                yield f"{_number(deleted, 'row')} of {relation.label}"
            yield from _dropped(relation, its, later)
            pairs = [(c, later[key]) for c in its if (key := (c.relation, c.number)) in later]
            if state and replaced:
                yield from self._retyped(relation, now, state, pairs)
            if state and updated and not deleted:
                compared = state.readable and not replaced and state.total_bytes <= COMPARED_BYTES
                if compared:
                    yield from self._overwritten(now, pairs)
                else:
                    rows = _number(updated, "updated row")
                    yield f"values in {rows} of {relation.label}, which cannot be compared"

    def _gone(self, relation: _Relation) -> Iterator[str]:
        if relation.kind == "r":
            yield f"table {relation.label} ({relation.estimate})"
        elif relation.kind == "m":
            name = literal(relation.quoted)
            ((replaced,),) = self._past.rows(f"SELECT to_regclass({name}) IS NOT NULL")
            if not replaced:
                yield f"materialized view {relation.label} ({relation.estimate})"

    def _is_emptied(self, now: _Relation, state: _State, inserted: int) -> bool:
        """Whether a table with a new file has only rows of the transaction, or none."""
        if not state.bytes or not inserted or not state.readable:
            return not state.bytes or (not state.readable and inserted > 0)
        rows = f"SELECT FROM ONLY {now.quoted} LIMIT {inserted + 1}"
        return self._past.now(f"SELECT count(*) FROM ({rows}) AS r") == [inserted]  # noqa: S608 - quoted

    def _retyped(
        self,
        relation: _Relation,
        now: _Relation,
        state: _State,
        pairs: Sequence[tuple[_Column, _Column]],
    ) -> Iterator[str]:
        """The columns of a rewritten table whose values may not be what they were.

        A USING expression leaves no trace, so a type that keeps all values is not enough: where
        all values of the column are alike now, they count.
        """
        for old, new in pairs:
            if old.place == new.place:
                continue
            if old.type == new.type:
                kept = old.properties != new.properties
            else:
                # Another widening is no reason for the rewrite.
                is_reason = not needs_no_rewrite(old.type, new.type)
                kept = is_reason and is_widening(old.type, new.type)
            if not kept or not state.readable or self._are_alike(now, new):
                change = f"{old.type} to {new.type}" if old.type != new.type else "computed again"
                yield f"values of {relation.label}.{old.name} ({change}, {relation.estimate})"

    def _are_alike(self, now: _Relation, column: _Column) -> bool:
        name, table = quoted(column.name), now.quoted
        other = f"SELECT {name}::text FROM ONLY {table} LIMIT 1"  # noqa: S608 - quoted
        differs = f"SELECT EXISTS (SELECT FROM ONLY {table} WHERE {name}::text IS DISTINCT FROM ({other}))"  # noqa: S608, E501 - quoted
        return not self._past.rows(differs)[0][0]

    def _overwritten(
        self, now: _Relation, pairs: Sequence[tuple[_Column, _Column]]
    ) -> Iterator[str]:
        """The columns of which some values are gone. Rows are not told apart, only their values."""
        for start in range(0, len(pairs), _COMPARED_COLUMNS):
            names = [new.name for _, new in pairs[start : start + _COMPARED_COLUMNS]]
            sums = ", ".join(_SUM.format(quoted(name)) for name in names)
            asked = f"SELECT json_build_array({sums}) FROM ONLY {now.quoted}"  # noqa: S608 - quoted
            (before,), (after,) = self._past.before(asked), self._past.now(asked)
            for name, was, sum_ in zip(names, before, after, strict=True):
                if was in (sum_, [0, 0]):
                    continue
                if was[0] > COMPARED_VALUES:
                    yield f"values of {now.label}.{name}, which are too many to compare"
                    continue
                asked = _VALUES.format(quoted(name), now.quoted)
                left = dict(self._past.now(asked))
                gone = sum(max(0, n - left.get(v, 0)) for v, n in self._past.before(asked))
                if gone:
                    yield f"{_number(gone, 'value')} of {now.label}.{name}"


def _of_large_objects(changes: Mapping[int, Sequence[int]]) -> Iterator[str]:
    gone, (deleted, updated, _) = (changes.get(n, (0, 0, 0)) for n in (_LARGE_OBJECTS, _PAGES))
    if gone[0]:
        yield _number(gone[0], "large object")
    elif deleted or updated:
        yield f"{_number(deleted + updated, 'page')} of large objects"


def _dropped(
    relation: _Relation, columns: Sequence[_Column], later: Mapping[tuple[int, int], _Column]
) -> Iterator[str]:
    noun = "attribute" if relation.kind == "c" else "column"
    rows = "" if relation.kind == "c" else f" ({relation.estimate})"
    for column in columns:
        if (column.relation, column.number) not in later and relation.kind != "m":
            yield f"{noun} {relation.label}.{column.name}{rows}"


def _array(oids: Any) -> str:
    return f"ARRAY[{', '.join(map(str, oids))}]::oid[]"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
