"""The service's pool survives a migration that runs beside it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.databases import Database
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from tests.support.project import ROOT
from tests.support.service import plant, serving, with_volumes
from tests.support.settings import settings_of

CLIENTS = 6
# Only a hang meets it.
PATIENCE_S = 240.0
# Changes of what the service's statements read and write: columns, types, an enum. One change a
# revision, as the project's rules have it: two tables locked in one transaction can deadlock with
# a request that locks them the other way round.
STATEMENTS = [
    "ALTER TABLE files ADD COLUMN owner text",
    "ALTER TABLE jobs ADD COLUMN priority integer NOT NULL DEFAULT 5",
    "ALTER TABLE api_keys ADD COLUMN scope text NOT NULL DEFAULT 'all'",
    "ALTER TABLE jobs ALTER COLUMN attempts TYPE bigint",
    "ALTER TYPE job_status ADD VALUE 'PAUSED' BEFORE 'RUNNING'",
    "ALTER TABLE files ALTER COLUMN mode TYPE bigint",
    "ALTER TABLE media_types ALTER COLUMN name TYPE varchar(255)",
    "ALTER TABLE files DROP COLUMN owner",
    "ALTER TABLE jobs DROP COLUMN priority",
]


@pytest.fixture
def upgrade(tmp_path: Path, database: Database) -> list[str]:
    """The command that applies STATEMENTS, each in a transaction of its own."""
    project = tmp_path / "project"
    for name in ("app", "alembic"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", project)
    versions = project / "alembic/versions"
    down = max(versions.glob("[0-9]*.py")).name[:4]
    for number, statement in enumerate(STATEMENTS, start=8001):
        (versions / f"{number}_change.py").write_text(
            f'''"""Change what is in use."""

from alembic import op

revision = "{number}"
down_revision = "{down}"
phase = "expand"


def upgrade() -> None:
    op.execute("{statement}")


def downgrade() -> None:
    pass
'''
        )
        down = str(number)
    write_lock(project / "alembic" / "revisions.lock", read_revisions(versions))
    alembic = str(Path(sys.executable).with_name("alembic"))
    return [alembic, "-c", str(project / "alembic.ini"), "upgrade", "head"]


@pytest.mark.slow
async def test_no_request_fails_while_another_process_migrates(
    database: Database, tmp_path: Path, upgrade: list[str]
) -> None:
    """Requests of every kind, a worker that scans, and nine revisions that alter their tables."""
    root = tmp_path / "data"
    plant(root, *(f"folder{n % 5}/{n}.txt" for n in range(200)))
    settings = with_volumes(settings_of(database.url), volumes={"data": root})
    answers: Counter[tuple[str, int]] = Counter()
    failures: list[str] = []
    over = asyncio.Event()

    async with serving(settings) as client:

        async def ask(method: str, path: str, *expected: int, **body: Any) -> httpx.Response:
            answer = await client.request(method, f"/api/v1/{path}", timeout=30, **body)
            answers[f"{method} {path.partition('?')[0].partition('/')[0]}", answer.status_code] += 1
            if answer.status_code not in expected:
                failures.append(f"{method} {path}: {answer.text}")
            return answer

        async def keep_asking() -> None:
            while not over.is_set():
                await ask("GET", "files?limit=50&name=1", 200)
                await ask("GET", "volumes", 200)
                await ask("GET", "jobs?limit=5", 200)
                job = {"operation": "scan", "volume": "data"}
                await ask("POST", "jobs", 201, 409, json=job)

        clients = [asyncio.create_task(keep_asking()) for _ in range(CLIENTS)]
        while sum(answers.values()) < 4 * CLIENTS:
            await asyncio.sleep(0.02)
        before = sum(answers.values())
        migration = await asyncio.create_subprocess_exec(
            *upgrade,
            env={**os.environ, "DATABASE_URL": database.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(migration.communicate(), PATIENCE_S)
        during = sum(answers.values()) - before
        await asyncio.sleep(0.3)
        over.set()
        await asyncio.gather(*clients)
        assert migration.returncode == 0, said.decode()
        assert failures == []
        jobs = (await client.get("/api/v1/jobs?status=FAILED")).json()["jobs"]
        assert jobs == []
        completed = (await client.get("/api/v1/jobs?status=COMPLETED")).json()["jobs"]
        assert all(job["attempts"] == 1 for job in completed)
    assert during > CLIENTS
    assert len(completed) > 1
    assert f"{len(STATEMENTS)} applied" in said.decode()
