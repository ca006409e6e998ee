"""/migrations: the page. /migrations.json: the same as JSON. /metrics: for Prometheus.

They only look, and are there while the service is not ready: then they are needed most.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from app.ops.access import require_ops
from surefoot.overview import Overview, overview, read
from surefoot.startup.watch import Watch

router = APIRouter(
    tags=["operations"],
    dependencies=[Depends(require_ops)],
    responses={403: {"description": "The key does not have the scope `ops` (`scope-missing`)."}},
)
# What a database says is text: nothing is loaded, run or framed, and nothing is kept.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-{style}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
Before = Annotated[
    int | None, Query(ge=1, description="Show of what was done only the rows before this one.")
]


@router.get("/migrations", summary="Migrations, as a page", response_class=HTMLResponse)
async def migrations_page(request: Request, before: Before = None) -> HTMLResponse:
    """What a person wants to know of the database and its migrations, on one page."""
    # Jinja takes longer to import than the service to start.
    from surefoot.web.page import render, style_sha256  # noqa: PLC0415

    headers = {
        name: value.replace("{style}", style_sha256()) for name, value in PAGE_HEADERS.items()
    }
    return HTMLResponse(render(await _overview(request, before)), headers=headers)


@router.get("/migrations.json", summary="Migrations, as JSON")
async def migrations(request: Request, response: Response, before: Before = None) -> Overview:
    """What the page shows. A part that could not be read is an object with `unread`: the reason."""
    response.headers["Cache-Control"] = "no-store"
    return await _overview(request, before)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}},
)
async def metrics(request: Request) -> Response:
    """What the service knows of its schema; the database is not asked."""
    from surefoot.web.metrics import exposition  # noqa: PLC0415 - as above

    watch: Watch = request.app.state.watch
    accept = request.headers.get("Accept", "")
    body, media_type = exposition(watch, datetime.now(timezone.utc), accept)
    return Response(body, media_type=media_type)


async def _overview(request: Request, before: int | None) -> Overview:
    watch: Watch = request.app.state.watch
    reading = await read(request.app.state.observing, watch.build)
    return overview(watch.build, reading, datetime.now(timezone.utc), before=before)
