"""create_app() is the service: `uvicorn --factory app.main:create_app`, or `vegafs serve`.

    lifespan: database -> engine -> start-up check -> watch, sessions, worker -> requests

1. If DATABASE_URL is unset, the embedded PostgreSQL is joined or started.
2. The start-up check compares the database with this build. If this build cannot serve on it, the
   lifespan raises the reason. VEGAFS_STARTUP_SCHEMA decides whether the service waits for a
   database that is behind, refuses it or migrates it. While it waits or migrates, it answers
   /livez, /readyz, the page and the metrics, and no request of the API.
3. The watch checks the schema for as long as the service runs. The API answers and the worker works
   only while this build can serve on it.
4. The worker runs in the same loop as the requests, and puts its job back when the service stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine

import app.files.endpoints
import app.jobs.endpoints
from app import health, openapi, problems
from app.body_limit import BodyLimit
from app.db.engine import PROJECT, available, database
from app.db.migration import migrate
from app.db.session import session_factory
from app.errors import NotReady
from app.jobs.worker import Worker
from app.keys.bearer import require_key
from app.ops.access import knows_key, require_ops
from app.settings import Settings, load_settings
from surefoot import Watch
from surefoot.startup import startup_check
from surefoot.web import overview_app

logger = logging.getLogger(__name__)

API = "/api/v1"


class Service(FastAPI):
    """The application, with an OpenAPI document that describes its errors."""

    def openapi(self) -> dict[str, Any]:
        return openapi.describe(self)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. It connects to nothing before it starts.

    On failure: SettingsInvalid; at the start, the error of the start-up check.
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
    service.state.remembered_keys = {}
    # `vegafs serve` answers probes while it migrates; a server that owns the lifespan cannot.
    service.state.answers_early, service.state.migration = False, None
    service.add_middleware(BodyLimit)
    service.include_router(health.router)
    overview = overview_app(
        lambda: service.state.watch,
        lambda: service.state.observing,
        authorize=require_ops,
        show_details=knows_key,
        metrics_prefix="vegafs",
        command="vegafs",
    )
    # Not mounted: a mount at the root answers 404 to whatever the other routes answer 405.
    service.routes.extend(overview.routes)
    for router in (app.files.endpoints.router, app.jobs.endpoints.router):
        service.include_router(
            router, prefix=API, dependencies=[Depends(require_schema), Depends(require_key)]
        )
    return service


@asynccontextmanager
async def _lifespan(service: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        settings: Settings = service.state.settings
        if settings.database_url is None:
            opened = available(settings)
            settings = await run_sync(opened.__enter__)
            stack.push_async_callback(run_sync, opened.__exit__, None, None, None)
        named = database(settings)
        engine, watching, observing = (named.engine(r) for r in ("app", "watch", "observe"))
        for made in (engine, watching, observing):
            stack.push_async_callback(made.dispose)
        watch = Watch(watching, PROJECT.build())
        with startup_check() as tell:
            verdict = await watch.refresh()
            tell(verdict.state)
            is_late = verdict.state in ("behind", "never-migrated")
            if verdict.error is not None and not (is_late and settings.startup_schema != "refuse"):
                raise verdict.error
        if verdict.ahead:
            logger.info("%s", verdict)
        service.state.engine = engine
        service.state.sessions = session_factory(engine)
        service.state.watch = watch
        service.state.observing = observing
        await stack.enter_async_context(watch.on())
        if is_late and settings.startup_schema == "upgrade":
            migration = asyncio.create_task(migrate(named, watch), name="migration")
            service.state.migration = migration
            stack.push_async_callback(_ended, migration)
            if not service.state.answers_early:
                await migration
        if settings.worker:
            await stack.enter_async_context(_working(engine, settings, watch))
        yield


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel the task and wait for its end, whatever that is."""
    task.cancel()
    await asyncio.wait([task])


async def require_schema(request: Request) -> None:
    """Let the request through while this build can serve on the schema.

    On failure: NotReady. If the database does not answer, the request itself finds out.
    """
    watch: Watch = request.app.state.watch
    if not watch.usable:
        raise NotReady(watch.verdict.state)


@asynccontextmanager
async def _working(engine: AsyncEngine, settings: Settings, watch: Watch) -> AsyncIterator[None]:
    """Run a worker while the block lasts."""
    task = asyncio.create_task(_work(engine, settings, watch), name="worker")
    try:
        yield
    finally:
        await _ended(task)


async def _work(engine: AsyncEngine, settings: Settings, watch: Watch) -> None:
    """Run the worker whenever the schema is usable."""
    while True:
        await watch.until(usable=True)
        async with anyio.create_task_group() as group:
            group.start_soon(Worker(engine, settings).run)
            await watch.until(usable=False)
            group.cancel_scope.cancel()


def _operation_id(route: APIRoute) -> str:
    """The function's name; a generated client names the operation by it."""
    return route.name
