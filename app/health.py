"""/livez: the process answers. /readyz: and its database is what it needs.

Liveness never looks at the database: a service must not be restarted because its database is away.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.failures import DATABASE_ERRORS, address
from app.errors import DatabaseUnreachable, KeyUnknown, VegafsError
from app.keys.bearer import scheme
from app.keys.repository import recognise
from app.migrate.proof.startup import Verdict, check
from app.settings import REVISIONS_LOCK

# To close a connection that hangs takes up to two seconds more; a probe's patience is about five.
CHECK_TIMEOUT_S = 2.0
KEPT_S = 1.0

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Glance(BaseModel):
    """What everybody may know."""

    status: Literal["ready", "not-ready"]
    code: str = Field(description="at-head, or why the service is not ready.", examples=["at-head"])


class Readiness(Glance):
    """Whether the service can serve, and what helps if it cannot."""

    summary: str = Field(examples=["database 'vegafs' is at head 0007"])
    current: str | None = Field(description="The database's revision.", examples=["0007"])
    expected: str | None = Field(description="This build's newest revision.", examples=["0007"])
    pending: tuple[str, ...] = Field(description="The revisions that the database lacks.")
    checked_at: datetime
    fix: str | None


class Probe:
    """Looks at the database when asked, but not more often than once in KEPT_S."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = anyio.Lock()
        self._last: Readiness | None = None
        self._looked_s = 0.0

    async def look(self) -> Readiness:
        """What the database is now. It answers within five seconds, whatever the database does."""
        async with self._turn:
            if self._last is None or time.monotonic() - self._looked_s >= KEPT_S:
                self._last = await self._check()
                self._looked_s = time.monotonic()
            return self._last

    async def _check(self) -> Readiness:
        url = self._engine.url
        silence = f"no answer within {CHECK_TIMEOUT_S:.0f} s"
        error: VegafsError | None = DatabaseUnreachable(url.database or "", address(url), silence)
        verdict: Verdict | None = None
        try:
            with anyio.move_on_after(CHECK_TIMEOUT_S):
                verdict = await check(self._engine, REVISIONS_LOCK)
                error = verdict.error()
        except VegafsError as met:
            error = met
        return Readiness(
            status="not-ready" if error else "ready",
            code=error.code if error else "at-head",
            summary=str(error)
            if error
            else f"database {url.database!r} is at head {verdict.current if verdict else ''}",
            current=verdict.current if verdict else None,
            expected=verdict.expected if verdict else None,
            pending=verdict.pending if verdict else (),
            checked_at=datetime.now(timezone.utc),
            fix=error.help if error else None,
        )


@router.get("/livez", summary="Liveness")
async def live() -> Alive:
    """The process answers; whatever its database does."""
    return Alive()


@router.get(
    "/readyz",
    summary="Readiness",
    responses={503: {"model": Readiness | Glance, "description": "It cannot serve."}},
)
async def ready(
    request: Request,
    response: Response,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
) -> Readiness | Glance:
    """Whether the database is at the revision that this build needs.

    Outside of development, a request without a key is told `status` and `code` alone.
    """
    probe: Probe = request.app.state.probe
    readiness = await probe.look()
    if readiness.status != "ready":
        response.status_code = 503
    if request.app.state.settings.environment == "development":
        return readiness
    known = credentials is not None and await _knows(request, credentials.credentials)
    return readiness if known else Glance(status=readiness.status, code=readiness.code)


async def _knows(request: Request, key: str) -> bool:
    """Whether the key is in force, as far as the database can tell."""
    try:
        with anyio.move_on_after(CHECK_TIMEOUT_S):
            async with request.app.state.sessions.begin() as session:
                await recognise(session, key)
                return True
    except (KeyUnknown, *DATABASE_ERRORS):
        pass
    return False
