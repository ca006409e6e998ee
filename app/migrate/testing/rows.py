"""Rows made from the catalog, for tables that are to meet the next revision with something in them.

    checks, types, defaults, references -> candidates, a few for each column
    rows by number, one candidate for each column -> those that pass every check -> the table

The server judges: a row of candidates is kept where the table's own conditions hold for it, and
what is unique may say no. Null is a candidate where it may stand, and values come more than once
where they may: a revision has to expect what the schema allows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from app.migrate.proof.catalog.statements import literal, quoted
from app.migrate.review.trace.seed import in_order, references, value
from app.migrate.review.trace.state import STATE, Column, Constraint, Relation, State, read_state

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
_PARTITIONS = """
SELECT count(*) AS leaves,
       -- One without a condition takes every row.
       CASE WHEN bool_and(pg_get_partition_constraintdef(relid) IS NOT NULL)
            THEN string_agg(pg_get_partition_constraintdef(relid), ' OR ') END AS bounds
FROM pg_partition_tree($1::bigint::regclass) WHERE isleaf AND level > 0
"""


async def fill(
    connection: asyncpg.Connection, values: Mapping[str, str], former: State | None = None
) -> tuple[State, dict[str, str]]:
    """Fill every empty table, and every second row of the columns that `former` does not know.

    What comes back is the State, and why a table stayed empty, by its name.
    """
    state = read_state(await connection.fetchval(STATE))
    missing = {}
    for table in in_order(state):
        maker = _Maker(connection, state, table, values)
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.quoted})"):  # noqa: S608 - quoted
            known = former.columns if former else state.columns
            for column in maker.columns:
                if (table.oid, column.number) not in known and not column.required:
                    await maker.add(column)
        elif reason := await maker.make():
            missing[table.label] = reason
    return state, missing


class _Maker:
    """What makes rows for one table."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        state: State,
        table: Relation,
        values: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._state = state
        self._table = table
        self._values = values
        self._all = [c for (oid, _), c in sorted(state.columns.items()) if oid == table.oid]
        # What a row is given; a column that counts by itself makes its own.
        self.columns = [c for c in self._all if not c.generated and not c.identity]
        self._unique = {
            number
            for index in state.indexes.values()
            if index.relation == table.oid and index.unique
            for number in index.columns
        }
        # By column the reference that it is part of; the widest, whose columns belong together.
        found = sorted(references(state, table.oid), key=lambda f: len(f.columns))
        self._references = {number: f for f in found for number in f.columns}

    async def make(self) -> str | None:
        """Put rows into the empty table; else say why there are none."""
        reason = None
        bounds = ""
        if self._table.kind == "p":
            found = await self._connection.fetchrow(_PARTITIONS, self._table.oid)
            if found is None or not found["leaves"]:
                return None  # nothing can lie in it
            bounds = found["bounds"] or ""
        # A constraint that is deferrable knows no ON CONFLICT, and a row without it may be refused.
        for required_only, end in itertools.product((False, True), (" ON CONFLICT DO NOTHING", "")):
            statement = await self._insert(bounds, required_only)
            try:
                async with self._connection.transaction():
                    await self._connection.execute(statement + end)
            except asyncpg.PostgresError as error:
                reason = reason or str(error)
                continue
            if await self._connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {self._table.quoted})"  # noqa: S608 - quoted
            ):
                return None
        return reason or "no row that was tried met its conditions"

    async def add(self, column: Column) -> None:
        """Give every second row a value in a column that came to it; none where none is allowed."""
        for candidate in self._candidates(column, ""):
            statement = (
                f"UPDATE {self._table.quoted} AS given SET {quoted(column.name)} = "  # noqa: S608 - quoted
                f"({candidate})::{column.type} FROM (SELECT tableoid AS leaf, ctid AS place, "
                f"row_number() OVER (ORDER BY tableoid, ctid) AS n FROM {self._table.quoted}) AS r "
                "WHERE given.tableoid = r.leaf AND given.ctid = r.place AND n % 2 = 0"
            )
            if await self._works(statement):
                return

    async def _insert(self, bounds: str, required_only: bool) -> str:
        given, conditions = [], [f"({bounds})"] if bounds else []
        for column in self.columns:
            if required_only and (not column.required or column.default is not None):
                continue
            given.append((column, await self._chosen(column, bounds)))
            if column.required:
                conditions.append(f"{quoted(column.name)} IS NOT NULL")
        if not given:
            return f"INSERT INTO {self._table.quoted} SELECT FROM generate_series(1, {ROWS})"
        known = {column.number for column, _ in given}
        # What is computed needs all that it is computed from.
        computed = [c for c in self._all if c.generated and c.default and not required_only]
        known |= {column.number for column in computed}
        conditions += [
            f"{match[1]} IS NOT FALSE"
            for check in self._checks()
            if set(check.columns) <= known and (match := _CHECK.fullmatch(check.check or ""))
        ]
        conditions += self._found({column.number for column, _ in given})
        names = ", ".join(quoted(column.name) for column, _ in given)
        made = ", ".join(
            f"({chosen})::{column.type} AS {quoted(column.name)}" for column, chosen in given
        )
        more = "".join(f", ({c.default})::{c.type} AS {quoted(c.name)}" for c in computed)
        name = quoted(self._table.name)
        return (
            f"INSERT INTO {self._table.quoted} ({names}) SELECT {names} FROM "  # noqa: S608 - quoted
            f"(SELECT {name}.*{more} FROM (SELECT {made} FROM generate_series(1::bigint, {TRIES}) "
            f"AS tries(i)) AS {name}) AS {name} "
            f"WHERE {' AND '.join(conditions) or 'true'} LIMIT {ROWS}"
        )

    async def _chosen(self, column: Column, bounds: str) -> str:
        """One of the column's candidates, by the number of the row."""
        candidates = [c for c in self._candidates(column, bounds) if await self._fits(column, c)]
        number = "i" if column.number in self._unique else "1 + i % 7"
        cases = " ".join(
            f"WHEN {place} THEN ({candidate})::{column.type}"
            for place, candidate in enumerate(candidates)
        )
        # Of each column another one: what columns say together comes in every mixture.
        choice = f"(hashint8(i * 64 + {column.number}) & 2147483647) % {max(len(candidates), 1)}"
        return (
            f"SELECT CASE {choice} {cases} END FROM (SELECT {number} AS n) AS numbered"  # noqa: S608 - quoted
            if cases
            else "NULL"
        )

    async def _fits(self, column: Column, candidate: str) -> bool:
        """Whether the candidate is a value of the column's type."""
        return await self._works(
            f"SELECT ({candidate})::{column.type} FROM (SELECT 1::bigint AS n) AS r"  # noqa: S608 - made here
        )

    async def _works(self, statement: str) -> bool:
        try:
            async with self._connection.transaction():
                await self._connection.execute(statement)
        except asyncpg.PostgresError:
            return False
        return True

    def _candidates(self, column: Column, bounds: str) -> Sequence[str]:
        told = self._values.get(f"{self._table.label}.{column.name}")
        if told is not None:
            return [told]
        if column.default is not None and "nextval(" in column.default:
            return [column.default]
        optional = [] if column.required else ["NULL"]
        if column.number in self._references:
            return [self._referred(self._references[column.number], column), *optional]
        labels = [
            each.label for each in self._state.labels.values() if each.type == column.type_oid
        ]
        if labels:
            return [*map(literal, labels), *optional]
        checks = [check for check in self._checks() if column.number in check.columns]
        checks += [c for c in self._state.constraints.values() if c.type == column.type_oid]
        texts = [check.check or "" for check in checks]
        if re.search(rf"\b{re.escape(column.name)}\b", bounds):
            texts.append(bounds)
        found = [candidate for text in texts for candidate in _mentioned(text)]
        own = value(self._state, column)
        if column.default is not None:
            found.append(column.default)
        if own != "NULL":
            found.append(own)
        if self._base(column) in _STRINGS and texts:
            found += _SPELLINGS
        return [*dict.fromkeys(found), *optional]

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
