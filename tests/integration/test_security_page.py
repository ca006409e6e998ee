"""docs/security.md: its statements make three roles that may do their work, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.db.engine import PROJECT
from harness.databases import Database, access_to, engine, execute
from harness.processes import eventually
from surefoot.overview import read
from surefoot.overview.model import Unread
from tests.support.project import ROOT, run
from tests.support.service import served
from tests.support.transcripts import blocks

ROLES = ("vegafs_migrator", "vegafs_service", "vegafs_reader")
# A table for each of them: rows of the application, keys, the records.
REFUSED = {
    "service": (
        "CREATE TABLE t (id int)",
        "ALTER TABLE jobs ADD COLUMN by_hand int",
        "INSERT INTO alembic_version VALUES ('0001')",
        "UPDATE alembic_version SET version_num = '0001'",
        "INSERT INTO alembic_version_ledger (id) VALUES (99)",
        "DELETE FROM alembic_version_ledger",
        "DELETE FROM alembic_version_backfills",
    ),
    "reader": (
        "SELECT * FROM files",
        "SELECT * FROM api_keys",
        "DELETE FROM alembic_version",
        "CREATE TEMPORARY TABLE t (id int)",
    ),
    "migrator": ("DELETE FROM alembic_version_ledger", "CREATE ROLE vegafs_another"),
}


@dataclass(frozen=True)
class Urls:
    """The URL of one database for each role."""

    migrator: str
    service: str
    reader: str


@pytest.fixture
async def urls(empty_database: Database) -> AsyncIterator[Urls]:
    """The database after the page's statements, its migration and a backfill."""
    name = empty_database.name

    def ours(sql: str) -> str:
        """With roles of the test's own: they belong to the whole server."""
        for role in ROLES:
            sql = sql.replace(role, role.replace("vegafs", name))
        return sql.replace("vegafs_dev", name)

    def url(role: str) -> str:
        return empty_database.url.replace("://tester@", f"://{ours(f'vegafs_{role}')}@")

    first, after, of_backfills, existing = blocks(ROOT / "docs" / "security.md", "sql")
    found = Urls(url("migrator"), url("service"), url("reader"))
    await execute(empty_database.url, ours(first))
    try:
        migrated = run("alembic", "upgrade", "head", DATABASE_URL=found.migrator)
        assert migrated.code == 0, migrated.err
        await execute(found.migrator, ours(after))
        filled = run(
            *("vegafs", "backfill", "run", "files_media_type", "--execute"),
            DATABASE_URL=found.migrator,
        )
        assert filled.code == 0, filled.err
        await execute(found.migrator, ours(of_backfills))
        # As the page says of a database that exists: what new objects have does not change.
        await execute(found.migrator, ours(existing))
        await execute(found.migrator, ours(after) + ours(of_backfills))
        yield found
    finally:
        for role in ROLES:
            await execute(empty_database.url, ours(f"DROP OWNED BY {role} CASCADE"))
        await execute(empty_database.url, ours(f"DROP ROLE {', '.join(ROLES)}"))


@pytest.mark.slow
async def test_what_a_role_may_not_do(urls: Urls) -> None:
    """PostgreSQL or the ledger's trigger refuses it."""
    refusals = (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)
    for role, statements in REFUSED.items():
        for statement in statements:
            with pytest.raises(refusals):
                await execute(getattr(urls, role), statement)


@pytest.mark.slow
def test_the_service_scans(urls: Urls, tmp_path: Path) -> None:
    """A key, a request, and a job that writes files, also into a table of a later revision."""
    (tmp_path / "a.txt").write_text("a")
    for goal in ("downgrade", "0008"), ("upgrade", "head"):
        moved = run("alembic", *goal, DATABASE_URL=urls.migrator)
        assert moved.code == 0, moved.err
    given = {"DATABASE_URL": urls.service, "VEGAFS_VOLUMES": f"data={tmp_path}"}
    created = run("vegafs", "keys", "create", "laptop", **given)
    assert created.code == 0, created.err
    headers = {"Authorization": f"Bearer {created.out.strip()}"}
    with served(**given) as service:
        url = service.wait_until_it_serves()
        with httpx.Client(base_url=f"{url}/api/v1", headers=headers) as client:
            asked = client.post("/jobs", json={"operation": "scan", "volume": "data"})
            assert asked.is_success, asked.text
            job = asked.json()["id"]
            assert eventually(
                lambda: client.get(f"/jobs/{job}").json()["status"] in ("COMPLETED", "FAILED"),
                timeout_s=30,
            )
            assert client.get(f"/jobs/{job}").json()["status"] == "COMPLETED", service.said
            (file,) = client.get("/files").json()["files"]
            assert file["media_type"] == "text/plain"
        assert service.stop() == 0


@pytest.mark.slow
async def test_the_reader_sees_where_the_database_is(urls: Urls) -> None:
    """Every part of the page, and every command that only looks."""
    async with engine(access_to(urls.reader), "observe") as made:
        found = await read(made, PROJECT.build())
    unread = {name: part for name, part in vars(found).items() if isinstance(part, Unread)}
    assert unread == {}
    for command in ("current", "status", "plan", "drift", "verify", "ledger", "services"):
        program = ("alembic",) if command == "current" else ("vegafs",)
        looked = run(*program, command, DATABASE_URL=urls.reader)
        assert looked.code == 0, (command, looked.err)
    refused = run("alembic", "downgrade", "-1", DATABASE_URL=urls.reader)
    assert refused.code == 4, refused.err
    assert "[step-not-permitted]" in refused.err
    assert "done: nothing" in refused.err
