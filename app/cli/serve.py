"""`vegafs serve` runs the service until a signal ends it; `vegafs dev` shares run().

    bind the port -> database -> start-up check, migrate if asked -> listen -> requests

The port is bound first, so that a busy port fails before anything starts. It listens last, so that
nobody connects to a service that cannot serve. A service that waits for a migration, or migrates,
answers /livez and /readyz. After SIGTERM or SIGINT the service finishes its requests, puts the
worker's job back and exits with 0; a second signal does not wait for requests. Before it serves,
the signals end the command with 143 and 130.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
import click
import uvicorn
from fastapi import FastAPI

from app.cli import logs
from app.db.engine import available
from app.errors import AddressUnusable, PortBusy
from app.main import create_app
from app.settings import Settings, load_settings
from surefoot.startup import Watch
from surefoot.wording import duration

GRACE_S = 5
BACKLOG = 2048
Announce = Callable[[FastAPI, str], Awaitable[None]]


@click.command(name="serve")
@click.option("--migrate", is_flag=True, help="Run `alembic upgrade head` first.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Lines, or one JSON object a line; VEGAFS_LOG_FORMAT.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least level of the service's own messages; VEGAFS_LOG_LEVEL.",
)
@click.option(
    "--access-log/--no-access-log", default=None, help="Log each request; VEGAFS_ACCESS_LOG."
)
def command(migrate: bool, **log: object) -> None:
    """Serve the API on a database whose schema this build can serve on.

    If the database is behind, the service waits, refuses or migrates: VEGAFS_STARTUP_SCHEMA.

    With --migrate it migrates first, for a single container; if the migration fails, it exits with
    the code of the migration.

    \b
    Examples:
      vegafs serve
      vegafs serve --migrate
      vegafs serve --log-format json --access-log
      VEGAFS_STARTUP_SCHEMA=refuse vegafs serve

    Exit codes: 0 stopped by SIGTERM or SIGINT; 1 this build cannot serve on the
    database's schema; 2 the configuration is invalid, or the port is in use;
    4 a migration failed; 75 the database does not answer; 130, 143 stopped before
    it served.
    """
    given = {name: value for name, value in log.items() if value is not None}
    run(load_settings().model_copy(update=given), migrate=migrate)


def run(settings: Settings, *, migrate: bool, announce: Announce | None = None) -> None:
    """Serve until a signal comes; `announce` is awaited once the service is ready, or says where.

    On failure: PortBusy, AddressUnusable, an error of the database or of the start-up check.
    """
    say = logs.set_up(settings)

    async def say_where(_app: FastAPI, url: str) -> None:
        say(f"OK  serving on {url}, documented at {url}/docs")

    if migrate:
        settings = settings.model_copy(update={"startup_schema": "upgrade"})
    with (
        logs.ended_by(settings),
        _bound(settings) as listener,
        available(settings, narrate=say) as settings_in_force,
    ):
        asyncio.run(_Service(settings_in_force, listener, say).run(announce or say_where))


class _Server(uvicorn.Server):
    """A server that leaves the signals to the command."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Service:
    """One run of the service, and the signals that end it."""

    def __init__(
        self, settings: Settings, listener: socket.socket, say: Callable[[str], None]
    ) -> None:
        self.settings, self._say = settings, say
        self.listener = listener
        self.app = create_app(settings)
        self.app.state.answers_early = True
        self.server = _Server(
            uvicorn.Config(
                self.app,
                lifespan="off",  # It starts before the server and ends after it.
                log_config=None,
                access_log=settings.access_log,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self.task: asyncio.Task[None] | None = None
        self.serves = False
        self.interrupted_by: int | None = None

    async def run(self, announce: Announce) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        self.task = asyncio.ensure_future(self._serve(announce))
        await asyncio.wait([self.task])
        if self.interrupted_by is not None:
            self._say("INTERRUPTED  before it served")
            sys.exit(128 + self.interrupted_by)
        self.task.result()
        self._say("OK  stopped")

    async def _serve(self, announce: Announce) -> None:
        async with self.app.router.lifespan_context(self.app):
            _listen(self.listener)
            serving = asyncio.ensure_future(self.server.serve(sockets=[self.listener]))
            waiting = asyncio.ensure_future(self._until_it_serves(announce))
            try:
                await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    waiting.result()
                await serving
            finally:
                waiting.cancel()
                self.server.should_exit = True
                await asyncio.wait([serving, waiting])

    async def _until_it_serves(self, announce: Announce) -> None:
        """Wait for a usable schema.

        On failure: the reason why it is not, after the time limit; an error of the migration.
        """
        watch: Watch = self.app.state.watch
        migration: asyncio.Task[None] | None = self.app.state.migration
        where = f"{_url(self.listener)}/readyz"
        if migration is not None:
            self._say(f"MIGRATE  before it serves; {where} has details")
            await asyncio.wait([migration])
            migration.result()
        elif not watch.usable:
            limit_s = self.settings.startup_wait_s
            bound = duration(limit_s)
            self._say(f"WAIT  for the migration, at most {bound}; {where} has details")
            with anyio.move_on_after(limit_s):
                await watch.until(usable=True)
        if not watch.usable:
            assert watch.verdict.error is not None
            raise watch.verdict.error
        self.serves = True
        await announce(self.app, _url(self.listener))

    def _stop(self, number: int) -> None:
        if self.server.should_exit:
            self.server.force_exit = True
        elif self.serves:
            self.server.should_exit = True
        elif self.task is not None:
            self.interrupted_by = number
            self.task.cancel()


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """A socket bound to the service's address, not listening yet.

    On failure: PortBusy, AddressUnusable.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except UnicodeError:
        raise AddressUnusable(settings.host, settings.port, "it is no name of a host") from None
    except OSError as error:
        raise _unusable(settings.host, settings.port, error) from None
    with listener:
        try:
            listener.bind(address)
        except OSError as error:
            raise _unusable(settings.host, settings.port, error) from None
        yield listener


def _listen(listener: socket.socket) -> None:
    """Accept connections from now on. On failure: PortBusy, AddressUnusable."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise _unusable(host, port, error) from None


def _unusable(host: str, port: int, error: OSError) -> PortBusy | AddressUnusable:
    # The numbers of a name that is not resolved are not the system's.
    named = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    kind = PortBusy if error.errno == errno.EADDRINUSE else AddressUnusable
    return kind(host, port, named or str(error))


def _url(listener: socket.socket) -> str:
    """The URL of the service for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - it is compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
