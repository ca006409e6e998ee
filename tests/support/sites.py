"""Databases in every state that the page at /migrations shows, and a service that has a port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from app.db.engine import PROJECT
from app.db.session import session_factory
from app.keys import repository as keys
from app.settings import Settings
from harness.databases import Database, connect, execute
from harness.states import wait_until
from surefoot.chain.lockfile import read_lock
from surefoot.connect.limits import Limits
from surefoot.errors import UpgradeFailed
from surefoot.run.commands import downgrade, upgrade
from surefoot.startup.check import Build
from surefoot.startup.watch import Watch
from surefoot.target import Target
from tests.support.service import application
from tests.support.settings import engine, settings_of

NOWHERE = Settings(
    database_url=SecretStr("postgresql://u:secret@127.0.0.1:1/gone"), environment="test"
)
# It locks api_keys, and adds a column.
SCOPES = "0008"
IDS = [revision.id for revision in read_lock(PROJECT.lock)]


@dataclass(frozen=True)
class Site:
    """Where a service is reached."""

    url: str
    service: FastAPI


@asynccontextmanager
async def site(settings: Settings, build: Build | None = None) -> AsyncIterator[Site]:
    """The service of a build, with a port of its own."""
    async with engine(settings, "app") as made, engine(settings, "observe") as observing:
        service = application(settings, made, session_factory(made))
        service.state.observing = observing
        if build is not None:
            service.state.watch = Watch(made, build)
        await service.state.watch.refresh()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            config = uvicorn.Config(service, lifespan="off", log_level="critical")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve([listening]))
            try:
                yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", service)
            finally:
                server.should_exit = True
                await task


def older_build() -> Build:
    """The build before this one."""
    return Build.of(read_lock(PROJECT.lock)[:-1])


async def make_key(database: Database, *scopes: str) -> str:
    """A key on the database."""
    async with (
        engine(settings_of(database.url), "app") as made,
        session_factory(made).begin() as session,
    ):
        return await keys.create(session, f"for {', '.join(scopes) or 'the API'}", scopes)


async def revert(database: Database, to: str) -> None:
    """Take the database to an earlier revision."""
    async with engine(settings_of(database.url), "migrate") as made:
        await downgrade(Target.of(made), to)


async def fail(database: Database) -> None:
    """Leave the database before SCOPES, with an upgrade that met a column made by hand."""
    await revert(database, IDS[IDS.index(SCOPES) - 1])
    await execute(database.url, "ALTER TABLE api_keys ADD COLUMN scopes int")
    async with engine(settings_of(database.url), "migrate") as made:
        with contextlib.suppress(UpgradeFailed):
            await upgrade(Target.of(made), "head")
    await execute(database.url, "ALTER TABLE api_keys DROP COLUMN scopes")


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[None]:
    """An upgrade that waits for somebody's transaction for as long as the block lasts."""
    await revert(database, IDS[IDS.index(SCOPES) - 1])
    report = await connect(database.url, "nightly report")
    async with engine(settings_of(database.url), "migrate") as made:
        await report.execute("BEGIN; SELECT count(*) FROM api_keys")
        patient = Limits(lock_timeout_s=60, patient_lock_timeout_s=60)
        target = replace(Target.of(made), limits=patient)
        task = asyncio.create_task(upgrade(target, "head"))
        try:
            watcher = await connect(database.url)
            await wait_until(
                watcher,
                "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted "
                "AND relation = 'api_keys'::regclass",
            )
            await watcher.close()
            yield
        finally:
            await report.close()
            await task
