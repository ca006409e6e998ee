"""Measuring what a statement does, without the tracer: by hand, on a database of its own.

In a transaction: run it, and ask a second session for the first one's locks. Outside of one: let a
writer stand in the way, then a reader of a partition, and ask another session for the locks
whenever the statement waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from harness.databases import Database, connect
from surefoot.trace.statement import Statement
from surefoot.trace.trace import ZONE

MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
IN_SQL = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
TABLES = """
SELECT c.oid, relfilenode, relkind::text AS kind, relispartition AND relkind = 'r' AS part,
       CASE nspname WHEN 'public' THEN relname ELSE nspname || '.' || relname END AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind NOT IN ('i', 'I') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
"""
SCANS = "SELECT relid, seq_scan FROM pg_stat_xact_all_tables"
LOCKS = "SELECT relation, mode, granted FROM pg_locks WHERE pid = $1 AND locktype = 'relation'"
WAITS = "SELECT l::text FROM pg_locks l WHERE pid = $1 AND NOT granted"


@dataclass(frozen=True)
class Measured:
    """The effects of one statement on the tables that were there before its revision."""

    # The strongest lock on each after it, which its transaction still holds.
    locks: Mapping[str, str]
    rewritten: frozenset[str] = frozenset()
    scanned: frozenset[str] = frozenset()


async def measured(database: Database, statements: Sequence[Statement]) -> list[Measured]:
    """The effects of each statement that was not refused, one transaction a revision."""
    session, looker = await connect(database.url), await connect(database.url)
    found: list[Measured] = []
    revision, there = None, dict[int, str]()
    try:
        await session.execute(f"SET timezone TO '{ZONE}'")
        for statement in statements:
            if statement.revision != revision:
                if session.is_in_transaction():
                    await session.execute("COMMIT")
                revision = statement.revision
                there = {row["oid"]: row["name"] for row in await session.fetch(TABLES)}
                if statement.transactional:
                    await session.execute("BEGIN")
            if statement.error:
                await _refused(session, statement)
                break
            if statement.transactional:
                found.append(await _inside(session, looker, statement.sql, there))
            else:
                found.append(await _outside(session, looker, database, statement.sql, there))
    finally:
        await session.close()
        await looker.close()
    return found


def traced(statement: Statement) -> Measured:
    """The same, as the tracer says it."""
    locks = {
        name: mode
        for name, mode in strongest_of(statement.held, statement.locks).items()
        if name not in statement.tables
    }
    if not statement.transactional:
        return Measured(locks)
    return Measured(locks, statement.rewrites | statement.emptied, statement.scans)


async def _inside(
    session: asyncpg.Connection, looker: asyncpg.Connection, sql: str, there: Mapping[int, str]
) -> Measured:
    before = {row["oid"]: row for row in await session.fetch(TABLES)}
    scans = {row["relid"]: row["seq_scan"] for row in await session.fetch(SCANS)}
    await session.execute(sql)
    scanned = {oid for oid, n in await session.fetch(SCANS) if n > scans.get(oid, 0)}
    after = {row["oid"]: row for row in await session.fetch(TABLES)}
    names = {oid: row["name"] for oid, row in before.items() if oid in there}
    made = {row["name"] for row in after.values() if row["kind"] != "S"}
    # Who asks for a table that was dropped, and is made again, waits too.
    again = {oid: name for oid, name in there.items() if oid not in before and name in made}
    return Measured(
        await _locks(looker, session.get_server_pid(), {**names, **again}),
        frozenset(
            name
            for oid, name in names.items()
            if oid in after
            and before[oid]["kind"] != "S"  # a sequence is one row
            and after[oid]["relfilenode"] != before[oid]["relfilenode"]
        ),
        frozenset(name for oid, name in names.items() if oid in scanned),
    )


async def _outside(
    session: asyncpg.Connection,
    looker: asyncpg.Connection,
    database: Database,
    sql: str,
    there: Mapping[int, str],
) -> Measured:
    tables = await session.fetch(TABLES)
    names = {row["oid"]: row["name"] for row in tables if row["oid"] in there}
    ours = [row for row in tables if row["kind"] in "rp" and not row["name"].startswith("alembic")]
    pid = session.get_server_pid()
    seen: list[Mapping[str, str]] = []
    writer, reader = await connect(database.url), await connect(database.url)
    try:
        for gate in (writer, reader):
            await gate.execute("BEGIN")
        for table in ours:
            await writer.execute(f"DELETE FROM {table['name']} WHERE false")
            if table["part"]:
                await reader.execute(f"SELECT FROM {table['name']} LIMIT 0")
        running = asyncio.ensure_future(session.execute(sql))
        former = ""
        for gate in (writer, reader):
            waits = ""
            while not running.done() and waits in ("", former):
                waits = await looker.fetchval(WAITS, pid) or ""
                await asyncio.sleep(0.002)
            former = waits
            seen.append(await _locks(looker, pid, names))
            await gate.execute("ROLLBACK")
        await running
    finally:
        await writer.close()
        await reader.close()
    return Measured(strongest_of(*seen))


def strongest_of(*locks: Mapping[str, str]) -> Mapping[str, str]:
    """The strongest lock on each table."""
    found: dict[str, str] = {}
    for name, mode in (pair for each in locks for pair in each.items()):
        found[name] = max(found.get(name, mode), mode, key=IN_SQL.index)
    return found


async def _locks(
    looker: asyncpg.Connection, pid: int, names: Mapping[int, str]
) -> Mapping[str, str]:
    strongest: dict[str, int] = {}
    for row in await looker.fetch(LOCKS, pid):
        if row["relation"] in names:
            name = names[row["relation"]]
            strongest[name] = max(strongest.get(name, 0), MODES.index(row["mode"]))
    return {name: IN_SQL[strength] for name, strength in strongest.items()}


async def _refused(session: asyncpg.Connection, statement: Statement) -> None:
    """On failure: AssertionError, where the server lets it pass."""
    with pytest.raises(asyncpg.PostgresError) as refused:
        await session.execute(statement.sql)
    assert refused.value.sqlstate == statement.error
