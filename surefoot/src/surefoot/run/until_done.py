"""until_done() waits for the end of a task, also where the waiting task is cancelled."""

import asyncio
import contextlib
from typing import Any


async def until_done(task: asyncio.Future[Any]) -> None:
    """Return when the task has ended, and never before.

    On failure: CancelledError, once it has ended. A scope of anyio cancels again and again until
    it is left, and asyncio as often as it is asked.
    """
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        import anyio  # noqa: PLC0415 - a run that nobody cancels does without

        with anyio.CancelScope(shield=True):
            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
        raise
