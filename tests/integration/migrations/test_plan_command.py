"""`vegafs plan` as a process: of a database that it only reads, and of a copy of its schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import psql
from harness.databases import Database, connect, value
from tests.integration.migrations.conftest import Command, write_revision
from tests.support.project import run

NAME = "0015_index_jobs.py"
UNSAFE = '''"""Index jobs by attempts."""

from alembic import op

revision = "0015"
down_revision = "0014"
phase = "expand"


def upgrade() -> None:
    op.create_index("ix_jobs_attempts", "jobs", ["attempts"])


def downgrade() -> None:
    op.drop_index("ix_jobs_attempts")
'''
SAFE = UNSAFE.replace("op.create_index(", "op.create_index_concurrently(").replace(
    "op.drop_index(", "op.drop_index_concurrently("
)
# All that a role needs that only looks: not even a temporary table may it make.
LOOKS = """
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
CREATE ROLE "{role}" LOGIN;
GRANT CONNECT ON DATABASE "{database}" TO "{role}";
GRANT USAGE ON SCHEMA public TO "{role}";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}";
"""
# Autovacuum may write statistics meanwhile, and other tests make databases.
WRITTEN = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)
FROM pg_stat_all_tables JOIN pg_class c ON c.oid = relid
WHERE c.relname NOT LIKE 'pg_statistic%' AND NOT c.relisshared
"""


