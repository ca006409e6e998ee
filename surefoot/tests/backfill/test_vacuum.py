"""A table does not grow by all the rows that a backfill changes: it is vacuumed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from harness.backfills import Filling
from harness.clock import within
from surefoot import Limits
from surefoot.backfill.events import Held, LapDone, NotVacuumed, Vacuumed, Walked
from surefoot.backfill.files import named
from surefoot.backfill.run import run
from surefoot.backfill.vacuum import is_due
from surefoot.connect.throttle import Throttle

PARTITIONED = """
ALTER TABLE files RENAME TO files_1;
CREATE TABLE files (LIKE files_1, PRIMARY KEY (id)) PARTITION BY RANGE (id);
ALTER TABLE files ATTACH PARTITION files_1 FOR VALUES FROM (0) TO (1000000);
"""

TABLE = "SELECT relid::regclass::text FROM pg_stat_progress_vacuum WHERE pid = {}"
AT_WORK = "SELECT pid FROM pg_stat_progress_vacuum WHERE datname = current_database()"


@asynccontextmanager
async def running(
    filling: Filling, throttle: Throttle, table: str = "files"
) -> AsyncIterator[None]:
    """A run, slow enough for looks meanwhile, on a table of which all rows have a dead one.

    No autovacuum takes these away.
    """
    await filling.connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await filling.connection.execute("UPDATE files SET size = size + 1")
    await filling.connection.fetchval("SELECT pg_stat_force_next_flush()")
    filling.widen(batch_rows=(1, 10))
    stop = asyncio.Event()
    task = asyncio.ensure_future(
        run(
            named(filling.project, "wide"),
            replace(filling.database.access, limits=Limits(throttle=throttle)),
            filling.project,
            parameters={"max_rows_per_second": 20},
            listen=filling.told.append,
            stop=stop,
        )
    )
    try:
        yield
    finally:
        stop.set()
        await task


async def seen(filling: Filling, kind: type[object], count: int) -> None:
    """Wait for so many events of a kind."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within(30)
    while sum(isinstance(each, kind) for each in filling.told) < count:
        assert loop.time() < deadline_s, filling.told
        await asyncio.sleep(0.05)


@pytest.mark.sample(2)
@pytest.mark.parametrize("table", ["files", "files_1"])
async def test_dead_rows_go_within_a_lap(filling: Filling, table: str) -> None:
    """Those of a partition, too."""
    if table == "files_1":
        await filling.connection.execute(PARTITIONED)
    counts = (
        f"SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = '{table}' AND vacuum_count > 0"
    )
    async with running(filling, Throttle(dead_part=0.2, dead_rows=100), table):
        await seen(filling, Vacuumed, 1)
        deadline_s = asyncio.get_running_loop().time() + within(30)
        while (dead := await filling.connection.fetchval(counts)) is None:
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)
        assert dead < 1000
    assert not any(isinstance(each, LapDone) for each in filling.told)
    (vacuumed,) = {each.table for each in filling.told if isinstance(each, Vacuumed)}
    assert vacuumed == table


@pytest.mark.slow
async def test_rows_that_an_old_transaction_sees_are_not_vacuumed_again(filling: Filling) -> None:
    """They would stay dead however often the table is read."""
    old = await asyncpg.connect(filling.database.url)
    try:
        async with old.transaction(isolation="repeatable_read"):
            await old.fetchval("SELECT count(*) FROM files")
            async with running(filling, Throttle(dead_part=0.5, dead_rows=100)):
                await seen(filling, Vacuumed, 1)
                filling.told.clear()
                await seen(filling, Walked, 4)
                assert not any(isinstance(each, Vacuumed) for each in filling.told)
    finally:
        await old.close()


@pytest.mark.slow
async def test_it_comes_before_autovacuum(filling: Filling) -> None:
    """Of a table that autovacuum is to visit often, fewer dead rows are enough."""
    await filling.connection.execute(
        "ALTER TABLE files SET (autovacuum_vacuum_scale_factor = 0.1, "
        "autovacuum_vacuum_threshold = 200)"
    )
    async with running(filling, Throttle(dead_part=2, dead_rows=100)):
        await seen(filling, Vacuumed, 1)


@pytest.mark.slow
async def test_a_table_that_is_locked_is_vacuumed_later(filling: Filling) -> None:
    """As by ANALYZE. The batches go on, and nothing is told."""
    other = await asyncpg.connect(filling.database.url)
    try:
        async with running(filling, Throttle(dead_part=0.2, dead_rows=100)):
            async with other.transaction():
                await other.execute("LOCK files IN SHARE UPDATE EXCLUSIVE MODE")
                filling.told.clear()
                await seen(filling, Walked, 4)
            assert {type(each) for each in filling.told} == {Walked}
            await seen(filling, Vacuumed, 1)
    finally:
        await other.close()


@pytest.mark.slow
@pytest.mark.parametrize("throttle", [Throttle(dead_part=None), Throttle()])
async def test_it_is_not_vacuumed_below_the_threshold(filling: Filling, throttle: Throttle) -> None:
    """Or where none is set."""
    async with running(filling, throttle):
        await seen(filling, Walked, 2)
    assert not any(isinstance(each, Vacuumed) for each in filling.told)


