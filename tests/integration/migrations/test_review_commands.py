"""`vegafs lint` and `explain` as processes, and what production makes of a verdict."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.databases import Database
from harness.forks import Result
from surefoot.chain.lockfile import read_lock
from surefoot.chain.revisions import CLEAN
from surefoot.rules.registry import RULES
from tests.integration.migrations.conftest import Command, write_revision
from tests.support.project import run

UNSAFE = '''"""Index jobs by attempts.

Locks: SHARE on jobs.
Undo: drop it.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
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
alembic/versions/0015_index_jobs.py:15
  error [require-concurrent-index]  writes to jobs block until ix_jobs_attempts is built
    help: op.create_index_concurrently in a separate revision; of a partitioned table it builds \
one on each partition, and attaches all
    statement: CREATE INDEX ix_jobs_attempts ON jobs (attempts)
    traced: SHARE on jobs (blocks INSERT, UPDATE, DELETE); scans jobs
    safe form:
      op.create_index_concurrently(op.f("ix_jobs_attempts"), "jobs", ["attempts"], unique=False)
    or allow it: # allow require-concurrent-index: <the reason>

"""


def write(project: Path, text: str) -> None:
    """The revision that these tests are about."""
    write_revision(project, "0015_index_jobs.py", text)


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
        "OK  revisions.lock written: 15 revisions\n"
        "0015 breaks require-concurrent-index: vegafs lint 0015\n"
    )
    assert command("vegafs", "lint", "0015") == Result(
        1, FOUND, "1 error, 0 warnings in 1 revision\n"
    )
    refused = command("alembic", "upgrade", "head", **production)
    assert (refused.code, refused.err) == (
        3,
        "REFUSED [revision-unsafe]  0015 would hurt a database in use: it breaks "
        "require-concurrent-index\n"
        "  help: `vegafs lint 0015` shows where, with the safe form; to override, allow it in "
        "the file with a reason, then `vegafs lock`; VEGAFS_MIGRATE_LINT=warn only warns\n",
    )
    write(project, ALLOWED)
    assert command("vegafs", "lock").err == "OK  revisions.lock written: 15 revisions\n"
    assert read_lock(lock)[-1].verdict == CLEAN
    assert command("vegafs", "lint", "0015").err == (
        "alembic/versions/0015_index_jobs.py:15\n"
        "  allowed [require-concurrent-index]  at line 15: jobs is small\n"
        "0 errors, 0 warnings in 1 revision, 1 allowed by the files\n"
    )
    applied = command("alembic", "upgrade", "head", **production)
    assert applied.code == 0, applied.err


def test_every_rule_is_explained() -> None:
    """All of them in a list, one with its safe form, and a near name for one that there is not."""
    listed = run("vegafs", "explain")
    assert len(listed.out.splitlines()) == len(RULES)
    one = run("vegafs", "explain", "require-concurrent-index")
    assert one.out == (
        "error [require-concurrent-index]  An index built without CONCURRENTLY\n"
        "  writes to <table> block until <name> is built\n"
        "  help: op.create_index_concurrently in a separate revision; of a partitioned table it "
        "builds one on each partition, and attaches all\n\n"
        "Safe form:\n\n"
        "    # with the options of the index\n"
        '    op.create_index_concurrently("name", "table", [columns])\n\n'
        "See https://www.postgresql.org/docs/current/sql-createindex.html\n"
    )
    wrong = run("vegafs", "explain", "require-concurent-index")
    assert (wrong.code, wrong.err) == (
        2,
        "ERROR [usage]  there is no rule or code 'require-concurent-index'; did you mean "
        "'require-concurrent-index'?\n  help: vegafs explain --help\n",
    )


def test_the_code_of_an_error_is_explained() -> None:
    """Its text, its exit code, and the meaning of that."""
    assert run("vegafs", "explain", "mutex-held").out == (
        "error [mutex-held]  Another run holds the migration mutex for longer than this one "
        "waits.\n  exit code: 75, The same command may work in a moment, and a retry is safe\n"
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
    assert command("vegafs", "lint", "--since", "HEAD") == Result(
        0,
        "",
        "no revision was added or changed since HEAD: nothing to lint\n",
    )
    write(project, UNSAFE)
    assert command("vegafs", "lint", "--since", "HEAD").out == FOUND
    unknown = command("vegafs", "lint", "--since", "nowhere")
    assert unknown.code == 2
    assert unknown.err.startswith("ERROR [usage]  git knows no branch or commit 'nowhere'\n")
