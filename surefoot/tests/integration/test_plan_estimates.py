"""The estimate of a statement in a plan is right within a factor of three."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database, Databases, connect, engine
from harness.runs import Chain
from surefoot.chain.revisions import read_revisions
from surefoot.linting.lint import lint
from surefoot.planning.estimate import estimate
from surefoot.planning.plan import ROWS
from surefoot.planning.statistics import read_statistics
from surefoot.target import Target
from surefoot.trace.trace import Statement

TIMES = 3
TABLE = """
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind integer,
    note text NOT NULL,
    at timestamptz NOT NULL
)
"""
FILL = """
INSERT INTO events (kind, note, at)
SELECT n % 100, 'a note of some length, number ' || n, now() FROM generate_series(1, $1) n
"""
STEPS = {
    "a scan": "op.execute('ALTER TABLE events ALTER COLUMN kind SET NOT NULL')",
    "a check": "op.execute('ALTER TABLE events ADD CONSTRAINT ck CHECK (kind >= 0)')",
    "an index": "op.execute('CREATE INDEX ix ON events (at, kind)')",
    "an index beside its users": "op.create_index_concurrently('ix_note', 'events', ['note'])",
    "a rewrite": "op.execute('ALTER TABLE events ALTER COLUMN kind TYPE bigint')",
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1_000_000, 5_000_000])
async def test_an_estimate_is_within_a_factor_of_three(
    databases: Databases, empty_database: Database, tmp_path: Path, rows: int
) -> None:
    """Measured on a table of that many rows, with what the statistics say of it.

    Each the shortest of several times: it is the estimate that is judged, and not what else the
    machine does just then.
    """
    chain = Chain(tmp_path / "chain")
    chain.add(f'op.execute("""{TABLE}""")', "op.execute('DROP TABLE events')")
    for step in STEPS.values():
        chain.add(step)
    traced = [await traced_statements(databases, chain) for _ in range(TIMES)]

    session = await connect(empty_database.url)
    await session.execute(TABLE)
    await session.execute(FILL.replace("$1", str(rows)))
    await session.execute("VACUUM ANALYZE events")
    async with (
        engine(empty_database.access, "observe") as made,
        made.connect() as connection,
    ):
        now = await connection.run_sync(read_statistics)
    wrong = []
    for same in zip(*traced, strict=True):
        statement = min(same, key=lambda each: each.seconds)
        expected = estimate(statement, now)
        assert expected is not None
        # A statement outside a transaction runs once.
        again = TIMES - 1 if statement.transactional else 0
        took = [await rolled_back(session, statement.sql) for _ in range(again)]
        took_s = min(*took, await timed(session, statement.sql), float("inf"))
        factor = took_s / expected.middle_s
        if not 1 / 3 <= factor <= 3:
            wrong.append((statement.sql, took_s, expected))
        print(statement.sql, f"{took_s:.2f} s", expected, f"{factor:.2f}")
    await session.close()
    assert wrong == []


async def traced_statements(databases: Databases, chain: Chain) -> Sequence[Statement]:
    """The trace of the chain, but for its first revision."""
    scratch = await databases.empty()
    async with engine(scratch.access, "migrate") as made:
        target = Target.of(made, chain.ini)
        linted = await lint(target, read_revisions(chain.versions), chain.ids[1:], rows=ROWS)
    await databases.drop(scratch)
    assert linted.trace.failure is None
    return linted.trace.statements


async def rolled_back(session: asyncpg.Connection, sql: str) -> float:
    """The seconds that it takes, and it has not happened."""
    transaction = session.transaction()
    await transaction.start()
    took_s = await timed(session, sql)
    await transaction.rollback()
    return took_s


async def timed(session: asyncpg.Connection, sql: str) -> float:
    """The seconds that it takes."""
    since_s = time.perf_counter()
    await session.execute(sql)
    return time.perf_counter() - since_s
