"""The key of a request: `Authorization: Bearer KEY`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import request_session
from app.errors import KeyMissing
from app.keys.repository import recognise

scheme = HTTPBearer(
    scheme_name="bearer",
    description="An API key. `vegafs keys create NAME` makes one.",
    auto_error=False,
)


async def require_key(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
    session: Annotated[AsyncSession, Depends(request_session, scope="function")],
) -> None:
    """Let the request through if it has a valid key; `request.state.key` is the key's name.

    On failure: KeyMissing, KeyUnknown.
    """
    if credentials is None:
        raise KeyMissing
    request.state.key = await recognise(session, credentials.credentials)
