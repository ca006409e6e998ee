"""migrate() brings the database to head while the service already answers probes.

The revisions run in an event loop and a thread of their own: Python code of a revision, however
long it computes or sleeps, does not keep /livez from answering.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from app import ALEMBIC_INI
from surefoot import Database, Watch

logger = logging.getLogger("app.main")


async def migrate(named: Database, watch: Watch) -> None:
    """Upgrade to head, and see that this build can serve there.

    On failure: an error of `upgrade`, or of the start-up check. A cancelled migration ends as an
    interrupted run does.
    """

    async def run() -> None:
        # A service that only serves does not pay for Alembic.
        from surefoot import Target, narrated, upgrade  # noqa: PLC0415

        engine = named.engine("migrate")
        try:
            target = Target.of(engine, ALEMBIC_INI)
            await upgrade(target, "head", listen=narrated(logger.info))
        finally:
            await engine.dispose()

    await in_a_thread(run)
    verdict = await watch.refresh()
    if verdict.error is not None:
        raise verdict.error


async def in_a_thread(work: Callable[[], Awaitable[None]]) -> None:
    """Run the work in a loop of its own. Cancelled, it cancels the work and waits for its end."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> None:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await work()

    running = asyncio.ensure_future(asyncio.to_thread(asyncio.run, main()))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        loop, task = await asyncio.wrap_future(started)
        if task is not None and not running.done():
            loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait([running])
        raise
