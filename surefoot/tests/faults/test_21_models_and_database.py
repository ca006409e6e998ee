"""Models against the migrated database, and ten kinds of change made by hand in it."""

from __future__ import annotations

import json

import pytest

from harness.commands import psql, run_alembic
from harness.databases import Database
from harness.processes import run

TEN = {
    "index ix_jobs_queue": "DROP INDEX ix_jobs_queue",
    "index ix_mode": "CREATE INDEX ix_mode ON files (mode)",
    "column files.note": "ALTER TABLE files ADD note text",
    "column jobs.attempts": "ALTER TABLE jobs ALTER attempts TYPE bigint",
    "column files.mode": "ALTER TABLE files ALTER mode DROP NOT NULL",
    "column jobs.status": "ALTER TABLE jobs ALTER status SET DEFAULT 'RUNNING'",
    "constraint volumes.ck_volumes_root_absolute": (
        "ALTER TABLE volumes DROP CONSTRAINT ck_volumes_root_absolute, "
        "ADD CONSTRAINT ck_volumes_root_absolute CHECK (root LIKE '/%') NOT VALID"
    ),
    "constraint jobs.fk_jobs_volume_id_volumes": (
        "ALTER TABLE jobs DROP CONSTRAINT fk_jobs_volume_id_volumes"
    ),
    "trigger jobs.jobs_updated_at": "ALTER TABLE jobs DISABLE TRIGGER jobs_updated_at",
    "view volume_usage": "DROP VIEW volume_usage",
}


@pytest.mark.slow
def test_none_of_an_untouched_one_and_all_of_ten(
    database: Database, empty_database: Database
) -> None:
    """By the drift of the schema and by `alembic check`, which knows the models alone."""
    given = {"DATABASE_URL": database.url, "SUREFOOT_TEST_SCRATCH_URL": empty_database.url}
    untouched = run("surefoot", "drift", **given)
    assert untouched.code == 0, untouched.out + untouched.err
    checked = run_alembic("check", url=database.url)
    assert checked.code == 0, checked.err

    psql(database, ";".join(TEN.values()))

    changed = run("surefoot", "drift", "--json", **given)
    assert changed.code == 1
    found = json.loads(changed.out)["differences"]
    assert sorted(f"{each['kind']} {each['name']}" for each in found) == sorted(TEN)
    assert all(each["sql"] for each in found)
    checked = run_alembic("check", url=database.url)
    assert checked.code == 1
    assert checked.err.startswith("ERROR [models-differ]  models and database have 10 differences")
