"""Measuring what a statement does, without the tracer: by hand, on a database of its own.

In a transaction: run it, and ask a second session for the first one's locks. Outside of one: let a
writer stand in the way, and ask a third session for the locks once the statement waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from app.migrate.review.trace import ZONE
from app.migrate.review.trace.statement import Statement
from tests.support.databases import Database, connect

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
SELECT c.oid, relfilenode, relkind::text AS kind,
       CASE nspname WHEN 'public' THEN relname ELSE nspname || '.' || relname END AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind NOT IN ('i', 'I') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
"""
SCANS = "SELECT relid, seq_scan FROM pg_stat_xact_all_tables"
LOCKS = "SELECT relation, mode, granted FROM pg_locks WHERE pid = $1 AND locktype = 'relation'"
WAITS = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"


@dataclass(frozen=True)
class Measured:
    """What one statement did to the tables that were there before its revision."""

    # The strongest lock on each after it, which its transaction still holds.
    locks: Mapping[str, str]
    rewritten: frozenset[str] = frozenset()
    scanned: frozenset[str] = frozenset()


async def measured(database: Database, statements: Sequence[Statement]) -> list[Measured]:
    """What each of the statements did that were not refused, one transaction a revision."""
    session, looker = await connect(database.url), await connect(database.url)
    found: list[Measured] = []
    revision, there = None, frozenset[int]()
    try:
        await session.execute(f"SET timezone TO '{ZONE}'")
        for statement in statements:
            if statement.revision != revision:
                if session.is_in_transaction():
                    await session.execute("COMMIT")
                revision = statement.revision
                there = frozenset(row["oid"] for row in await session.fetch(TABLES))
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
    names = {*statement.held, *statement.locks} - set(statement.tables)
    locks = {
        name: max(
            (m for m in (statement.held.get(name), statement.locks.get(name)) if m),
            key=IN_SQL.index,
        )
        for name in names
    }
    if not statement.transactional:
        return Measured(locks)
    return Measured(locks, statement.rewrites, statement.scans)


async def _inside(
    session: asyncpg.Connection, looker: asyncpg.Connection, sql: str, there: frozenset[int]
) -> Measured:
    before = {row["oid"]: row for row in await session.fetch(TABLES)}
    scans = {row["relid"]: row["seq_scan"] for row in await session.fetch(SCANS)}
    await session.execute(sql)
    scanned = {oid for oid, n in await session.fetch(SCANS) if n > scans.get(oid, 0)}
    after = {row["oid"]: row for row in await session.fetch(TABLES)}
    names = {oid: row["name"] for oid, row in before.items() if oid in there}
    return Measured(
        await _locks(looker, session.get_server_pid(), names),
        frozenset(
            name
            for oid, name in names.items()
            if oid in after and after[oid]["relfilenode"] != before[oid]["relfilenode"]
        ),
        frozenset(name for oid, name in names.items() if oid in scanned),
    )


async def _outside(
    session: asyncpg.Connection,
    looker: asyncpg.Connection,
    database: Database,
    sql: str,
    there: frozenset[int],
) -> Measured:
    tables = await session.fetch(TABLES)
    writer = await connect(database.url)
    try:
        await writer.execute("BEGIN")
        for table in tables:
            if table["kind"] in "rp" and not table["name"].startswith("alembic"):
                await writer.execute(f"DELETE FROM {table['name']} WHERE false")
        running = asyncio.ensure_future(session.execute(sql))
        pid = session.get_server_pid()
        while not running.done() and not await looker.fetchval(WAITS, pid):
            await asyncio.sleep(0.002)
        names = {row["oid"]: row["name"] for row in tables if row["oid"] in there}
        locks = await _locks(looker, pid, names)
        await writer.execute("ROLLBACK")
        await running
    finally:
        await writer.close()
    return Measured(locks)


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
