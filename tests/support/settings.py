"""Settings for tests, and engines as the service makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.settings import Settings
from surefoot.connect.database import Role


def settings_of(url: str) -> Settings:
    """Settings that name a database."""
    return Settings(database_url=SecretStr(url), environment="test")


@asynccontextmanager
async def engine(settings: Settings, role: Role) -> AsyncIterator[AsyncEngine]:
    """An engine of the service's factory, whose connections end with the block."""
    made = create_engine(settings, role)
    try:
        yield made
    finally:
        await made.dispose()
