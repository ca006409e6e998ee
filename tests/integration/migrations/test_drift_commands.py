"""`vegafs drift` and `vegafs verify` as processes: whole texts, JSON, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.db.engine import create_engine
from harness.commands import psql
from harness.databases import Database, value
from harness.forks import Result
from harness.server import temporary_folder
from surefoot.embedded import EmbeddedServer, find_binaries
from surefoot.run.commands import downgrade, upgrade
from surefoot.target import Target
from tests.integration.migrations.conftest import ROOT, imported
from tests.support.project import run
from tests.support.settings import settings_of

CHANGED = """
DROP INDEX ix_jobs_queue;
ALTER TABLE jobs ALTER status SET DEFAULT 'RUNNING', DISABLE TRIGGER jobs_updated_at;
ALTER TABLE files ADD note text;
ALTER TYPE job_status ADD VALUE 'PAUSED';
"""
# The output that surefoot/docs/drift.md shows.
TEXT = re.findall(
    r"```console\n\$ surefoot drift\n(.*?)```",
    (ROOT / "surefoot/docs/drift.md").read_text("utf-8"),
    re.DOTALL,
)[0]
Ask = Callable[..., Result]


@pytest.fixture
def ask(database: Database, empty_database: Database) -> Ask:
    """A command on the migrated database, which tries revisions beside the other one."""

    def call(*words: str, **environment: str) -> Result:
        given = {"DATABASE_URL": database.url, "VEGAFS_SCRATCH_URL": empty_database.url}
        return run("vegafs", *words, **{**given, **environment})

    return call


async def last_run(database: Database) -> str:
    """When the last run ended, as a person reads it."""
    time = await value(
        database.url,
        "SELECT to_char(max(finished_at) AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI') "
        "FROM alembic_version_ledger WHERE outcome = 'measured'",
    )
    return str(time)


@pytest.mark.slow
def test_an_untouched_database_is_what_its_revisions_give(ask: Ask, database: Database) -> None:
    """In production too, and as JSON."""
    found = ask("drift", VEGAFS_ENVIRONMENT="production")
    assert (found.code, found.out) == (
        0,
        f"OK  {database.name} matches its revisions up to 0014, and so do the models.\n",
    ), found.err
    without = ask("drift", "--no-models")
    assert without.out == f"OK  {database.name} matches its revisions up to 0014.\n"
    named = ask(
        "drift",
        "--target",
        "eu",
        DATABASE_URL="postgresql://localhost:1/nowhere",
        VEGAFS_TARGETS=f"eu={database.url}",
    )
    assert named.out == found.out, named.err
    document = json.loads(ask("drift", "--json").out)
    assert (document["schema_version"], document["revision"]) == (1, "0014")
    assert (document["differences"], document["models"]) == ([], [])


@pytest.mark.slow
async def test_what_was_changed_by_hand_is_listed_with_the_way_back(
    ask: Ask, database: Database
) -> None:
    """For people and as JSON, with the run since which it is so."""
    psql(database, CHANGED)
    time = await last_run(database)
    found = ask("drift")
    told = TEXT.replace("vegafs_prod", database.name).replace("2026-11-20 14:02", time)
    assert (found.code, found.out) == (1, told), found.err
    as_json = ask("drift", "--json")
    assert as_json.code == 1
    document: dict[str, Any] = json.loads(as_json.out)
    assert document["since"]["after"].startswith(time.replace(" ", "T"))
    assert document["since"]["before"] is None
    (added, *_, missing) = document["differences"]
    assert added == {
        "word": "unexpected",
        "kind": "column",
        "name": "files.note",
        "changes": [],
        "members": [],
        "sql": ["ALTER TABLE files DROP COLUMN note"],
        "loses_data": True,
        "note": None,
    }
    assert (missing["word"], missing["name"]) == ("missing", "ix_jobs_queue")


@pytest.mark.slow
async def test_a_role_that_reads_the_catalog_is_enough(ask: Ask, database: Database) -> None:
    """Nothing is written: its transactions are read-only. The ledger stays closed to it."""
    role = f"looks_{database.name}"
    psql(
        database,
        f"CREATE ROLE {role} LOGIN; GRANT SELECT ON alembic_version TO {role}; "
        f"ALTER ROLE {role} SET default_transaction_read_only = on; DROP INDEX ix_jobs_queue",
    )
    url = database.url.replace("://tester@", f"://{role}@")
    found = ask("drift", DATABASE_URL=url)
    assert found.code == 1, found.err
    assert found.out.startswith(f"DRIFT  {database.name}: 1 difference from 0014\n\n1  missing  ")
    psql(database, f"GRANT SELECT ON alembic_version_ledger TO {role}")
    verified = ask("verify", DATABASE_URL=url)
    assert verified.code == 1, verified.err
    assert ", all hashes are valid, " in verified.out
    psql(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
def test_privileges_are_compared_where_they_are_asked_for(ask: Ask, database: Database) -> None:
    """The owner on the scratch database counts as the owner on the target."""
    role = f"granted_{database.name}"
    psql(database, f"CREATE ROLE {role}; GRANT SELECT ON jobs TO {role}")
    assert ask("drift").code == 0
    found = ask("drift", "--privileges")
    assert (found.code, found.out.splitlines()[2:6]) == (
        1,
        [
            "1  changed  privileges of table jobs",
            "   - expected nothing",
            f"   + found    SELECT TO {role}",
            f"   fix: REVOKE SELECT ON TABLE jobs FROM {role};",
        ],
    ), found.err
    psql(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_the_scratch_database_may_be_of_another_postgresql(
    ask: Ask, database: Database
) -> None:
    """A database migrated on one compares equal with one migrated on the other."""
    major = int(str(await value(database.url, "SHOW server_version_num"))) // 10_000
    others = (each for each in (18, 16, 15) if each != major)
    other = next((each for each in others if find_binaries(None, major=each)), None)
    if other is None:
        pytest.skip("there is one PostgreSQL here")
    with temporary_folder() as folder:
        server = EmbeddedServer(
            folder / "server", major=other, durable=False, remove_at_end=True, database="postgres"
        )
        with server.use() as running:
            found = ask("drift", VEGAFS_SCRATCH_URL=running.url("postgres"))
            assert found.code == 0, found.out + found.err
            psql(database, "ALTER TABLE jobs DISABLE TRIGGER ALL")
            found = ask("drift", VEGAFS_SCRATCH_URL=running.url("postgres"))
            assert found.out.splitlines()[-1].startswith("3 differences."), found.out


@pytest.mark.slow
async def test_a_database_behind_is_compared_with_its_own_revision(
    ask: Ask, database: Database, empty_database: Database
) -> None:
    """At base there is to be nothing; the models are compared at head alone."""
    engine = create_engine(settings_of(database.url), "migrate")
    await downgrade(Target.of(engine), "0003")
    await engine.dispose()
    found = ask("drift")
    assert found.out == f"OK  {database.name} matches its revisions up to 0003.\n"
    psql(empty_database, "CREATE TABLE theirs (id int)")
    nowhere = ask("drift", DATABASE_URL=empty_database.url)
    assert nowhere.out.splitlines()[0] == f"DRIFT  {empty_database.name}: 1 difference from base"
    psql(database, "UPDATE alembic_version SET version_num = '0099'")
    ahead = ask("drift")
    assert (ahead.code, ahead.err.split("]")[0]) == (1, "ERROR [database-ahead")


@pytest.mark.slow
async def test_drift_that_was_there_at_a_run_lies_between_two(ask: Ask, database: Database) -> None:
    """The next run leaves it as it is, and its fingerprint says so."""
    psql(database, "CREATE TABLE theirs (id int)")
    engine = create_engine(settings_of(database.url), "migrate")
    await downgrade(Target.of(engine), "-1")
    await upgrade(Target.of(engine), "head")
    await engine.dispose()
    document = json.loads(ask("drift", "--json").out)
    times = [document["since"][bound] for bound in ("after", "before")]
    assert all(times)
    assert times == sorted(times)


@pytest.mark.slow
def test_a_model_without_a_revision_is_told_apart(project: Path, database: Database) -> None:
    """The database is right; the way on is a revision."""
    models = project / "app" / "db" / "models" / "api_keys.py"
    text = models.read_text("utf-8")
    models.write_text(text.replace("    name: Mapped[str]\n", "    name: Mapped[str | None]\n"))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("vegafs")), "drift"],
        cwd=project,
        env={
            "PATH": "",
            "PYTHONPATH": imported(project),
            "DATABASE_URL": database.url,
            "VEGAFS_SCRATCH_URL": database.url,
            "VEGAFS_ENVIRONMENT": "test",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (
        1,
        "MODELS  1 difference of 0014 from the models\n\n"
        "1  changed  not null of column api_keys.name\n"
        "   - expected no\n"
        "   + found    yes\n\n"
        '1 difference. Next: alembic revision --autogenerate -m "…"\n',
    ), done.stderr


@pytest.mark.slow
def test_verify_asks_everything(ask: Ask, database: Database) -> None:
    """All four answers, whatever the first of them is."""
    found = ask("verify")
    assert (found.code, found.out) == (
        0,
        f"OK  {database.name}: 4 checks\n"
        "  yes  files     14 revisions, one head, revisions.lock is up to date\n"
        "  yes  ledger    16 rows, all hashes are valid, and the files match the applied "
        "revisions\n"
        "  yes  startup   a service of this build would start: "
        f"database '{database.name}' is at head "
        "0014\n"
        "  yes  drift     the schema matches the revisions up to 0014, and so do the models"
        "\n",
    ), found.err
    psql(
        database,
        "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only; "
        "UPDATE alembic_version_ledger SET build = 'mine' WHERE id = 3; DROP INDEX ix_jobs_queue",
    )
    refused = ask("verify")
    assert (refused.code, refused.out) == (
        1,
        f"FAILED  {database.name}: 2 of 4 checks failed\n"
        "  yes  files     14 revisions, one head, revisions.lock is up to date\n"
        "  no   ledger    [ledger-edited] the ledger alembic_version_ledger was changed by hand at "
        "or before row 3: its hash does not match\n"
        "                 help: restore the row from a backup; `vegafs ledger` shows it\n"
        "  yes  startup   a service of this build would start: "
        f"database '{database.name}' is at head "
        "0014\n"
        f"  no   drift     [database-drifted] 1 difference of '{database.name}' from 0014\n"
        "                 help: `vegafs drift` lists them, with the SQL that repairs them\n",
    ), refused.err
    document = json.loads(ask("verify", "--json").out)
    assert (document["schema_version"], document["ok"]) == (1, False)
    assert [(each["check"], each["ok"]) for each in document["checks"]] == [
        ("files", True),
        ("ledger", False),
        ("startup", True),
        ("drift", False),
    ]
    assert document["checks"][1]["error"]["code"] == "ledger-edited"
    assert document["drift"]["differences"][0]["name"] == "ix_jobs_queue"


@pytest.mark.parametrize("command", ["drift", "verify"])
def test_a_database_that_does_not_answer_is_worth_another_try(ask: Ask, command: str) -> None:
    """Exit code 75, and nothing on stdout."""
    found = ask(command, DATABASE_URL="postgresql://localhost:1/nowhere")
    assert (found.code, found.out) == (75, "")
    assert found.err.startswith("ERROR [database-unreachable]")
