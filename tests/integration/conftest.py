"""The service on the savepoint tier: no worker, and nothing left behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.db.session import SessionFactory
from app.keys import repository as keys
from app.settings import Settings
from tests.support.service import application, asking


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of the volume `data`."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def service(shared_engine: AsyncEngine, sessions: SessionFactory, root: Path) -> FastAPI:
    """The application with the volume `data`, as a request finds it."""
    settings = Settings(environment="test", volumes={"data": root})
    return application(settings, shared_engine, sessions)


@pytest.fixture
async def api(service: FastAPI, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key."""
    key = await keys.create(session, "test")
    await session.commit()
    async with asking(service, key) as client:
        yield client


@pytest.fixture
async def stranger(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with asking(service) as client:
        yield client
