"""Errors that are nobody's own: what Starlette, the database and a mistake of ours raise."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.db.engine import create_engine
from app.db.session import session_factory
from app.settings import Settings
from harness.databases import WAITING, Database
from tests.support.service import application, asked, asking, serving, with_volumes
from tests.support.settings import settings_of


@pytest.mark.parametrize(
    ("method", "path", "status", "title", "detail"),
    [
        ("GET", "/nope", 404, "Not Found", "there is nothing at /nope"),
        (
            "DELETE",
            "/api/v1/files",
            405,
            "Method Not Allowed",
            "/api/v1/files does not take DELETE",
        ),
    ],
)
async def test_what_the_framework_refuses_is_a_problem(
    api: httpx.AsyncClient, method: str, path: str, status: int, title: str, detail: str
) -> None:
    """In the same form as all others."""
    answer = await api.request(method, path)
    code = title.lower().replace(" ", "-")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"urn:vegafs:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "help": "GET /openapi.json lists the paths and methods",
    }
    assert status != 405 or answer.headers["allow"] == "GET"


async def test_the_librarys_routes_refuse_with_problems_too(database: Database) -> None:
    """As those of the API do."""
    settings = with_volumes(settings_of(database.url), environment="development", worker=False)
    async with serving(settings) as client:
        invalid = await client.get("/migrations.json", params={"before": "0"})
        wrong_method = await client.post("/migrations")
    message = "Input should be an integer of at least 1"
    assert (invalid.status_code, invalid.json()) == (
        422,
        {
            "type": "urn:vegafs:request-invalid",
            "title": "Parts of the request are missing, unknown or invalid",
            "status": 422,
            "detail": f"query.before: {message}",
            "instance": "/migrations.json",
            "code": "request-invalid",
            "help": "GET /openapi.json describes the request",
            "errors": [{"where": "query.before", "message": message}],
        },
    )
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, "method-not-allowed")


async def test_a_mistake_of_ours_shows_neither_stack_nor_sql(
    service: FastAPI, api: httpx.AsyncClient
) -> None:
    """500; the server logs what the answer hides."""

    @service.get("/broken")
    async def broken() -> None:
        raise RuntimeError("SELECT secret FROM safe")

    @service.get("/bad-sql")
    async def bad_sql() -> None:
        async with service.state.sessions.begin() as session:
            await session.execute(text("SELECT 1 FROM files WHERE 1 / 0 = 1 LIMIT 1 + 'secret'"))

    for path in ("/broken", "/bad-sql"):
        answer = await api.get(path)
        assert answer.status_code == 500
        assert answer.json() == {
            "type": "urn:vegafs:internal-error",
            "title": "The service failed, not the request",
            "status": 500,
            "detail": "the request could not be answered",
            "instance": path,
            "code": "internal-error",
            "help": "the service's log has the reason",
        }


AWAY: dict[str, Any] = {
    "type": "urn:vegafs:database-unreachable",
    "title": "The database does not answer",
    "status": 503,
    "detail": "the database does not answer at the moment",
    "instance": "/api/v1/files",
    "code": "database-unreachable",
    "help": "try again in a few seconds",
}


BUSY: dict[str, Any] = {
    **AWAY,
    "type": "urn:vegafs:database-busy",
    "title": "The database is too busy",
    "detail": "the database is too busy for this request at the moment",
    "code": "database-busy",
}


async def test_a_database_that_is_away_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """503 to the client, without an address; the log has it."""
    settings = Settings.model_validate({"database_url": "postgresql://u:secret@127.0.0.1:1/gone"})
    engine = create_engine(settings, "app")
    service = application(settings, engine, session_factory(engine))
    with caplog.at_level(logging.WARNING):
        async with asking(service, "any") as client:
            answer = await client.get("/api/v1/files")
    await engine.dispose()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json() == AWAY
    assert caplog.messages == [
        "GET /api/v1/files: database 'gone' at 127.0.0.1:1 cannot be reached: Connection refused"
    ]


async def test_a_pool_without_a_free_connection_is_a_problem(database: Database) -> None:
    """503 as well: later it may work."""
    settings = with_volumes(
        settings_of(database.url),
        pool_size=1,
        pool_max_overflow=0,
        pool_timeout_s=0.05,
        worker=False,
    )
    async with serving(settings) as client:
        service = asked(client)
        async with service.state.engine.connect():
            answer = await client.get("/api/v1/files")
        assert (answer.status_code, answer.json()) == (503, BUSY)
        assert (await client.get("/api/v1/files")).status_code == 200


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "ends",
    [
        # Who has waited for a second looks for a deadlock and ends itself: the request.
        "LOCK TABLE api_keys",
        f"SELECT pg_cancel_backend(pid) FROM {WAITING}",
    ],
    ids=["deadlock", "cancelled"],
)
async def test_a_request_that_the_server_ended_may_be_sent_again(
    database: Database, ends: str
) -> None:
    """503: for the sake of another, or because somebody or a timeout said so."""
    async with serving(with_volumes(settings_of(database.url), worker=False)) as client:
        service = asked(client)
        while service.state.watch.agrees is None:
            # The comparison of the schema reads every table, too.
            await asyncio.sleep(0.01)
        async with service.state.engine.begin() as other:
            await other.execute(text("LOCK TABLE files"))
            request = asyncio.create_task(client.get("/api/v1/files"))
            waiting = text(f"SELECT count(*) FROM {WAITING}")
            while not await other.scalar(waiting):
                await asyncio.sleep(0.02)
            await other.execute(text(ends))
        answer = await request
        assert (answer.status_code, answer.json()) == (503, BUSY)


async def test_a_right_that_is_missing_is_ours_to_mend(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """500, and the log names what to grant."""
    async with serving(with_volumes(settings_of(database.url), worker=False)) as client:
        service = asked(client)

        @service.get("/forbidden")
        async def forbidden() -> None:
            async with service.state.sessions.begin() as session:
                await session.execute(text("CREATE ROLE vegafs_test_nobody"))
                await session.execute(text("SET LOCAL ROLE vegafs_test_nobody"))
                await session.execute(text("SELECT * FROM files"))

        answer = await client.get("/forbidden")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "permission denied for table files" in caplog.messages[-1]


async def test_connections_that_the_server_ended_are_replaced(database: Database) -> None:
    """A restart of the database costs no request that comes after it."""
    async with serving(with_volumes(settings_of(database.url), worker=False)) as client:
        assert (await client.get("/api/v1/files")).status_code == 200
        service = asked(client)
        killer = create_engine(settings_of(database.url), "observe")
        async with killer.connect() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await killer.dispose()
        assert (await client.get("/api/v1/files")).status_code == 200
        assert service.state.engine.pool.checkedin() == 1
