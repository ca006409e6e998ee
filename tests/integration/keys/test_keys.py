"""API keys: what is kept of them, and what a request needs of them."""

import hashlib
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey
from app.errors import KeyNameTaken, KeyNotFound, KeyUnknown
from app.keys import repository

OPEN = {"/livez", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


async def test_only_the_hash_of_a_key_is_kept(session: AsyncSession) -> None:
    """256 random bits behind a prefix that tells what it is."""
    key = await repository.create(session, "laptop")
    kept = (await session.scalars(select(ApiKey))).one()
    assert key.startswith("vegafs_")
    assert len(key) == len("vegafs_") + 43
    assert kept.key_sha256 == hashlib.sha256(key.encode()).digest()
    assert (kept.name, kept.last_used_at, kept.revoked_at) == ("laptop", None, None)
    assert await repository.recognise(session, key) == "laptop"


async def test_a_name_is_taken_until_its_key_is_revoked(session: AsyncSession) -> None:
    """Then the old key stays out of force."""
    old = await repository.create(session, "laptop")
    with pytest.raises(KeyNameTaken) as caught:
        await repository.create(session, "laptop")
    assert caught.value.render() == (
        "REFUSED [key-name-taken]  a key 'laptop' is in force and cannot be shown again\n"
        "  help: choose another name, or run `vegafs keys revoke laptop` first"
    )
    await repository.revoke(session, "laptop")
    new = await repository.create(session, "laptop")
    assert await repository.recognise(session, new) == "laptop"
    with pytest.raises(KeyUnknown):
        await repository.recognise(session, old)
    assert [key.revoked_at is None for key in await repository.find(session)] == [False, True]


async def test_a_key_that_is_not_in_force_cannot_be_revoked(session: AsyncSession) -> None:
    """Whoever misspells a name learns it."""
    with pytest.raises(KeyNotFound) as caught:
        await repository.revoke(session, "latpop")
    assert caught.value.render() == (
        "ERROR [key-not-found]  no key 'latpop' is in force\n"
        "  help: `vegafs keys list` shows the keys"
    )


async def test_use_is_noted_at_most_once_a_minute(session: AsyncSession) -> None:
    """A request that is followed by others does not write each time."""
    key = await repository.create(session, "laptop")

    async def used_after(ago: timedelta) -> bool:
        moment = datetime.now(timezone.utc) - ago
        await session.execute(update(ApiKey).values(last_used_at=moment))
        await repository.recognise(session, key)
        return bool(await session.scalar(select(ApiKey.last_used_at != moment)))

    await repository.recognise(session, key)
    assert await session.scalar(select(ApiKey.last_used_at == func.now()))
    assert not await used_after(timedelta(seconds=50))
    assert await used_after(timedelta(seconds=70))


async def test_a_request_without_a_key_is_a_problem(stranger: httpx.AsyncClient) -> None:
    """It says how to send one, and how to make one."""
    answer = await stranger.get("/api/v1/files")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="vegafs"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:vegafs:key-missing",
        "title": "The request has no API key",
        "status": 401,
        "detail": "the request has no API key",
        "instance": "/api/v1/files",
        "code": "key-missing",
        "help": "send `Authorization: Bearer KEY`; `vegafs keys create NAME` creates a key",
    }


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Bearer nonsense", "key-unknown"),
        ("Bearer ", "key-missing"),
        ("Basic dXNlcjpwYXNz", "key-missing"),
        ("nonsense", "key-missing"),
    ],
)
async def test_a_wrong_key_is_a_problem(
    stranger: httpx.AsyncClient, authorization: str, code: str
) -> None:
    """Whatever is wrong with it."""
    answer = await stranger.get("/api/v1/files", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_a_revoked_key_is_a_problem(api: httpx.AsyncClient, session: AsyncSession) -> None:
    """From the next request on."""
    assert (await api.get("/api/v1/files")).status_code == 200
    await repository.revoke(session, "test")
    await session.commit()
    answer = await api.get("/api/v1/files")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="vegafs", error="invalid_token"'
    assert answer.json() == {
        "type": "urn:vegafs:key-unknown",
        "title": "The API key of the request is not in force",
        "status": 401,
        "detail": "the API key is not in force: it was revoked, or belongs to another database",
        "instance": "/api/v1/files",
        "code": "key-unknown",
        "help": "`vegafs keys create NAME` creates a key",
    }


async def test_nothing_but_health_and_documentation_is_open(
    service: FastAPI, stranger: httpx.AsyncClient
) -> None:
    """Every path and method that the service has, asked by a stranger."""
    paths = set(service.openapi()["paths"]) | OPEN
    assert len(paths) > len(OPEN)
    refused = set()
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = await stranger.request(method, path.format(job_id=1), json={})
            if answer.status_code == 401:
                refused.add(path)
            else:
                assert path in OPEN or answer.status_code == 405, (method, path, answer.text)
    assert refused == paths - OPEN
    assert all(
        not isinstance(route, APIRoute) or route.include_in_schema for route in service.routes
    )
