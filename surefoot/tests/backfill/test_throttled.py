"""A backfill pauses for what it gives way to, and says for what."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.backfills import Filling
from surefoot import Limits
from surefoot.backfill.events import Held
from surefoot.backfill.files import named
from surefoot.backfill.run import run
from surefoot.connect.throttle import Throttle


@pytest.mark.slow
async def test_it_waits_for_a_slow_service(filling: Filling) -> None:
    """The probe says that it is slow; once it is not, the rest is done."""
    await filling.connection.execute(
        "CREATE TABLE slow (seconds float8); INSERT INTO slow VALUES (0.4)"
    )
    filling.widen(batch_rows=(1, 10), batch_s=0.001)
    throttle = Throttle(probe="SELECT pg_sleep(seconds) FROM slow", probe_ms=200)
    access = replace(filling.database.access, limits=Limits(throttle=throttle))
    held = asyncio.Event()

    def listen(event: object) -> None:
        filling.told.append(event)  # type: ignore[arg-type]  # every event is one
        if isinstance(event, Held) and event.reason is not None:
            held.set()

    # Slow enough for a look in between.
    running = asyncio.ensure_future(
        run(
            named(filling.project, "wide"),
            access,
            filling.project,
            parameters={"max_rows_per_second": 200},
            listen=listen,
        )
    )
    await asyncio.wait_for(held.wait(), 20)
    await asyncio.sleep(0.2)
    left = await filling.left()
    await asyncio.sleep(0.5)
    assert await filling.left() == left > 0
    await filling.connection.execute("UPDATE slow SET seconds = 0")
    result = await running
    assert (result.is_complete, await filling.left()) == (True, 0)
    (reason, *_) = [each.reason for each in filling.told if isinstance(each, Held)]
    assert reason is not None
    assert "probe" in reason
