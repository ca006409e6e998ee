"""A database to try things on, in the order of preference: beside the one that VEGAFS_SCRATCH_URL
names, on the developer's embedded server, on a throw-away server.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.settings import Settings
from surefoot.connect.driver import connect_arguments, connect_to_migrate, database_url, shown
from surefoot.connect.failures import explained
from surefoot.embedded import EmbeddedServer, database, find_binaries

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
PARENT = _MEMORY if _MEMORY.is_dir() else None


@asynccontextmanager
async def scratch(settings: Settings, *, major: int | None = None) -> AsyncIterator[AsyncEngine]:
    """An empty database, which is gone after the block.

    A throw-away server is of that major, where there is one.

    On failure: ServerBinariesMissing, ServerStartFailed; with VEGAFS_SCRATCH_URL what connecting
    can meet, and PermissionMissing where its role may not create a database.
    """
    if settings.scratch_url is not None:
        async with _beside(settings, settings.scratch_url.get_secret_value()) as engine:
            yield engine
        return
    if settings.database_url is None and settings.migrate_database_url is None:
        with database(settings) as named:
            assert named.database_url is not None
            async with _beside(named, named.database_url.get_secret_value()) as engine:
                yield engine
        return
    with tempfile.TemporaryDirectory(prefix="vegafs-scratch-", dir=PARENT) as folder:
        server = EmbeddedServer(
            Path(folder) / "server",
            bindir=settings.pg_bindir,
            major=major if find_binaries(settings.pg_bindir, major=major) else None,
            durable=False,
            remove_at_end=True,
        )
        with server.use() as running:
            async with _engine(settings, running.url()) as engine:
                yield engine


@asynccontextmanager
async def _beside(settings: Settings, url: str) -> AsyncIterator[AsyncEngine]:
    """A database of our own on the server of the one that is named, which stays as it is."""
    named = _naming(settings, url)
    address = database_url(named)
    name = f"vegafs_scratch_{uuid.uuid4().hex[:12]}"
    with explained(shown(address)):
        admin = await connect_to_migrate(**connect_arguments(named, "migrate", address))
    try:
        with explained(shown(address)):
            await admin.execute(f"CREATE DATABASE {name}")
        async with _engine(settings, urlsplit(url)._replace(path=f"/{name}").geturl()) as engine:
            yield engine
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


@asynccontextmanager
async def _engine(settings: Settings, url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(_naming(settings, url), "migrate")
    try:
        yield engine
    finally:
        await engine.dispose()


def _naming(settings: Settings, url: str) -> Settings:
    return settings.model_copy(
        update={"database_url": SecretStr(url), "migrate_database_url": None}
    )
