"""What else a trace meets: locks that are not to be had, rows that are in the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.migrate.history.revisions import read_revisions
from app.migrate.review.lint import lint
from tests.hazards.bench import Bench
from tests.support.databases import connect, engine

FILE = '''\
"""Change something."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
{body}

def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
'''


@pytest.fixture
def revision(tmp_path: Path) -> Path:
    return tmp_path / "0001_change.py"


def write(path: Path, *sql: str) -> None:
    """A revision that executes the statements."""
    body = "".join(f"    op.execute({each!r})\n" for each in sql)
    path.write_text(FILE.format(body=body), "utf-8")


async def test_a_revision_that_was_repeated_is_traced_once(bench: Bench, revision: Path) -> None:
    """Its first attempt did not get a lock, and left nothing."""
    write(revision, "CREATE TABLE t (id bigint)", "ALTER TABLE jobs ADD COLUMN n text")
    chain = bench.chain([revision])
    async with bench.clone(rows=False) as database:
        settings = database.settings.model_copy(update={"migrate_lock_timeout_s": 0.2})
        blocker, looker = await connect(database.url), await connect(database.url)
        await blocker.execute("BEGIN; LOCK TABLE jobs IN ACCESS SHARE MODE")
        async with engine(settings, "migrate") as made:
            target = bench.target(made, chain)
            running = asyncio.ensure_future(lint(target, read_revisions(chain.versions), ["0001"]))
            while not await looker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.4)
            await blocker.close()
            await looker.close()
            linted = await running
    assert [s.sql.split()[0] for s in linted.trace.statements] == ["CREATE", "ALTER"]
    assert [s.number for s in linted.trace.statements] == [1, 2]
    assert not any(s.error for s in linted.trace.statements)


async def test_what_ran_before_a_failure_is_judged(bench: Bench, revision: Path) -> None:
    """A revision that fails is a failure of the trace, and its statements are there."""
    write(revision, "ALTER TABLE jobs DROP COLUMN note", "SELECT nonsense")
    linted = await bench.lint([revision])
    assert [f.rule for f in linted.findings] == ["avoid-dropping-a-column"]
    assert linted.trace.failure is not None
    assert linted.trace.failure.code == "run-failed"
    assert [s.error for s in linted.trace.statements] == [None, "42703"]


async def test_rows_in_the_way_do_not_hide_what_follows(bench: Bench, revision: Path) -> None:
    """Rows were made up; a revision that they stop is run once more without them."""
    write(
        revision,
        "CREATE UNIQUE INDEX ux_jobs_status ON jobs (status)",
        "ALTER TABLE jobs ALTER COLUMN rank TYPE bigint",
    )
    linted = await bench.lint([revision])
    assert linted.trace.failure is None
    assert [f.rule for f in linted.findings] == ["require-concurrent-index", "avoid-type-change"]


async def test_a_temporary_table_is_nobodys(bench: Bench, revision: Path) -> None:
    """What is done to it is seen by nobody else."""
    write(
        revision,
        "CREATE TEMPORARY TABLE found (id integer PRIMARY KEY, at timestamp)",
        "INSERT INTO found SELECT n FROM generate_series(1, 9) n",
        "UPDATE found SET id = id + 10",
        "DROP TABLE found",
    )
    linted = await bench.lint([revision])
    assert linted.findings == ()
    assert linted.trace.failure is None


async def test_several_hazards_of_one_block_are_all_found(bench: Bench, revision: Path) -> None:
    """A DO block is one statement, whatever it does."""
    write(
        revision,
        "DO $$ BEGIN ALTER TABLE jobs DROP COLUMN note; CREATE INDEX ON tags (label); "
        "ALTER TABLE events_2026 ALTER COLUMN job_id TYPE numeric; TRUNCATE cache; END $$",
    )
    linted = await bench.lint([revision])
    assert {f.rule for f in linted.findings} == {
        "avoid-dropping-a-column",
        "require-concurrent-index",
        "avoid-type-change",
        "avoid-truncate",
    }
