"""A backfill pauses for what it gives way to, and says for what."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg

from harness.backfills import Filling
from surefoot import Limits
from surefoot.backfill.events import Held, Vacuumed
from surefoot.backfill.files import named
from surefoot.backfill.run import run
from surefoot.connect.throttle import Throttle


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


async def test_a_table_with_many_dead_rows_is_vacuumed(filling: Filling) -> None:
    """Between two laps, with no more privileges than the backfill has."""
    filling.widen()
    throttle = Throttle(dead_part=0.1, dead_rows=10)
    access = replace(filling.database.access, limits=Limits(throttle=throttle))
    other = await asyncpg.connect(filling.database.url)
    # Its rows are counted as dead before the backfill begins, and no autovacuum takes them away.
    await other.execute("ALTER TABLE files SET (autovacuum_enabled = false)")
    await other.execute("UPDATE files SET size = size + 1; SELECT pg_stat_force_next_flush()")
    await other.close()
    result = await run(
        named(filling.project, "wide"), access, filling.project, listen=filling.told.append
    )
    assert result.is_complete
    assert "files" in " ".join(e.table for e in filling.told if isinstance(e, Vacuumed))
    vacuums = "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'files'"
    for _ in range(50):
        if await filling.connection.fetchval(vacuums):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no VACUUM was counted")
