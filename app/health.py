"""/livez: the process answers. /readyz: and its database is what it needs.

Liveness never looks at the database: a service must not be restarted because its database is away.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from app.errors import KeyUnknown
from app.keys.bearer import scheme
from app.keys.repository import recognise
from surefoot.connect.failures import DATABASE_ERRORS
from surefoot.startup.check import TIMEOUT_S
from surefoot.startup.watch import Watch

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
    ahead: tuple[str, ...] = Field(description="The revisions that this build does not know.")
    drift: bool | None = Field(
        description="Whether the schema is another one than revisions.lock expects at the "
        "database's revision; null where that is not known. No reason to be unready."
    )
    checked_at: datetime
    fix: str | None


def describe(watch: Watch) -> Readiness:
    """What the watch knows, as /readyz tells it."""
    verdict = watch.verdict
    error = verdict.error
    return Readiness(
        status="not-ready" if error else "ready",
        code=error.code if error else "ahead" if verdict.ahead else "at-head",
        summary=str(verdict),
        current=verdict.current,
        expected=verdict.expected,
        pending=verdict.pending,
        ahead=tuple(stranger.id for stranger in verdict.ahead),
        drift=None if watch.agrees is None else not watch.agrees,
        checked_at=watch.checked_at,
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
    readiness = describe(request.app.state.watch)
    if readiness.status != "ready":
        response.status_code = 503
    if request.app.state.settings.environment == "development":
        return readiness
    known = credentials is not None and await _knows(request, credentials.credentials)
    return readiness if known else Glance(status=readiness.status, code=readiness.code)


async def _knows(request: Request, key: str) -> bool:
    """Whether the key is in force, as far as the database can tell."""
    try:
        with anyio.move_on_after(TIMEOUT_S):
            async with request.app.state.sessions.begin() as session:
                await recognise(session, key)
                return True
    except (KeyUnknown, *DATABASE_ERRORS):
        pass
    return False
