"""The page and the figures of `vegafs serve`, as a process."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from harness.databases import Database
from harness.processes import eventually
from tests.support.project import forks
from tests.support.service import served
from tests.support.sites import IDS, make_key, revert

pytestmark = pytest.mark.slow


async def test_a_service_sees_itself_through_a_key_of_the_scope(database: Database) -> None:
    """It has announced itself at its revision."""
    key = await make_key(database, "ops")

    def visit() -> None:
        with served(DATABASE_URL=database.url, VEGAFS_ENVIRONMENT="test") as service:
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=service.wait_until_it_serves(), headers=headers) as client:
                assert eventually(
                    lambda: "vegafs_service_announced 1.0" in client.get("/metrics").text
                )
                (living,) = client.get("/migrations.json").json()["services"]
                assert living["revision"] == IDS[-1]
                assert living["application"].startswith("vegafs-watch@")
                assert client.get("/migrations").status_code == 200
                assert client.get("/migrations", headers={"Authorization": ""}).status_code == 401

    await asyncio.to_thread(visit)


async def test_a_service_that_waits_for_its_migration_shows_what_is_pending(
    database: Database,
) -> None:
    """Nothing else is answered yet; once the migration has run, it is at head."""
    await revert(database, IDS[-3])

    def state(client: httpx.Client) -> Any:
        return client.get("/migrations.json").json()["headline"]["state"]

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def visit() -> None:
        environment = {
            "DATABASE_URL": database.url,
            "VEGAFS_STARTUP_SCHEMA": "wait",
            "VEGAFS_PORT": str(port),
        }
        with (
            served(**environment) as service,
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            assert eventually(lambda: "WAIT" in service.process.said, timeout_s=30)
            assert client.get("/readyz").status_code == 503
            page = client.get("/migrations")
            assert page.status_code == 200
            assert "Pending (2)" in page.text
            assert state(client) == "behind"
            assert "vegafs_schema_pending_revisions 2.0" in client.get("/metrics").text
            run = forks().start("alembic", "upgrade", "head", env={"DATABASE_URL": database.url})
            assert run.wait().code == 0
            assert state(client) == "current"
            assert eventually(lambda: "vegafs_schema_ready 1.0" in client.get("/metrics").text)

    await asyncio.to_thread(visit)