@pytest.fixture
def looks(database: Database) -> Iterator[str]:
    """The URL of the database for a role that may only read it."""
    role = f"{database.name}_looks"
    psql(database, LOOKS.format(database=database.name, role=role))
    yield database.url.replace("://tester@", f"://{role}@")
    psql(database, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def written(database: Database) -> object:
    """How many rows were written in the database, its catalog's among them."""
    return asyncio.run(value(database.url, WRITTEN))


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--from-database"]], ids=["revisions", "database"])
def test_a_plan_says_what_would_be_locked_and_writes_nothing(
    project: Path, command: Command, database: Database, looks: str, options: list[str]
) -> None:
    """A role that may only read is enough."""
    before = written(database)
    write_revision(project, NAME, SAFE)
    planned = command(
        "vegafs", "plan", "--target", "eu", *options, VEGAFS_TARGETS=f"us=postgresql:// eu={looks}"
    )
    assert (planned.code, planned.out) == (
        0,
        "PLAN  eu: 1 revision, 1 statement, nothing run\n"
        + ("  tried on a copy of its schema\n" if options else "")
        + "\n"
        "1 of 1  0015  Index jobs by attempts (expand; undo: free)\n"
        "  CREATE INDEX CONCURRENTLY ix_jobs_attempts ON jobs (attempts)\n"
        "    SHARE UPDATE EXCLUSIVE on jobs, held for a moment: blocks neither reads nor "
        "writes\n\n"
        "0 errors, 0 warnings. Next: alembic -x target=eu upgrade head\n",
    )
    assert written(database) == before


def test_a_database_that_is_ahead_is_not_planned_for(database: Database) -> None:
    """From where it is no revision of this build leads on."""
    psql(database, "UPDATE alembic_version SET version_num = '9999'")
    planned = run("vegafs", "plan", DATABASE_URL=database.url)
    assert planned.code == 1
    assert planned.err.startswith(
        f"ERROR [database-ahead]  database '{database.name}' is at 9999, which this build does not "
        "know; its newest revision is 0014\n"
    )


def test_a_target_that_is_not_configured_is_named_with_those_that_are(database: Database) -> None:
    """And one whose URL cannot be used, without the URL."""
    unknown = run("vegafs", "plan", "--target", "asia", VEGAFS_TARGETS=f"us={database.url}")
    assert (unknown.code, unknown.err) == (
        2,
        "ERROR [target-unknown]  there is no target 'asia'; configured: us\n"
        "  help: name one of them, or add name=postgresql://… to VEGAFS_TARGETS\n",
    )
    wrong = run("vegafs", "plan", "--target", "us", VEGAFS_TARGETS="us=mysql://me:secret@h/d")
    assert wrong.code == 2
    assert wrong.err.startswith("ERROR [database-url-invalid]  VEGAFS_TARGETS: us cannot be used: ")
    assert "secret" not in wrong.err


def test_a_plan_is_of_the_database_that_is_migrated(database: Database) -> None:
    """Where DATABASE_URL leads elsewhere, or nowhere."""
    for elsewhere in ({}, {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}):
        planned = run("vegafs", "plan", VEGAFS_MIGRATE_DATABASE_URL=database.url, **elsewhere)
        assert (planned.code, planned.out) == (
            0,
            f"OK  {database.name} is at head. Nothing to plan.\n",
        )


@pytest.mark.slow
def test_a_plan_of_what_would_hurt_is_a_no(
    project: Path, command: Command, database: Database
) -> None:
    """The same as JSON and for a pull request."""
    write_revision(project, NAME, UNSAFE)
    planned = command("vegafs", "plan", "--json", DATABASE_URL=database.url)
    assert planned.code == 1
    document = json.loads(planned.out)
    assert document["at"] == ["0014"]
    (revision,) = document["revisions"]
    (statement,) = revision["statements"]
    assert statement["locks"][0] | {"held": None} == {
        "table": "jobs",
        "index": None,
        "mode": "SHARE",
        "held": None,
    }
    assert [finding["rule"] for finding in document["findings"]] == ["require-concurrent-index"]
    annotated = command("vegafs", "plan", "--format", "github", DATABASE_URL=database.url)
    assert annotated.out.startswith(
        "::error file=alembic/versions/0015_index_jobs.py,line=11,endLine=11,"
        "title=require-concurrent-index::"
    )


def test_at_head_there_is_nothing_to_plan(database: Database) -> None:
    """Nothing is tried either."""
    planned = run("vegafs", "plan", DATABASE_URL=database.url)
    assert (planned.code, planned.out) == (0, f"OK  {database.name} is at head. Nothing to plan.\n")


def revision(body: str) -> str:
    """A revision that executes some SQL."""
    return UNSAFE.replace(
        'op.create_index("ix_jobs_attempts", "jobs", ["attempts"])', f"op.execute({body!r})"
    ).replace('op.drop_index("ix_jobs_attempts")', '"""Nothing to undo: it is only tried."""')


BY_HAND = {
    "a trigger that writes elsewhere": (
        "CREATE TABLE audit (at timestamptz DEFAULT now());"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO audit DEFAULT VALUES; RETURN NULL; END';"
        "CREATE TRIGGER note AFTER UPDATE ON jobs EXECUTE FUNCTION note()",
        "UPDATE jobs SET attempts = 0 WHERE id = 1",
        "    ROW EXCLUSIVE on audit, ",
        0,
    ),
    "a table that refers": (
        "CREATE TABLE reports (volume bigint REFERENCES volumes (id))",
        "DROP TABLE volumes CASCADE",
        "    ACCESS EXCLUSIVE on reports, ",
        1,
    ),
    "an index of that name": (
        "CREATE INDEX ix_jobs_attempts ON jobs (attempts)",
        "CREATE INDEX ix_jobs_attempts ON jobs (attempts)",
        "    FAILS with SQLSTATE 42P07\n",
        4,
    ),
    "a view that reads the column": (
        "CREATE VIEW tries AS SELECT id, attempts FROM jobs",
        "ALTER TABLE jobs DROP COLUMN attempts",
        "    FAILS with SQLSTATE 2BP01\n",
        4,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BY_HAND)
def test_what_was_made_by_hand_is_met_on_a_copy_of_the_database(
    project: Path, command: Command, database: Database, case: str
) -> None:
    """And is unknown to the revisions, by which the plan is another one."""
    made, pending, expected, code = BY_HAND[case]
    psql(database, made)
    write_revision(project, NAME, revision(pending))
    by_revisions = command("vegafs", "plan", DATABASE_URL=database.url)
    by_database = command("vegafs", "plan", "--from-database", DATABASE_URL=database.url)
    assert expected in by_database.out, by_database
    assert expected not in by_revisions.out
    assert by_database.out.splitlines()[1] == "  tried on a copy of its schema"
    assert by_database.code == code


@pytest.mark.slow
def test_a_table_that_is_locked_is_waited_for_within_the_bound_of_reading(
    project: Path, command: Command, database: Database
) -> None:
    """Its size cannot be told, nor its columns."""
    write_revision(project, NAME, SAFE)

    async def planned() -> None:
        holder = await connect(database.url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE jobs")
            for options in ([], ["--from-database"]):
                done = await asyncio.to_thread(
                    command, "vegafs", "plan", *options,
                    DATABASE_URL=database.url,
                )  # fmt: skip
                assert (done.code, done.err) == (
                    75,
                    f"ERROR [table-locked]  a table of '{database.name}' is locked by another "
                    "session; stopped waiting after 5 s\n"
                    "  help: run the same command again when that session, an upgrade or DDL by "
                    "hand, is done\n",
                )
        await holder.close()

    asyncio.run(planned())
