"""`vegafs lint`, `plan` and `explain` as processes, and what production makes of a verdict."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.migrate.history.revisions import (
    CLEAN,
    read_lock,
    read_revisions,
    with_known,
    write_lock,
)
from app.migrate.review.rules import RULES
from tests.integration.migrate.conftest import psql
from tests.support.databases import Database, value
from tests.support.forks import Result
from tests.support.processes import run

UNSAFE = '''"""Index jobs by attempts.

Locks: SHARE on jobs.
Undo: drop it.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
phase = "expand"


def upgrade() -> None:
    op.create_index("ix_jobs_attempts", "jobs", ["attempts"])


def downgrade() -> None:
    op.drop_index("ix_jobs_attempts")
'''
LINE = 'op.create_index("ix_jobs_attempts", "jobs", ["attempts"])'
SAFE = UNSAFE.replace("op.create_index(", "op.create_index_concurrently(")
ALLOWED = UNSAFE.replace(LINE, f"{LINE}  # allow require-concurrent-index: jobs is small")
FOUND = """\
alembic/versions/0008_index_jobs.py:15
  error [require-concurrent-index]  writers of jobs wait until ix_jobs_attempts is built
    help: op.create_index_concurrently, in a revision of its own; for a partitioned table one for \
each partition, attached to one that is made ON ONLY the table
    traced: SHARE on jobs (blocks INSERT, UPDATE, DELETE); reads all of jobs

"""
# All that a role needs that only looks: not even a temporary table may it make.
LOOKS = """
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
CREATE ROLE looks LOGIN;
GRANT CONNECT ON DATABASE "{database}" TO looks;
GRANT USAGE ON SCHEMA public TO looks;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks;
"""
WRITTEN = "tup_inserted + tup_updated + tup_deleted"
Command = Callable[..., Result]


def written(database: Database) -> object:
    """How many rows were written in the database, its catalog's among them."""
    query = f"SELECT {WRITTEN} FROM pg_stat_database WHERE datname = '{database.name}'"
    return asyncio.run(value(database.url, query))


@pytest.fixture
def command(project: Path, empty_database: Database) -> Command:
    """A command in a copy of the project that has one revision more; what it tries has a server."""

    def call(*words: str, **environment: str) -> Result:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(words[0])), *words[1:]],
            cwd=project,
            env={
                **os.environ,
                "PYTHONPATH": str(project),
                "VEGAFS_SCRATCH_URL": empty_database.url,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


def write(project: Path, text: str) -> None:
    """The revision, and its line in the lock without a verdict."""
    versions, lock = project / "alembic" / "versions", project / "alembic" / "revisions.lock"
    (versions / "0008_index_jobs.py").write_text(text, "utf-8")
    write_lock(lock, with_known(read_revisions(versions), read_lock(lock)))


@pytest.mark.slow
def test_what_would_hurt_is_refused_until_it_is_safe_or_allowed(
    project: Path, command: Command, database: Database
) -> None:
    """lint says where, lock keeps the verdict, and production goes by it."""
    lock = project / "alembic" / "revisions.lock"
    production = {"DATABASE_URL": database.url, "VEGAFS_ENVIRONMENT": "production"}
    write(project, UNSAFE)
    locked = command("vegafs", "lock")
    assert locked.err == (
        "OK  revisions.lock written: 8 revisions\n"
        "0008 breaks require-concurrent-index: vegafs lint 0008\n"
    )
    assert command("vegafs", "lint", "0008") == Result(
        1, FOUND, "1 error, 0 warnings in 1 revision\n"
    )
    refused = command("alembic", "upgrade", "head", **production)
    assert (refused.code, refused.err) == (
        3,
        "REFUSED [revision-unsafe]  0008 would hurt a database in use: it breaks "
        "require-concurrent-index\n"
        "  help: `vegafs lint 0008` shows where, with the safe form; if it is meant, allow it in "
        "the file with a reason, then `vegafs lock`; VEGAFS_MIGRATE_LINT=warn only warns\n",
    )
    write(project, ALLOWED)
    assert command("vegafs", "lock").err == "OK  revisions.lock written: 8 revisions\n"
    assert read_lock(lock)[-1].verdict == CLEAN
    assert command("vegafs", "lint", "0008").err == (
        "0 errors, 0 warnings in 1 revision, 1 allowed by the files\n"
    )
    applied = command("alembic", "upgrade", "head", **production)
    assert applied.code == 0, applied.err


@pytest.mark.slow
def test_a_plan_says_what_would_be_locked_and_writes_nothing(
    project: Path, command: Command, database: Database
) -> None:
    """A role that may only read is enough."""
    psql(database, LOOKS.format(database=database.name))
    before = written(database)
    url = database.url.replace("://vegafs@", "://looks@")
    write(project, SAFE)
    planned = command(
        "vegafs", "plan", "--target", "eu", VEGAFS_TARGETS=f"us=postgresql:// eu={url}"
    )
    assert (planned.code, planned.out) == (
        0,
        "PLAN  eu: 1 revision, 1 statement, nothing run\n\n"
        "1 of 1  0008  index jobs (expand; undo: no data is lost)\n"
        "  CREATE INDEX CONCURRENTLY ix_jobs_attempts ON jobs (attempts)\n"
        "    SHARE UPDATE EXCLUSIVE on jobs, held for a moment: blocks neither readers nor "
        "writers\n\n"
        "0 errors, 0 warnings. Next: alembic upgrade head\n",
    )
    assert written(database) == before
    psql(database, "DROP OWNED BY looks; DROP ROLE looks")


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
    write(project, UNSAFE)
    planned = command("vegafs", "plan", "--json", DATABASE_URL=database.url)
    assert planned.code == 1
    document = json.loads(planned.out)
    assert document["at"] == ["0007"]
    (revision,) = document["revisions"]
    (statement,) = revision["statements"]
    assert statement["locks"][0] | {"held": None} == {
        "table": "jobs",
        "mode": "SHARE",
        "held": None,
    }
    assert [finding["rule"] for finding in document["findings"]] == ["require-concurrent-index"]
    annotated = command("vegafs", "plan", "--format", "github", DATABASE_URL=database.url)
    assert annotated.out.startswith(
        "::error file=alembic/versions/0008_index_jobs.py,line=15,title=require-concurrent-index::"
    )


def test_at_head_there_is_nothing_to_plan(database: Database) -> None:
    """Nothing is tried either."""
    planned = run("vegafs", "plan", DATABASE_URL=database.url)
    assert (planned.code, planned.out) == (0, f"OK  {database.name} is at head. Nothing to plan.\n")


def test_every_rule_is_explained() -> None:
    """All of them in a list, one with its safe form, and a near name for one that there is not."""
    listed = run("vegafs", "explain")
    assert len(listed.out.splitlines()) == len(RULES)
    one = run("vegafs", "explain", "require-concurrent-index")
    assert one.out == (
        "error [require-concurrent-index]  An index built while writers wait\n"
        "  writers of {table} wait until {name} is built\n"
        "  help: op.create_index_concurrently, in a revision of its own; for a partitioned table "
        "one for each partition, attached to one that is made ON ONLY the table\n\n"
        "Safe form:\n\n"
        '    op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])\n'
    )
    wrong = run("vegafs", "explain", "require-concurent-index")
    assert (wrong.code, wrong.err) == (
        2,
        "ERROR [usage]  there is no rule require-concurent-index; did you mean "
        "require-concurrent-index?\n  help: vegafs explain --help\n",
    )


@pytest.mark.slow
def test_lint_since_a_commit_looks_at_what_was_added(project: Path, command: Command) -> None:
    """By git: what differs from the commit, and what git does not know yet."""

    def git(*words: str) -> None:
        identity = ["-c", "user.name=dev", "-c", "user.email=dev@example.org"]
        subprocess.run(["git", *identity, *words], cwd=project, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "Start")
    assert command("vegafs", "lint", "--since", "HEAD").err == (
        "0 errors, 0 warnings in 0 revisions\n"
    )
    write(project, UNSAFE)
    assert command("vegafs", "lint", "--since", "HEAD").out == FOUND
    unknown = command("vegafs", "lint", "--since", "nowhere")
    assert unknown.code == 2
    assert unknown.err.startswith("ERROR [usage]  git diff: ")
