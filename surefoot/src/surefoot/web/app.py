"""overview_app() is the application: four routes, which all answer GET and change nothing.

    /migrations        the page             asks the database, for at most a few seconds
    /migrations.json   the same as JSON     asks the database
    /metrics           for Prometheus       asks the watch
    /readyz            for probes           asks the watch

All of them answer while the service is not ready.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, TypeVar

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from surefoot.errors.disclosure import in_json
from surefoot.overview import Overview, overview, read, texts
from surefoot.startup.watch import Watch
from surefoot.web.readiness import Readiness

# None lets the request through; a response is sent instead of the answer.
Authorize = Callable[[Request], Awaitable[Response | None]]
_T = TypeVar("_T")

# The page shows text from the database: it may load, run and frame nothing, and is never cached.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-{style}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# The drift that a probe's answer tells is of this moment, if that is known so soon.
COMPARE_S = 0.25
NOT_A_ROW = "query.before: Input should be an integer of at least 1"


def overview_app(
    watch: Watch | Callable[[], Watch],
    engine: AsyncEngine | Callable[[], AsyncEngine],
    *,
    authorize: Authorize | None,
    show_details: Callable[[Request], Awaitable[bool]] | None = None,
    metrics_prefix: str = "surefoot",
    command: str = "surefoot",
) -> Router:
    """The application, for Starlette and FastAPI: mount it below a prefix, or add its `routes`.

    `watch` and `engine` may be functions, for a service that connects when it starts; the engine
    makes read-only sessions. `authorize` is awaited before the page, the JSON and the metrics are
    answered, and may raise an exception that the service handles; None lets everybody in.
    `show_details` decides whether /readyz answers with more than status and code; without it,
    `authorize` decides. The texts name the library's command as `command`.
    """

    def protected(respond: Callable[[Request], Awaitable[Response]]) -> Any:
        async def endpoint(request: Request) -> Response:
            refusal = await authorize(request) if authorize is not None else None
            return refusal if refusal is not None else await respond(request)

        return endpoint

    async def current(request: Request) -> Overview:
        before, build = _before(request), _given(watch).build
        reading = await read(_given(engine), build)
        now = datetime.now(timezone.utc)
        return overview(build, reading, now, before=before, command=command)

    async def page(request: Request) -> Response:
        # Jinja takes longer to import than a service to start.
        from surefoot.web.page import render, split, style_sha256  # noqa: PLC0415

        seen, build = await current(request), _given(watch).build

        def made() -> str:
            newest = {link.id for link in split(seen.chain)[1]}
            return render(seen, texts(build, newest), command=command)

        headers = {k: v.replace("{style}", style_sha256()) for k, v in PAGE_HEADERS.items()}
        return HTMLResponse(await to_thread.run_sync(made), headers=headers)

    async def page_json(request: Request) -> Response:
        return _json(asdict(await current(request)), headers={"Cache-Control": "no-store"})

    async def metrics(request: Request) -> Response:
        from surefoot.web.metrics import exposition  # noqa: PLC0415 - as above

        accept = request.headers.get("Accept", "")
        now = datetime.now(timezone.utc)
        body, media_type = exposition(_given(watch), now, accept, prefix=metrics_prefix)
        return Response(body, media_type=media_type)

    async def ready(request: Request) -> Response:
        watched = _given(watch)
        detailed = await may_see_details(request)
        if detailed:
            await watched.compared(COMPARE_S)
        readiness = Readiness.of(watched)
        body = asdict(readiness)
        if not detailed:
            body = {name: body[name] for name in ("status", "code")}
        return _json(body, 200 if readiness.status == "ready" else 503)

    async def may_see_details(request: Request) -> bool:
        if show_details is not None:
            return await show_details(request)
        # A probe gets its answer even if the check of its key fails.
        with contextlib.suppress(Exception):
            return authorize is None or await authorize(request) is None
        return False

    return Router(
        [
            Route("/migrations", protected(page)),
            Route("/migrations.json", protected(page_json)),
            Route("/metrics", protected(metrics)),
            Route("/readyz", ready),
        ]
    )


def _given(value: _T | Callable[[], _T]) -> _T:
    return value() if callable(value) else value


def _before(request: Request) -> int | None:
    """The query's `before`. On failure: HTTPException."""
    value = request.query_params.get("before")
    if value is None:
        return None
    try:
        row = int(value)
    except ValueError:
        row = 0
    if row < 1:
        raise HTTPException(422, NOT_A_ROW)
    return row


def _json(
    value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = in_json(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_moment))
    return Response(body, status, headers, media_type="application/json")


def _moment(value: object) -> str:
    assert isinstance(value, datetime), type(value)
    return value.isoformat().replace("+00:00", "Z")
