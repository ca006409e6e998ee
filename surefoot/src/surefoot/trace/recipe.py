"""Recipe makes the SQL that fills one table with sample rows, from a Snapshot alone."""

import re
from collections.abc import Iterator, Mapping, Sequence

from surefoot.quoting import literal, quoted
from surefoot.trace.schema_objects import Column, Constraint, Relation
from surefoot.trace.snapshot import Snapshot
from surefoot.trace.values import SPELLINGS, UNIQUE_SPELLINGS, mentioned, value

_STRINGS = ("text", "character varying", "character", "citext")
_CHECK = re.compile(r"CHECK (\(.*\))(?: NO INHERIT)?(?: NOT VALID)?(?: NOT ENFORCED)?", re.DOTALL)


class Recipe:
    """The sample rows of one table: candidates for each column, and the conditions on a row.

    Plain rows have one value a row in each column, and few nulls. Varied rows have everything
    that the schema allows: nulls, repeated values, every default and every value that a check
    names. `values` fixes columns, by `table.column`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        table: Relation,
        rows: int,
        *,
        varied: bool = False,
        values: Mapping[str, str] | None = None,
    ) -> None:
        self.table = table
        # The condition that the partitions of the table put on a row.
        self.bounds = ""
        self._snapshot = snapshot
        self.rows = rows
        self._varied = varied
        self._values = values or {}
        self._all = snapshot.columns_of(table.oid)
        # PostgreSQL fills the others.
        self.columns = [c for c in self._all if not c.generated and not c.identity]
        # The widest reference of a column: the columns of one key belong together.
        found = sorted(snapshot.references(table.oid), key=lambda f: len(f.columns))
        self._references = {number: f for f in found for number in f.columns}
        # Columns whose values differ by row also in varied rows: unique ones, and those that name
        # one row of another table together.
        self._by_row = {
            number
            for index in snapshot.indexes.values()
            if index.relation == table.oid and index.unique
            for number in index.columns
        }
        self._by_row.update(number for f in found if len(f.columns) > 1 for number in f.columns)

    def fixed(self, column: Column) -> str | None:
        """The value that the caller gave for the column."""
        return self._values.get(f"{self.table.label}.{column.name}")

    def candidates(self, column: Column) -> Sequence[str]:
        """Values that the type, default, checks and references of the column suggest."""
        if (fixed := self.fixed(column)) is not None:
            return [fixed]
        if column.default is not None and "nextval(" in column.default:
            return [column.default]
        optional = ["NULL"] if self._varied and not column.required else []
        if column.number in self._references:
            return [self._referred(self._references[column.number], column), *optional]
        if column.default is not None and not self._varied:
            return [column.default]
        labels = [x.label for x in self._snapshot.labels.values() if x.type == column.type_oid]
        if labels:
            return [*map(literal, labels), *optional]
        conditions = self._conditions(column)
        found = [each for condition in conditions for each in mentioned(condition)]
        if not self._varied:
            # A check that names '' forbids it, and fewer candidates are rejected less often.
            found = [each for each in found if each != "''"]
        domain = self._snapshot.types.get(column.type_oid)
        base = ((domain and domain.base) or column.type).partition("(")[0]
        if conditions and base in _STRINGS:
            if not self._varied and column.number in self._by_row:
                found = [*UNIQUE_SPELLINGS]
            elif self._varied or not found:
                found += SPELLINGS
        if column.default is not None:
            found.append(column.default)
        if (own := value(self._snapshot, column)) is not None:
            found.append(own)
        return [*dict.fromkeys(found), *optional]

    def insert(self, given: Mapping[Column, Sequence[str]]) -> str:
        """INSERT the combinations of these candidates that meet every condition."""
        numbers = {column.number for column in given}
        # A generated column can be computed once every column that it may depend on is given.
        complete = len(given) == len(self.columns)
        computed = [c for c in self._all if c.generated and c.default] if complete else []
        conditions = [f"({self.bounds})"] if self.bounds else []
        conditions += [f"{quoted(c.name)} IS NOT NULL" for c in given if c.required]
        known = numbers | {column.number for column in computed}
        conditions += [
            f"{match[1]} IS NOT FALSE"
            for check in self._snapshot.constraints.values()
            if check.kind == "c"
            and check.relation == self.table.oid
            and set(check.columns) <= known
            and (match := _CHECK.fullmatch(check.check or ""))
        ]
        # The candidates of plain rows are keys of the referenced table.
        conditions += self._found(numbers) if self._varied else ()
        own = quoted(self.table.name)
        names = ", ".join(quoted(column.name) for column in given)
        made = ", ".join(
            f"({self._chosen(column, candidates)})::{column.type} AS {quoted(column.name)}"
            for column, candidates in given.items()
        )
        more = "".join(f", ({c.default})::{c.type} AS {quoted(c.name)}" for c in computed)
        # Plain rows, of few candidates, meet their conditions more often.
        tries = self.rows * (200 if self._varied else 5)
        return (
            f"INSERT INTO {self.table.quoted} {f'({names})' if names else ''} "  # noqa: S608 - quoted
            f"SELECT {names} FROM (SELECT {own}.*{more} FROM (SELECT {made} "
            # OFFSET 0: a value is computed once, not again for each condition on it.
            f"FROM generate_series(1::bigint, {tries}) AS tries(n) OFFSET 0) AS {own}) AS {own} "
            f"WHERE {' AND '.join(conditions) or 'true'} LIMIT {self.rows}"
        )

    def update(self, column: Column, candidate: str) -> str:
        """UPDATE every second row of the table to the candidate."""
        return (
            f"UPDATE {self.table.quoted} AS given SET {quoted(column.name)} = "  # noqa: S608 - quoted
            f"({candidate})::{column.type} FROM (SELECT tableoid AS leaf, ctid AS place, "
            f"row_number() OVER (ORDER BY tableoid, ctid) AS n FROM {self.table.quoted}) AS r "
            "WHERE given.tableoid = r.leaf AND given.ctid = r.place AND n % 2 = 0"
        )

    def _chosen(self, column: Column, candidates: Sequence[str]) -> str:
        """One of the candidates, chosen by the number of the row."""
        if not candidates:
            return "NULL"
        cases = " ".join(
            f"WHEN {place} THEN ({candidate})::{column.type}"
            for place, candidate in enumerate(candidates)
        )
        # A factor of its own for each column mixes the candidates of different columns.
        choice = f"(hashint8(tries.n * 64 + {column.number}) & 2147483647) % {len(candidates)}"
        chosen = f"CASE {choice} {cases} END" if len(candidates) > 1 else candidates[0]
        if not self._varied or column.number in self._by_row:
            return chosen
        number = f"1 + n % {self.rows // 3}"
        return f"SELECT {chosen} FROM (SELECT {number} AS n) AS numbered"  # noqa: S608 - quoted

    def _conditions(self, column: Column) -> Sequence[str]:
        """The conditions on the column: its checks, those of its domain, and partition bounds."""
        found = [
            constraint.check or ""
            for constraint in self._snapshot.constraints.values()
            if constraint.kind == "c"
            and (
                constraint.type == column.type_oid
                or (constraint.relation == self.table.oid and column.number in constraint.columns)
            )
        ]
        if re.search(rf"\b{re.escape(column.name)}\b", self.bounds):
            found.append(self.bounds)
        return found

    def _target(self, reference: Constraint) -> tuple[Relation, Sequence[str]] | None:
        """The referenced table and the columns of its key, in the reference's order."""
        index = self._snapshot.indexes.get(reference.index)
        target = self._snapshot.relations.get(reference.references)
        if index is None or target is None:
            return None
        key = index.columns[: len(reference.columns)]
        return target, [quoted(self._snapshot.columns[target.oid, n].name) for n in key]

    def _referred(self, reference: Constraint, column: Column) -> str:
        """A key of the referenced table; the same row of it for all columns of the reference."""
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
        """A condition for each reference: the referenced row exists."""
        for reference in self._snapshot.references(self.table.oid):
            target = self._target(reference)
            if target is None or not set(reference.columns) <= given:
                continue
            names = [
                quoted(self._snapshot.columns[self.table.oid, n].name) for n in reference.columns
            ]
            own = quoted(self.table.name)
            pairs = zip(target[1], names, strict=True)
            equal = " AND ".join(f"referred.{key} = {own}.{name}" for key, name in pairs)
            null = " OR ".join(f"{own}.{name} IS NULL" for name in names)
            yield f"({null} OR EXISTS (SELECT FROM {target[0].quoted} AS referred WHERE {equal}))"
