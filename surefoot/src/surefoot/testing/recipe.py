"""How rows are made for a table: what its columns may hold, and the statement that tries it.

Nothing here asks the server, so what a candidate is worth is not known yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from surefoot.quoting import literal, quoted
from surefoot.trace.seed import references, value
from surefoot.trace.state import Column, Constraint, Relation, State

ROWS = 20
# Rows of candidates that are looked at for these.
TRIES = 4000
_STRINGS = ("text", "character varying", "character", "citext")
_SPELLINGS = (
    "'text ' || n",
    "'t' || n",
    "encode(sha256(n::text::bytea), 'hex')",
    "n::text",
    "'/' || n",
    "'T' || n",
    "'t' || n || '@example.org'",
    "md5(n::text)::uuid::text",
)
_CHECK = re.compile(r"CHECK (\(.*\))(?: NO INHERIT)?(?: NOT VALID)?(?: NOT ENFORCED)?", re.DOTALL)
_TEXT = re.compile(r"(?<!~~ )'((?:[^']|'')*)'")
_PREFIX = re.compile(r"(?<!!)~~ '([^'%_]+)%'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.'])")


class Recipe:
    """One table of a State, with the conditions that its rows keep.

    `values` says what columns hold, by `table.column`; `bounds` is what its partitions take, where
    it has some.
    """

    def __init__(
        self, state: State, table: Relation, values: Mapping[str, str], bounds: str = ""
    ) -> None:
        self._state = state
        self._table = table
        self._values = values
        self._bounds = bounds
        self._all = [c for (oid, _), c in sorted(state.columns.items()) if oid == table.oid]
        # What a row is given; a column that counts by itself makes its own.
        self.columns = [c for c in self._all if not c.generated and not c.identity]
        self._by_row = {
            number
            for index in state.indexes.values()
            if index.relation == table.oid and index.unique
            for number in index.columns
        }
        # By column the reference that it is part of; the widest, whose columns belong together.
        found = sorted(references(state, table.oid), key=lambda f: len(f.columns))
        self._references = {number: f for f in found for number in f.columns}
        # Counted by row: what is unique, and what has to name one row together.
        self._by_row.update(number for f in found if len(f.columns) > 1 for number in f.columns)

    def told(self, column: Column) -> str | None:
        """What somebody said that the column holds."""
        return self._values.get(f"{self._table.label}.{column.name}")

    def candidates(self, column: Column) -> Sequence[str]:
        """What the column may hold as far as type, default, checks and references tell."""
        if (told := self.told(column)) is not None:
            return [told]
        if column.default is not None and "nextval(" in column.default:
            return [column.default]
        optional = [] if column.required else ["NULL"]
        if column.number in self._references:
            return [self._referred(self._references[column.number], column), *optional]
        labels = [x.label for x in self._state.labels.values() if x.type == column.type_oid]
        if labels:
            return [*map(literal, labels), *optional]
        conditions = self._conditions(column)
        found = [each for condition in conditions for each in _mentioned(condition)]
        if column.default is not None:
            found.append(column.default)
        if (own := value(self._state, column)) != "NULL":
            found.append(own)
        if conditions and self._base(column) in _STRINGS:
            found += _SPELLINGS
        return [*dict.fromkeys(found), *optional]

    def insert(self, given: Mapping[Column, Sequence[str]]) -> str:
        """The statement that tries rows of these candidates and puts in those that fit."""
        numbers = {column.number for column in given}
        # What is computed is known where all that it may be computed from is.
        complete = len(given) == len(self.columns)
        computed = [c for c in self._all if c.generated and c.default] if complete else []
        conditions = [f"({self._bounds})"] if self._bounds else []
        conditions += [f"{quoted(c.name)} IS NOT NULL" for c in given if c.required]
        known = numbers | {column.number for column in computed}
        conditions += [
            f"{match[1]} IS NOT FALSE"
            for check in self._checks()
            if set(check.columns) <= known and (match := _CHECK.fullmatch(check.check or ""))
        ]
        conditions += self._found(numbers)
        own = quoted(self._table.name)
        names = ", ".join(quoted(column.name) for column in given)
        made = ", ".join(
            f"({self._chosen(column, candidates)})::{column.type} AS {quoted(column.name)}"
            for column, candidates in given.items()
        )
        more = "".join(f", ({c.default})::{c.type} AS {quoted(c.name)}" for c in computed)
        return (
            f"INSERT INTO {self._table.quoted} ({names}) SELECT {names} FROM "  # noqa: S608 - quoted
            f"(SELECT {own}.*{more} FROM (SELECT {made} FROM generate_series(1::bigint, {TRIES}) "
            f"AS tries(i)) AS {own}) AS {own} "
            f"WHERE {' AND '.join(conditions) or 'true'} LIMIT {ROWS}"
        )

    def add(self, column: Column, candidate: str) -> str:
        """The statement that gives every second row of the table a value in the column."""
        return (
            f"UPDATE {self._table.quoted} AS given SET {quoted(column.name)} = "  # noqa: S608 - quoted
            f"({candidate})::{column.type} FROM (SELECT tableoid AS leaf, ctid AS place, "
            f"row_number() OVER (ORDER BY tableoid, ctid) AS n FROM {self._table.quoted}) AS r "
            "WHERE given.tableoid = r.leaf AND given.ctid = r.place AND n % 2 = 0"
        )

    def _chosen(self, column: Column, candidates: Sequence[str]) -> str:
        """One of the candidates, by the number of the row."""
        if not candidates:
            return "NULL"
        cases = " ".join(
            f"WHEN {place} THEN ({candidate})::{column.type}"
            for place, candidate in enumerate(candidates)
        )
        # Of each column another one: what columns say together comes in every mixture.
        choice = f"(hashint8(i * 64 + {column.number}) & 2147483647) % {len(candidates)}"
        number = "i" if column.number in self._by_row else f"1 + i % {ROWS // 3}"
        return f"SELECT CASE {choice} {cases} END FROM (SELECT {number} AS n) AS numbered"  # noqa: S608 - quoted

    def _conditions(self, column: Column) -> Sequence[str]:
        """Those that speak of the column: checks of its own, of its type, and its partitions."""
        found = [
            constraint.check or ""
            for constraint in self._state.constraints.values()
            if constraint.kind == "c"
            and (
                constraint.type == column.type_oid
                or (constraint.relation == self._table.oid and column.number in constraint.columns)
            )
        ]
        if re.search(rf"\b{re.escape(column.name)}\b", self._bounds):
            found.append(self._bounds)
        return found

    def _base(self, column: Column) -> str:
        named = self._state.types.get(column.type_oid)
        return (named.base if named and named.base else column.type).partition("(")[0]

    def _checks(self) -> Iterator[Constraint]:
        for constraint in self._state.constraints.values():
            if constraint.kind == "c" and constraint.relation == self._table.oid:
                yield constraint

    def _target(self, reference: Constraint) -> tuple[Relation, Sequence[str]] | None:
        """The table that is referred to, and the columns of its key in the reference's order."""
        index = self._state.indexes.get(reference.index)
        target = self._state.relations.get(reference.references)
        if index is None or target is None:
            return None
        key = index.columns[: len(reference.columns)]
        return target, [quoted(self._state.columns[target.oid, n].name) for n in key]

    def _referred(self, reference: Constraint, column: Column) -> str:
        """A key of the table that is referred to; for all columns of the reference the same row."""
        found = self._target(reference)
        if found is None:
            return "NULL"
        target, key = found
        name = key[reference.columns.index(column.number)]
        return (
            f"(ARRAY(SELECT {name} FROM {target.quoted} ORDER BY {', '.join(key)}))"  # noqa: S608 - quoted
            f"[(1 + n % greatest((SELECT count(*) FROM {target.quoted}), 1))::integer]"
        )

    def _found(self, given: set[int]) -> Iterator[str]:
        """Conditions: what a reference names is there."""
        for reference in references(self._state, self._table.oid):
            target = self._target(reference)
            if target is None or not set(reference.columns) <= given:
                continue
            names = [
                quoted(self._state.columns[self._table.oid, n].name) for n in reference.columns
            ]
            own = quoted(self._table.name)
            pairs = zip(target[1], names, strict=True)
            equal = " AND ".join(f"referred.{key} = {own}.{name}" for key, name in pairs)
            null = " OR ".join(f"{own}.{name} IS NULL" for name in names)
            yield f"({null} OR EXISTS (SELECT FROM {target[0].quoted} AS referred WHERE {equal}))"


def _mentioned(condition: str) -> Iterator[str]:
    """What a condition names: how a text begins, a text, a number and its neighbours."""
    for prefix in _PREFIX.findall(condition):
        yield f"'{prefix}' || n"
    for text in _TEXT.findall(condition):
        yield f"'{text}'"
    for number in _NUMBER.findall(condition):
        yield from (number, f"{number} + 1", f"{number} - 1", f"{number} + 0.5")
