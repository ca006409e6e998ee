"""/livez and /readyz."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from app.db.engine import PROJECT, create_engine
from app.db.session import session_factory
from app.settings import Settings
from harness.clock import within
from harness.databases import Database
from harness.server import Server
from surefoot.chain.lockfile import read_lock
from surefoot.startup.check import TIMEOUT_S
from tests.support.service import application, asking
from tests.support.settings import settings_of

IDS = [revision.id for revision in read_lock(PROJECT.lock)]
HEAD = IDS[-1]
NO_LEDGER = "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only"


@pytest.fixture
async def own(database: Database) -> AsyncIterator[FastAPI]:
    """The application on a database of its own, for tests that change its revision."""
    settings = settings_of(database.url).model_copy(update={"environment": "development"})
    engine = create_engine(settings, "app")
    yield application(settings, engine, session_factory(engine))
    await engine.dispose()


async def execute(service: FastAPI, statement: str) -> None:
    async with service.state.engine.begin() as connection:
        for part in statement.split(";"):
            await connection.execute(text(part))


async def readiness(service: FastAPI) -> tuple[int, dict[str, Any]]:
    await service.state.watch.refresh()
    async with asking(service) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def test_the_process_is_alive_whatever_its_database_does(stranger: httpx.AsyncClient) -> None:
    """Liveness does not ask the database."""
    answer = await stranger.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_at_head_it_is_ready(own: FastAPI, database: Database) -> None:
    """With both revisions, and nothing to do."""
    status, body = await readiness(own)
    assert body.pop("checked_at").endswith("Z")
    assert (status, body) == (
        200,
        {
            "status": "ready",
            "code": "at-head",
            "summary": f"database '{database.name}' is at head {HEAD}",
            "current": HEAD,
            "expected": HEAD,
            "pending": [],
            "ahead": [],
            "drift": None,
            "backfills": None,
            "fix": None,
        },
    )


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            f"{NO_LEDGER}; UPDATE alembic_version SET version_num = '0005'",
            {
                "code": "database-behind",
                "summary": f"database '{{name}}' is at 0005; this build needs {HEAD} "
                f"(pending: {', '.join(IDS[5:])})",
                "current": "0005",
                "pending": IDS[5:],
                "fix": "run `alembic upgrade head`",
            },
        ),
        (
            "UPDATE alembic_version SET version_num = '9999'",
            {
                "code": "database-diverged",
                "summary": "database '{name}' and this build contradict each other: it is at "
                "9999, which neither this build nor its ledger knows",
                "current": "9999",
                "pending": [],
                "fix": "deploy the build that has it, or restore the database that belongs to "
                "this one; a development database is taken back by `vegafs db goto`",
            },
        ),
        (
            f"{NO_LEDGER}; DROP TABLE alembic_version",
            {
                "code": "never-migrated",
                "summary": f"database '{{name}}' was never migrated; this build needs {HEAD}",
                "current": None,
                "pending": IDS,
                "fix": "run `alembic upgrade head`",
            },
        ),
    ],
    ids=["behind", "diverged", "never migrated"],
)
async def test_on_another_revision_it_is_not_ready(
    own: FastAPI, database: Database, statement: str, expected: dict[str, Any]
) -> None:
    """503, with the start-up check's own words and what helps."""
    await execute(own, statement)
    status, body = await readiness(own)
    assert body.pop("checked_at")
    summary = expected["summary"].format(name=database.name)
    assert (status, body) == (
        503,
        {
            "status": "not-ready",
            "expected": HEAD,
            "ahead": [],
            "drift": None,
            "backfills": None,
            **expected,
            "summary": summary,
        },
    )


async def test_a_database_that_refuses_is_named(database: Database) -> None:
    """Nobody listens there."""
    settings = Settings(
        database_url=SecretStr("postgresql://u:secret@127.0.0.1:1/gone"), environment="development"
    )
    engine = create_engine(settings, "app")
    status, body = await readiness(application(settings, engine, session_factory(engine)))
    await engine.dispose()
    assert body.pop("checked_at")
    assert (status, body) == (
        503,
        {
            "status": "not-ready",
            "code": "database-unreachable",
            "summary": "database 'gone' at 127.0.0.1:1 cannot be reached: Connection refused",
            "current": None,
            "expected": HEAD,
            "pending": [],
            "ahead": [],
            "drift": None,
            "backfills": None,
            "fix": "is the server up, and are host and port in DATABASE_URL right?",
        },
    )


@pytest.mark.slow
async def test_a_database_that_is_silent_does_not_make_it_hang() -> None:
    """A server that takes the connection and never answers, as one behind a lost network."""

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1")
    port = silent.sockets[0].getsockname()[1]
    settings = Settings(
        database_url=SecretStr(f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable"),
        environment="development",
        connect_timeout_s=60,
    )
    engine = create_engine(settings, "app")
    began_s = time.monotonic()
    status, body = await readiness(application(settings, engine, session_factory(engine)))
    took_s = time.monotonic() - began_s
    await engine.dispose()
    silent.close()
    assert (status, body["code"]) == (503, "database-unreachable")
    assert body["summary"].endswith("cannot be reached: no answer within 2 s")
    assert took_s < within(5)


@pytest.mark.slow
async def test_a_server_that_stands_still_does_not_make_it_hang(
    own: FastAPI, server: Server
) -> None:
    """The connection is there and was fine a moment ago."""
    if not server.is_ours:
        pytest.skip("the server's processes are not ours to stop")
    async with own.state.engine.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        status, body = await readiness(own)
        took_s = time.monotonic() - began_s
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (status, body["code"]) == (503, "database-unreachable")
    assert took_s < within(TIMEOUT_S + 3)
    assert (await readiness(own))[0] == 200


async def test_strangers_are_told_the_state_alone(
    service: FastAPI, api: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """Names, addresses and revisions are for those who have a key."""
    await service.state.watch.refresh()
    assert (await stranger.get("/readyz")).json() == {"status": "ready", "code": "at-head"}
    wrong = {"Authorization": "Bearer nonsense"}
    assert (await stranger.get("/readyz", headers=wrong)).json().keys() == {"status", "code"}
    assert (await api.get("/readyz")).json().keys() == {
        "status",
        "code",
        "summary",
        "current",
        "expected",
        "pending",
        "ahead",
        "drift",
        "backfills",
        "checked_at",
        "fix",
    }
