"""Sessions: one factory an engine, one session a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

SessionFactory = async_sessionmaker[AsyncSession]


def session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions on the engine. Objects stay readable after a commit, which awaits nothing."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def request_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's session; it commits when the endpoint returns and rolls back when it raises."""
    factory = cast("SessionFactory", request.app.state.sessions)
    async with factory.begin() as session:
        yield session
