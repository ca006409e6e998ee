"""TargetPlans are the target's own plans of the data statements of a revision.

Sample rows do not meet the conditions that rows of the target meet. The target plans each statement
with EXPLAIN, in a read-only transaction of its own with timeouts, and runs none of them: planning
computes constants with stable and immutable functions, never with volatile ones.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from surefoot.connect.database import Database
from surefoot.connect.failures import describe
from surefoot.planning.foreign_keys import ForeignKey, read_foreign_keys, taken_along
from surefoot.planning.statistics import Statistics
from surefoot.quoting import label, label_sql
from surefoot.trace.expected_rows import ExpectedRows
from surefoot.trace.statement import Statement

# Of one statement, and of all together.
STATEMENT_S, LONGEST_S = 5, 30.0
_COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*"
_PLANNED = re.compile(
    rf"{_COMMENTS}(?:WITH|INSERT|UPDATE|DELETE|MERGE|SELECT)\b", re.IGNORECASE | re.DOTALL
)
_HIDES = re.compile(rf"{_COMMENTS}(?:DO|CALL|EXECUTE)\b", re.IGNORECASE | re.DOTALL)
_WRITING = ("insert", "update", "delete", "merge")
_EVENTS = {"merge": _WRITING[:3]}
# Row triggers, by the actions that they run at, in the order of _WRITING: the bits of tgtype.
_TRIGGERS = f"""
SELECT {label_sql("nspname", "relname")}, tgname::text,
    tgtype & 4 > 0, tgtype & 16 > 0, tgtype & 8 > 0
FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 1 = 1 ORDER BY 1, 2
"""  # noqa: S608 - constants


async def with_expected_rows(
    database: Database, statements: Sequence[Statement], statistics: Statistics
) -> tuple[Statement, ...]:
    """The statements, with the rows that they are expected to reach, or why that is not seen.

    On failure: the errors of connecting.
    """
    if not any(_is_planned(each) or _HIDES.match(each.sql) for each in statements):
        return tuple(statements)
    connection = await database.connect("observe")
    try:
        plans = TargetPlans(connection, statistics, database.limits.read_wait_s)
        await plans.prepare()
        return tuple([await plans.seen(statement) for statement in statements])
    finally:
        await connection.close()


def _is_planned(statement: Statement) -> bool:
    """Whether it reads or writes rows of a table that was there before its revision."""
    locks = {*statement.locks, *statement.held}
    return bool(locks) and not statement.error and bool(_PLANNED.match(statement.sql))


class TargetPlans:
    """Asks one session of the target."""

    def __init__(
        self, connection: asyncpg.Connection, statistics: Statistics, wait_s: float
    ) -> None:
        self._connection, self._statistics, self._wait_s = connection, statistics, wait_s
        self._keys: Sequence[ForeignKey] = ()
        self._triggers: Sequence[tuple[Any, ...]] = ()
        # By SQL and parameters: the plan, or why there is none.
        self._known: dict[tuple[str, str], Any] = {}
        self._until_s = time.monotonic() + LONGEST_S

    async def prepare(self) -> None:
        """Read what the plans do not show: foreign keys and triggers."""
        named = self._statistics.label
        self._keys = await read_foreign_keys(self._connection, named)
        self._triggers = [
            (named(table), *rest) for table, *rest in await self._connection.fetch(_TRIGGERS)
        ]

    async def seen(self, statement: Statement) -> Statement:
        """The statement, with the rows that it is expected to reach, or why that is not seen."""
        if _HIDES.match(statement.sql):
            return replace(statement, not_seen="a block or a procedure hides its statements")
        if not _is_planned(statement):
            return statement
        question = (statement.sql, repr(statement.parameters))
        if question not in self._known:
            self._known[question] = await self._plan(statement)
        plan = self._known[question]
        if isinstance(plan, str):
            return replace(statement, not_seen=plan)
        found: list[ExpectedRows] = []
        for each in _reached(plan, self._statistics):
            if any((e.table, e.rows, e.by) == (each.table, each.rows, each.by) for e in found):
                # A change of these rows, which it reads by itself.
                continue
            # Of a message with many parameters, the first were planned.
            times = statement.times if each.action in _WRITING else 1
            found.append(rows := replace(each, rows=each.rows * times))
            if rows.action == "delete":
                found.extend(taken_along(rows, self._keys, self._statistics))
        not_seen = "; ".join(dict.fromkeys(self._beside(statement, found)))
        return replace(statement, expected=tuple(found), not_seen=not_seen)

    async def _plan(self, statement: Statement) -> Any:
        """The target's plan, or why it has none."""
        if time.monotonic() > self._until_s:
            return "there are too many statements to plan"
        try:
            async with self._connection.transaction(readonly=True):
                await self._connection.execute(
                    f"SET LOCAL statement_timeout = '{STATEMENT_S}s'; "
                    f"SET LOCAL lock_timeout = {self._wait_s * 1000:.0f}"
                )
                # Prepared, so that the server refuses several statements.
                query = f"EXPLAIN (VERBOSE, FORMAT JSON) {statement.sql}"
                found = await self._connection.fetchval(query, *statement.parameters)
                return json.loads(found)[0]["Plan"]
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            return describe(error)

    def _beside(self, statement: Statement, found: Sequence[ExpectedRows]) -> Iterator[str]:
        """The work that the plan of a statement does not show."""
        for table, work in sorted(statement.activity.items()):
            written = work.inserted or work.updated or work.deleted
            if written and not any(statement.within(f.table, frozenset({table})) for f in found):
                yield f"a function or a trigger changes rows of {table}"
        for each in found:
            events = _EVENTS.get(each.action, (each.action,))
            for table, name, *at in self._triggers:
                runs = {e for e, is_at in zip(_EVENTS["merge"], at, strict=True) if is_at}
                if table == each.table and each.rows and not runs.isdisjoint(events):
                    yield f"trigger {name} runs for each row of {table}"


def _reached(
    node: Mapping[str, Any], statistics: Statistics, action: str = "read"
) -> Iterator[ExpectedRows]:
    """The rows that a node of a plan, and those below it, change, lock and read."""
    parts: Sequence[Mapping[str, Any]] = node.get("Plans", ())
    table = statistics.label(label(node.get("Schema", ""), node.get("Relation Name", "")))
    if node["Node Type"] == "ModifyTable":
        sources = [p for p in parts if p["Parent Relationship"] in ("Outer", "Member")]
        rows = sum(round(part["Plan Rows"]) for part in sources)
        by = " and ".join(dict.fromkeys(filter(None, map(_way, sources)))) or "its values"
        yield ExpectedRows(table, node["Operation"].lower(), rows, by)
    elif "Relation Name" in node:
        rows = round(node["Plan Rows"])
        if node["Node Type"] == "Seq Scan" and table in statistics.tables:
            rows = max(rows, statistics.tables[table].rows)
        yield ExpectedRows(table, action, rows, _way(node))
    if node["Node Type"] == "LockRows":
        action = "lock"
    for part in parts:
        yield from _reached(part, statistics, action)


def _way(node: Mapping[str, Any]) -> str:
    """How a node, or the first below it, finds its rows."""
    parts = node.get("Plans", ())
    if name := node.get("Index Name"):
        return f"{node['Node Type']} using {name}"
    if "Relation Name" in node and not parts:
        return f"{node['Node Type']} on {node['Relation Name']}"
    return next(filter(None, map(_way, parts)), "")