@asynccontextmanager
async def vacuuming(filling: Filling, tables: str = "files") -> AsyncIterator[int]:
    """A run whose vacuum is at work and does not end by itself; gives its process."""
    name = await filling.connection.fetchval("SELECT current_database()")
    # For sessions that begin from now on: a page in a second.
    await filling.connection.execute(
        f"ALTER DATABASE {name} SET vacuum_cost_delay = '100ms'; "
        f"ALTER DATABASE {name} SET vacuum_cost_limit = 1; "
        "INSERT INTO files SELECT n FROM generate_series(2000, 90000) n"
    )
    async with running(filling, Throttle(dead_part=0.2, dead_rows=100), tables):
        while not (pid := await filling.connection.fetchval(AT_WORK)):
            await asyncio.sleep(0.05)
        yield pid


async def ended(filling: Filling, pid: int) -> None:
    """Wait until a vacuum has ended, and for looks behind it."""
    while await filling.connection.fetchval(AT_WORK) == pid:
        await asyncio.sleep(0.05)
    filling.told.clear()
    await seen(filling, Walked, 3)


@pytest.mark.slow
async def test_the_session_that_looks_is_lost_while_it_vacuums(filling: Filling) -> None:
    """That is told; another one looks, and the batches go on."""
    async with vacuuming(filling) as pid:
        await filling.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks "
            "WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        )
        await seen(filling, Held, 2)
        lost, again = (each for each in filling.told if isinstance(each, Held))
        assert "; it tries to connect for 1 min at most" in str(lost.reason)
        assert again.reason is None
        await ended(filling, pid)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_vacuum_is_ended_from_outside(filling: Filling, end: str) -> None:
    """It is told, and the batches go on."""
    async with vacuuming(filling) as pid:
        await filling.connection.execute(f"SELECT {end}({pid})")
        await seen(filling, NotVacuumed, 1)
        await ended(filling, pid)


@pytest.mark.slow
async def test_rows_that_die_while_it_vacuums_count(filling: Filling) -> None:
    """The next vacuum is due at once where they are many."""
    async with vacuuming(filling) as pid:
        await filling.connection.execute("UPDATE files SET size = size + 1")
        await filling.connection.fetchval("SELECT pg_stat_force_next_flush()")
        # It ends the vacuum, as it waits for the table. A fifth of the rows is many from now on.
        await filling.connection.execute(
            "ALTER TABLE files SET (autovacuum_vacuum_threshold = 100000)"
        )
        deadline_s = asyncio.get_running_loop().time() + within(30)
        while await filling.connection.fetchval(AT_WORK) in (pid, None):
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_partition_is_dropped_while_another_one_is_vacuumed(filling: Filling) -> None:
    """That is no reason to end."""
    await filling.connection.execute(
        f"{PARTITIONED};"
        'CREATE TABLE "Files 2" PARTITION OF files FOR VALUES FROM (1000000) TO (2000000); '
        'ALTER TABLE "Files 2" SET (autovacuum_enabled = false); '
        "INSERT INTO files SELECT 1000000 + n FROM generate_series(1, 50000) n"
    )
    async with vacuuming(filling, "files_1") as pid:
        tables = {"files_1", '"Files 2"'}
        (other,) = tables - {await filling.connection.fetchval(TABLE.format(pid))}
        ends = asyncio.ensure_future(seen(filling, NotVacuumed, 2))
        await filling.connection.execute(f"ALTER TABLE files DETACH PARTITION {other}")
        await filling.connection.execute(f"DROP TABLE {other}")
        await filling.connection.execute(f"SELECT pg_cancel_backend({pid})")
        await ends
        await seen(filling, Walked, 3)


@pytest.mark.slow
async def test_a_session_that_waits_for_the_table_ends_the_vacuum(filling: Filling) -> None:
    """As it ends an autovacuum."""
    async with vacuuming(filling):
        await filling.connection.execute("CREATE INDEX CONCURRENTLY ON files (size)")
        assert await filling.connection.fetchval(AT_WORK) is None


@pytest.mark.slow
async def test_a_role_that_may_not_vacuum(filling: Filling) -> None:
    """The server only warns; so the run does not say that it was vacuumed."""
    await filling.connection.execute(
        "CREATE ROLE no_owner LOGIN; GRANT ALL ON SCHEMA public TO no_owner; "
        "GRANT SELECT, UPDATE ON files TO no_owner; GRANT SELECT ON alembic_version TO no_owner"
    )
    url = filling.database.url.replace("tester@", "no_owner@")
    poor = replace(filling, database=replace(filling.database, url=url))
    try:
        async with running(poor, Throttle(dead_part=0.2, dead_rows=100)):
            await seen(poor, NotVacuumed, 1)
        assert not any(isinstance(each, Vacuumed) for each in poor.told)
    finally:
        await filling.connection.execute("DROP OWNED BY no_owner; DROP ROLE no_owner")


def test_the_part_and_the_number_both_count() -> None:
    """A table that was never analyzed has -1 rows."""
    assert [is_due(dead, 1000, 0.2, 100, 1000) for dead in (200, 201)] == [False, True]
    assert [is_due(dead, -1, 0.2, 100, 50) for dead in (100, 101)] == [False, True]
