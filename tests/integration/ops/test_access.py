"""Who may see /migrations, /migrations.json and /metrics."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import session_factory
from app.keys import repository as keys
from harness.databases import Database, execute
from tests.support.service import URL, application, asked, asking
from tests.support.settings import engine, settings_of
from tests.support.sites import NOWHERE, make_key

PATHS = ["/migrations", "/migrations.json", "/metrics"]


@pytest.fixture
async def watched(service: FastAPI) -> FastAPI:
    """The application, once it has looked at its schema."""
    await service.state.watch.refresh()
    return service


@pytest.fixture
async def operator(watched: FastAPI, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose key has the scope."""
    key = await keys.create(session, "monitoring", ["ops"])
    await session.commit()
    async with asking(watched, key) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_of_the_scope_is_let_in(operator: httpx.AsyncClient, path: str) -> None:
    """And what is answered stays with whoever asked."""
    answer = await operator.get(path)
    assert answer.status_code == 200
    if path != "/metrics":
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_without_the_scope_is_a_problem(
    watched: FastAPI, api: httpx.AsyncClient, path: str
) -> None:
    """It names the key, and the command that makes one which has it."""
    assert asked(api) is watched
    answer = await api.get(path)
    assert answer.status_code == 403
    assert answer.json() == {
        "type": "urn:vegafs:scope-missing",
        "title": "The API key lacks a scope",
        "status": 403,
        "detail": "the key 'test' does not have the scope 'ops'",
        "instance": path,
        "code": "scope-missing",
        "help": "`vegafs keys create NAME --scope ops` creates a key that has it",
        "name": "test",
        "scope": "ops",
    }


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_key_a_browser_is_asked_for_one(
    watched: FastAPI, stranger: httpx.AsyncClient, path: str
) -> None:
    """A key that nobody made is asked for again."""
    assert asked(stranger) is watched
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await stranger.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Basic realm="vegafs')


async def test_the_key_is_the_password_here_and_nowhere_else(
    operator: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    """A cookie that a browser sends by itself changes nothing in the API."""
    key = operator.headers["Authorization"].removeprefix("Bearer ")
    login = base64.b64encode(f"anybody:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    assert (await stranger.get("/migrations", headers=headers)).status_code == 200
    assert (await stranger.get("/api/v1/jobs", headers=headers)).status_code == 401
    assert (await operator.get("/api/v1/jobs")).status_code == 200


@pytest.mark.slow
async def test_in_development_nobody_needs_a_key(database: Database) -> None:
    """The machine is one's own, and the database may be too old to have keys."""
    settings = settings_of(database.url).model_copy(update={"environment": "development"})
    async with engine(settings, "app") as made:
        service = application(settings, made, session_factory(made))
        await service.state.watch.refresh()
        async with asking(service) as client:
            for path in PATHS:
                assert (await client.get(path)).status_code == 200


async def test_a_key_is_remembered_while_the_database_is_away(database: Database) -> None:
    """One that was in force a moment ago sees that it is away; another one is told to come back."""
    key, other = await make_key(database, "ops"), await make_key(database)
    async with engine(settings_of(database.url), "app") as made, engine(NOWHERE, "app") as gone:
        service = application(settings_of(database.url), made, session_factory(made))
        async with asking(service, key) as client:
            await service.state.watch.refresh()
            assert (await client.get("/metrics")).status_code == 200
            service.state.sessions = session_factory(gone)
            service.state.observing = gone
            assert (await client.get("/metrics")).status_code == 200
            seen = (await client.get("/migrations.json")).json()
            assert seen["headline"]["state"] == "unreachable"
            assert seen["services"] == {"unread": "the database does not answer"}
            for unknown in (other, "nonsense"):
                answer = await client.get(
                    f"{URL}/metrics", headers={"Authorization": f"Bearer {unknown}"}
                )
                assert (answer.status_code, answer.json()["code"]) == (503, "database-unreachable")


@pytest.mark.parametrize(
    ("older", "status", "code"),
    [
        ("ALTER TABLE api_keys DROP COLUMN scopes", 403, "scope-missing"),
        ("DROP TABLE api_keys", 401, "key-unknown"),
    ],
)
async def test_a_schema_from_before_keys_had_scopes_lets_nobody_in(
    database: Database, older: str, status: int, code: str
) -> None:
    """There no key of the scope can have been made."""
    key = await make_key(database, "ops")
    await execute(database.url, older)
    async with engine(settings_of(database.url), "app") as made:
        service = application(settings_of(database.url), made, session_factory(made))
        async with asking(service, key) as client:
            answer = await client.get("/migrations")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
