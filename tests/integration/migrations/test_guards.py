"""Production asks for a reason before data is lost, and records each override of a guard."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands import psql
from harness.databases import Database
from harness.forks import Result
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import CLEAN, read_revisions
from tests.support.project import ProjectChain, forks, run

ROWS = (
    "INSERT INTO volumes (name, root) VALUES ('a', '/a');"
    "INSERT INTO files (volume_id, path, size_bytes, modified_at, mode, missing_since)"
    " SELECT 1, 'x' || n, 1, now(), 1, now() FROM generate_series(1, 12) n"
)
KEYS = (
    "INSERT INTO api_keys (name, key_sha256)"
    " SELECT n::text, sha256(n::text::bytea) FROM generate_series(1, 12) n"
)
WITHOUT_BOOKKEEPING = (
    "DROP TABLE alembic_version, alembic_version_ledger;"
    "DROP FUNCTION alembic_version_ledger_append_only"
)


def production(database: Database, *command: str, **settings: str) -> Result:
    return run(
        *command,
        DATABASE_URL=database.url,
        VEGAFS_ENVIRONMENT="production",
        **settings,
    )


@pytest.mark.slow
def test_a_downgrade_that_drops_data_says_which_and_how_much(database: Database) -> None:
    """Nothing is changed, and the command that does it anyway is named."""
    assert run("alembic", "downgrade", "0008", DATABASE_URL=database.url).code == 0
    psql(database, KEYS)
    result = production(database, "alembic", "downgrade", "-1")
    assert result.code == 3
    assert result.err == (
        f"REVERT  {database.name}: 1 revision, 0008 to 0007\n"
        "REFUSED [data-would-be-lost]  0008 would lose data: column api_keys.scopes (~12 rows); "
        "it was rolled back\n"
        "  help: to do it: `vegafs downgrade 0007 --execute --reason …`\n"
    )
    assert production(database, "alembic", "current").out == "0008\n"


@pytest.mark.slow
def test_a_downgrade_that_drops_nothing_needs_no_leave(database: Database) -> None:
    """A view holds no data, and neither do the columns of an empty table."""
    result = production(database, "alembic", "downgrade", "-3")
    assert result.code == 0, result.err


@pytest.mark.slow
def test_dropping_wants_a_backup_or_a_name(database: Database) -> None:
    """Missing, failing and succeeding; what it printed is in the ledger."""
    assert run("alembic", "downgrade", "0008", DATABASE_URL=database.url).code == 0
    psql(database, ROWS)
    command = ("vegafs", "downgrade", "0006", "--execute", "--reason", "too slow")
    missing = production(database, *command)
    assert missing.code == 3
    assert missing.err.startswith("REFUSED [backup-missing]  0008 may lose data")
    failing = production(
        database, *command, VEGAFS_MIGRATE_BACKUP_COMMAND="sh -c 'echo no; exit 7'"
    )
    assert failing.code == 3
    assert failing.err.splitlines()[:3] == [
        "BACKUP  sh -c 'echo no; exit 7'",
        "REFUSED [backup-failed]  the backup command exited with 7: sh -c 'echo no; exit 7'",
        "  | no",
    ]
    assert production(database, "alembic", "current").out == "0008\n"
    done = production(database, *command, VEGAFS_MIGRATE_BACKUP_COMMAND="echo saved")
    assert done.code == 0, done.err
    ledger = production(database, "vegafs", "ledger", "--last", "4").out
    assert "backup" in ledger
    assert "echo saved: exit code 0" in ledger
    assert ledger.count("reason: too slow") == 3


def test_leave_wants_a_reason(database: Database) -> None:
    """The ledger keeps why a guard was passed."""
    result = production(database, "vegafs", "downgrade", "-1", "--execute")
    assert result.code == 2
    assert result.err.startswith("ERROR [reason-missing]")


@pytest.mark.slow
def test_outside_of_production_a_developer_is_not_asked(database: Database) -> None:
    """Their data is theirs."""
    psql(database, ROWS)
    assert run("alembic", "downgrade", "base", DATABASE_URL=database.url).code == 0


@pytest.mark.slow
def test_tables_without_a_revision_table_are_adopted_in_the_open(database: Database) -> None:
    """An upgrade refuses; `ops adopt` shows the difference first and does it when told to."""
    psql(database, WITHOUT_BOOKKEEPING + "; DROP INDEX ix_jobs_queue")
    refused = run("alembic", "upgrade", "head", DATABASE_URL=database.url)
    assert refused.code == 3
    assert refused.err.startswith(
        f"REFUSED [not-adopted]  {database.name!r} has tables and no version table"
    )
    command = ("vegafs", "ops", "adopt", "0014", "--reason", "made by hand")
    shown = run(*command, DATABASE_URL=database.url)
    assert shown.code == 0, shown.err
    assert shown.out.startswith(
        "1  missing  index ix_jobs_queue\n   fix: CREATE INDEX CONCURRENTLY ix_jobs_queue ON jobs "
    )
    assert run("alembic", "current", DATABASE_URL=database.url).out == ""
    done = run(*command, "--execute", DATABASE_URL=database.url)
    assert done.code == 0, done.err
    assert run("alembic", "current", DATABASE_URL=database.url).out == "0014 (head)\n"
    ledger = run("vegafs", "ledger", DATABASE_URL=database.url).out
    assert ledger.count("adopted") == 14
    assert ledger.count("reason: made by hand") == 14


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("verdict", "lint", "code", "said"),
    [
        (
            "avoid-truncate+require-concurrent-index",
            "error",
            3,
            "REFUSED [revision-unsafe]  0001 would hurt a database in use: it breaks "
            "avoid-truncate, require-concurrent-index\n"
            "  help: `vegafs lint 0001` shows where, with the safe form; to override, allow it "
            "in the file with a reason, then `vegafs lock`; VEGAFS_MIGRATE_LINT=warn only warns\n",
        ),
        ("avoid-truncate", "warn", 0, "WARNING [revision-unsafe]  0001 breaks avoid-truncate\n"),
        (
            None,
            "error",
            3,
            "REFUSED [revision-unseen]  0001 may hurt a database in use: lint has not seen all of "
            "it, as it is now\n",
        ),
        ("unknown", "error", 3, "REFUSED [revision-unseen]  0001 may hurt a database in use"),
        (
            "unknown",
            "warn",
            0,
            "WARNING [revision-unsafe]  0001 was not seen to its end: vegafs lock\n",
        ),
        ("avoid-truncate", "off", 0, "APPLY"),
        (CLEAN, "error", 0, "APPLY"),
    ],
)
def test_production_goes_by_the_verdict_in_the_lock(
    empty_database: Database, tmp_path: Path, verdict: str | None, lint: str, code: int, said: str
) -> None:
    """Nothing is tried when a container starts."""
    chain = ProjectChain(tmp_path / "chain")
    chain.add("op.execute('CREATE TABLE t (id int)')")
    revisions = [replace(each, verdict=verdict) for each in read_revisions(chain.versions)]
    write_lock(chain.folder / "alembic" / "revisions.lock", revisions)
    environment = {
        "DATABASE_URL": empty_database.url,
        "VEGAFS_ENVIRONMENT": "production",
        "VEGAFS_MIGRATE_LINT": lint,
    }
    result = forks().start("alembic", "upgrade", "head", env=environment, cwd=chain.folder).wait()
    assert (result.code, result.err.startswith(said)) == (code, True), result.err
