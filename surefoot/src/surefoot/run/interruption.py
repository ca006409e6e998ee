"""Interruption stops a run in order: its statement in the server, its waits, its commits.

    a signal, task.cancel() -> request() -> pg_cancel_backend + wake-up -> Interrupted

The running statement fails in the server. So the revision is rolled back, the mutex is released and
the outcome is recorded on a connection that still works. Cancelling the coroutine itself would
leave the socket in the middle of an answer.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from surefoot.compat.sqlalchemy import await_only, greenlet_spawn
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.errors import Interrupted
from surefoot.run.second_connection import SecondConnection

AGAIN_S = 0.25
# The network of a server that does not answer for so long is taken for dead.
PATIENCE_S = 3.0


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop a run: SIGTERM, SIGINT, and SIGHUP where the process hears it.

    It does not where it was started under nohup.
    """
    of_terminal = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if of_terminal else ()))


class Interruption:
    """Whether a run was asked to stop, and by what."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._second = SecondConnection(engine)
        self._connecting: asyncio.Task[Any] | None = None
        self._asked = asyncio.Event()
        # Whether the run has noticed: from then on it may record how it ended.
        self._heard = False
        self._canceller: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.pid: int | None = None
        # The connection of the run, where it is the library's; those that a revision has opened.
        self._own: Any = None
        self._opened: list[Any] = []
        self.signal: signal.Signals | None = None

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def request(self, by: signal.Signals | None = None) -> None:
        """Ask the run to stop. It stops within a second, wherever it is."""
        if self.requested:
            return
        self.signal = by
        self._asked.set()
        if self._connecting is not None:
            self._connecting.cancel()
            return
        self._end_in_time()
        self._canceller = asyncio.ensure_future(self._cancel())

    def check(self) -> None:
        """On failure: Interrupted, where somebody asked."""
        if self.requested:
            self._heard = True
            raise Interrupted(self.signal)

    def sleep(self, seconds: float) -> None:
        """Wait inside a greenlet without blocking the loop. On failure: Interrupted."""
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await_only(asyncio.wait_for(self._asked.wait(), seconds))
        self.check()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """The connection of the run, which is used in a greenlet.

        On failure: Interrupted, where somebody asked meanwhile.
        """
        self._connecting = asyncio.current_task()
        try:
            connection = await greenlet_spawn(self._engine.connect)
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._connecting = None
        self._own = connection.connection.driver_connection
        try:
            yield connection
        finally:
            await asyncio.shield(asyncio.ensure_future(greenlet_spawn(connection.close)))

    async def end(self) -> None:
        """The run is over; nothing is left to cancel."""
        if self._timer is not None:
            self._timer.cancel()
        if self._canceller is not None:
            await self._second.end(self._canceller)

    def watch(self, connection: Connection) -> None:
        """A connection that a revision has opened is to end, too."""
        self._opened.append(connection.connection.driver_connection)

    def _end_in_time(self) -> None:
        """End the connection where the run still waits for the server after PATIENCE_S."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_S, self._abort)

    def _abort(self) -> None:
        """End the connections without asking the server."""
        for driver in filter(None, (self._own, *self._opened)):
            driver.terminate()

    async def _cancel(self) -> None:
        """Cancel the backend's statement again and again: one may come between two statements."""
        while not self._heard:
            if self.pid is not None:
                pids = {self.pid, *(d.get_server_pid() for d in self._opened if not d.is_closed())}
                with contextlib.suppress(*DATABASE_ERRORS):
                    async with self._second.opened() as connection:
                        for pid in () if self._heard else pids:
                            query = f"SELECT pg_cancel_backend({pid})"
                            await greenlet_spawn(connection.exec_driver_sql, query)
            await asyncio.sleep(AGAIN_S)

    def on_signals(self) -> AbstractContextManager[None]:
        """Signals request a stop during the block, in a loop that the run started."""
        return _handled(self.request)

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Signals cancel the task, for a command that only looks.

        On failure: Interrupted.
        """
        task = asyncio.current_task()

        def cancel(by: signal.Signals) -> None:
            self.signal = by
            self._end_in_time()
            if task is not None:
                task.cancel()

        try:
            with _handled(cancel):
                yield
        except asyncio.CancelledError:
            if self.signal is None:
                raise
            raise Interrupted(self.signal, None) from None


@contextmanager
def _handled(handler: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call the handler for `stop_signals`. A thread other than the main one gets none."""
    loop = asyncio.get_running_loop()
    numbers = stop_signals() if threading.current_thread() is threading.main_thread() else ()
    former = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, handler, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, former[number])
