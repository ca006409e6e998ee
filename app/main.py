"""create_app() is the service: `uvicorn --factory app.main:create_app`, or `vegafs serve`.

    lifespan: database -> engine -> start-up check -> sessions, probe, worker -> requests

1. Where DATABASE_URL is unset, the embedded PostgreSQL is joined or started.
2. The start-up check compares the database with this build. Unless the database is at head the
   lifespan raises what is wrong, and nothing is served.
3. The worker runs beside the requests, and puts its job back when the service stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine

import app.files.endpoints
import app.jobs.endpoints
from app import health, openapi, problems
from app.db.embedded import database
from app.db.engine import create_engine
from app.db.session import session_factory
from app.jobs.worker import Worker
from app.keys.bearer import require_key
from app.migrate.proof.startup import check
from app.settings import REVISIONS_LOCK, Settings, load_settings

API = "/api/v1"


class Service(FastAPI):
    """The application, with the OpenAPI document that names its errors."""

    def openapi(self) -> dict[str, Any]:
        return openapi.describe(self)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. It touches nothing before it is started.

    On failure: SettingsInvalid; when it is started, whatever the start-up check says.
    """
    service = Service(
        title="VēgaFS",
        version=version("vegafs"),
        description="A catalogue of files, and the jobs that fill it.",
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    service.state.settings = settings or load_settings()
    problems.install(service)
    service.include_router(health.router)
    for router in (app.files.endpoints.router, app.jobs.endpoints.router):
        service.include_router(router, prefix=API, dependencies=[Depends(require_key)])
    return service


@asynccontextmanager
async def _lifespan(service: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        settings: Settings = service.state.settings
        if settings.database_url is None:
            opened = database(settings)
            settings = await run_sync(opened.__enter__)
            stack.push_async_callback(run_sync, opened.__exit__, None, None, None)
        engine = create_engine(settings, "app")
        stack.push_async_callback(engine.dispose)
        verdict = await check(engine, REVISIONS_LOCK)
        error = verdict.error()
        if error is not None:
            raise error
        service.state.engine = engine
        service.state.sessions = session_factory(engine)
        service.state.probe = health.Probe(engine)
        if settings.worker:
            await stack.enter_async_context(_working(engine, settings))
        yield


@asynccontextmanager
async def _working(engine: AsyncEngine, settings: Settings) -> AsyncIterator[None]:
    """A worker for as long as the block lasts."""
    task = asyncio.create_task(Worker(engine, settings).run(), name="worker")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _operation_id(route: APIRoute) -> str:
    """The function's name: what a generated client calls the operation."""
    return route.name
