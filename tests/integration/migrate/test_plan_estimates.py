"""What a plan says that a statement will take is what it takes, within a factor of three."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.db.engine import create_engine
from app.migrate.history.revisions import read_revisions
from app.migrate.review.lint import lint
from app.migrate.review.plan.estimate import estimate
from app.migrate.review.plan.figures import figures
from app.migrate.target import Target
from tests.support.databases import Database, Databases, connect
from tests.support.runs import Chain

ROWS = 20_000
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
STATEMENTS = {
    "a scan": "ALTER TABLE events ALTER COLUMN kind SET NOT NULL",
    "a check": "ALTER TABLE events ADD CONSTRAINT ck CHECK (kind >= 0)",
    "an index": "CREATE INDEX ix ON events (at, kind)",
    "a rewrite": "ALTER TABLE events ALTER COLUMN kind TYPE bigint",
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1_000_000, 5_000_000])
async def test_an_estimate_is_within_a_factor_of_three(
    databases: Databases, empty_database: Database, tmp_path: Path, rows: int
) -> None:
    """Measured on a table of that many rows, with what the statistics say of it."""
    chain = Chain(tmp_path / "chain")
    chain.add(f'op.execute("""{TABLE}""")', "op.execute('DROP TABLE events')")
    for sql in STATEMENTS.values():
        chain.add(f"op.execute('{sql}')")
    scratch = await databases.empty()
    target = Target.of(create_engine(scratch.settings, "migrate"), chain.ini)
    wanted = chain.ids[1:]
    linted = await lint(target, read_revisions(chain.versions), wanted, rows=ROWS)
    assert linted.trace.failure is None

    session = await connect(empty_database.url)
    await session.execute(TABLE)
    await session.execute(FILL.replace("$1", str(rows)))
    await session.execute("VACUUM ANALYZE events")
    engine = create_engine(empty_database.settings, "observe")
    async with engine.connect() as connection:
        now = await connection.run_sync(figures)
    await engine.dispose()
    wrong = []
    for statement in linted.trace.statements:
        expected = estimate(statement, now)
        assert expected is not None
        since_s = time.perf_counter()
        await session.execute(statement.sql)
        took_s = time.perf_counter() - since_s
        factor = took_s / expected.middle_s
        if not 1 / 3 <= factor <= 3:
            wrong.append((statement.sql, took_s, expected))
        print(statement.sql, f"{took_s:.2f} s", expected, f"{factor:.2f}")
    await session.close()
    await target.engine.dispose()
    await databases.drop(scratch)
    assert wrong == []
