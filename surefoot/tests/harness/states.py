"""The states that a run may leave: before or after each revision, and the records that say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from sqlalchemy import Connection, text

from harness.clock import within
from harness.databases import Database, connect, engine
from harness.runs import Chain
from surefoot.catalog import Catalog, difference, snapshot
from surefoot.ledger.table import Ledger, Row, applied, unfinished
from surefoot.run.commands import upgrade
from surefoot.target import Target

LEDGER = Ledger()
_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
AND relkind = 'r' AND relname NOT LIKE 'alembic_version%' ORDER BY relname
"""


@dataclass(frozen=True)
class State:
    """A database as a run left it: where it says that it is, its schema, its rows, its ledger."""

    heads: tuple[str, ...]
    catalog: Catalog
    rows: Mapping[str, str]
    ledger: tuple[Row, ...] = ()

    def differs(self, other: State) -> str:
        """The differences of schema and rows from the other; none where they are equal."""
        found = [str(item) for item in difference(other.catalog, self.catalog)]
        if self.rows != other.rows:
            found.append(f"rows: {self.rows} instead of {other.rows}")
        return "\n".join(found)


async def state_of(database: Database) -> State:
    """The state of a database. On failure: LedgerEdited."""
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(_state)


def _state(connection: Connection) -> State:
    versioned = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    heads = connection.scalars(text("SELECT version_num FROM alembic_version")) if versioned else ()
    ledger: tuple[Row, ...] = ()
    if LEDGER.exists(connection):
        LEDGER.verify(connection)
        ledger = LEDGER.read(connection)
    return State(tuple(sorted(heads)), snapshot(connection), _rows(connection), ledger)


def _rows(connection: Connection) -> Mapping[str, str]:
    hashed = "SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {} t"
    names = connection.scalars(text(_TABLES)).all()
    return {name: connection.scalar(text(hashed.format(f'"{name}"'))) for name in names}


async def states(chain: Chain, database: Database) -> dict[tuple[str, ...], State]:
    """The state after each revision of a run that nothing happens to, by its heads."""
    found: dict[tuple[str, ...], State] = {(): await state_of(database)}
    async with engine(database.access, "migrate") as made:
        for identifier in chain.ids:
            await upgrade(Target.of(made, chain.ini), identifier)
            found[identifier,] = await state_of(database)
    return found


def check_left(
    left: State, expected: Mapping[tuple[str, ...], State], outside: Collection[str] = ()
) -> None:
    """On failure: AssertionError, unless the database is before or after a revision.

    `outside` are the revisions that hold a step outside a transaction: of those, and of no other,
    a step that the ledger knows to have begun may be unfinished.
    """
    differs = left.differs(expected[left.heads])
    if not differs:
        return
    last = unfinished(left.ledger)
    assert last is not None, f"between revisions at {left.heads}:\n{differs}"
    assert last.revision in outside, f"{last.revision} is half done:\n{differs}"
    assert left.rows == expected[left.heads].rows


def check_finished(left: State, expected: State, ids: Sequence[str]) -> None:
    """On failure: AssertionError, unless it is as if nothing had happened to the run."""
    assert left.heads == expected.heads
    assert left.differs(expected) == ""
    assert set(applied(left.ledger)) == set(ids)
    done = [(row.revision, row.direction) for row in left.ledger if row.outcome == "applied"]
    assert sorted(done) == sorted(set(done)), "a revision was recorded twice"


async def gone(database: Database, *, timeout_s: float = 10.0) -> float:
    """Wait until nobody but us is connected; the seconds that took."""
    connection = await connect(database.url)
    try:
        return await wait_until(
            connection,
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND application_name LIKE '%migrate%'",
            timeout_s=timeout_s,
        )
    finally:
        await connection.close()


async def wait_until(
    connection: asyncpg.Connection, condition: str, *, timeout_s: float = 10.0
) -> float:
    """Ask until the server says true; the seconds that took."""
    started_s = time.monotonic()
    while not await connection.fetchval(condition):
        waited_s = time.monotonic() - started_s
        assert waited_s < within(timeout_s), f"never true in {waited_s:.1f} s: {condition}"
        await asyncio.sleep(0.01)
    return time.monotonic() - started_s
