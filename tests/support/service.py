"""The service for tests: asked in process without a port, or started as a process of its own."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import PROJECT
from app.db.session import SessionFactory
from app.keys import repository as keys
from app.main import create_app
from app.settings import Settings
from harness.forks import Forks
from harness.processes import eventually
from surefoot.startup.watch import Watch
from tests.support.project import forks

URL = "http://service.test"


def application(settings: Settings, engine: AsyncEngine, sessions: SessionFactory) -> FastAPI:
    """The application as its lifespan leaves it, on sessions of the test's."""
    service = create_app(settings)
    service.state.engine = service.state.observing = engine
    service.state.sessions = sessions
    service.state.watch = Watch(engine, PROJECT.build())
    return service


@asynccontextmanager
async def asking(service: FastAPI, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, with a key if there is one."""
    transport = httpx.ASGITransport(service, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
        yield client


def asked(client: httpx.AsyncClient) -> FastAPI:
    """The application that a client of asking() asks."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    assert isinstance(transport.app, FastAPI)
    return transport.app


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client, with a key, of an application that was started as a server starts it."""
    service = create_app(settings)
    async with service.router.lifespan_context(service):
        async with service.state.sessions.begin() as session:
            key = await keys.create(session, "test")
        async with asking(service, key) as client:
            yield client


def with_volumes(settings: Settings, **changes: Any) -> Settings:
    """The settings with some of them changed; a worker that looks often."""
    return settings.model_copy(update={"worker_poll_s": 0.02, **changes})


def plant(root: Path, *paths: str) -> None:
    """Files of one byte a letter of their path."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"." * len(path))


class Served:
    """`vegafs serve` as a process."""

    def __init__(self, of: Forks, *arguments: str, **environment: str) -> None:
        self.process = of.start(
            "vegafs", *(arguments or ("serve",)), env={"VEGAFS_PORT": "0", **environment}
        )

    @property
    def said(self) -> list[str]:
        """Its lines on stderr."""
        return self.process.said.splitlines()

    def wait_until_it_serves(self) -> str:
        """Where it serves."""
        return self._says(r"serving on (\S+),.*\n")

    def wait_until_it_waits(self) -> str:
        """Where it answers probes while it waits for a migration, or migrates."""
        return self._says(r"(?:WAIT|MIGRATE) .* (\S+)/readyz has details\n")

    def _says(self, pattern: str) -> str:
        found = None

        def said() -> bool:
            nonlocal found
            found = re.search(pattern, self.process.said)
            return found is not None or self.process.has_ended

        eventually(said, timeout_s=60)
        assert found, f"it did not say {pattern!r}: {self.said}"
        return found[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after the signal."""
        self.process.signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code of a service that ends."""
        return self.process.wait(timeout_s=30).code


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[Served]:
    """A service that is gone when the block ends, whatever happened."""
    with served_by(forks(), *arguments, **environment) as started:
        yield started


@contextmanager
def served_by(of: Forks, *arguments: str, **environment: str) -> Iterator[Served]:
    """The same of another build."""
    started = Served(of, *arguments, **environment)
    try:
        yield started
    finally:
        if not started.process.has_ended:
            started.stop(signal.SIGKILL)
