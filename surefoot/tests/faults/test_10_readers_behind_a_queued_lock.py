"""DDL queues behind a long reader, and other readers behind the DDL."""

import asyncio
from functools import partial

import asyncpg
import pytest

from harness.databases import Database
from harness.probes import LATE, PROBE, probing
from harness.runs import Chain, Launcher
from surefoot.connect.limits import Limits

PROBES = 8
LOCK_TIMEOUT_S = Limits.lock_timeout_s
TOLERANCE_S = 0.05
GOES_ON_WITHIN_S = 0.5
SLOW = partial(pytest.param, marks=pytest.mark.slow)
STATEMENTS = {
    "alone": SLOW('op.execute("ALTER TABLE t ADD COLUMN n int")'),
    # The retry is of the whole revision, and the lock that it has had before is given back.
    "behind another table's": """
        op.execute("ALTER TABLE u ADD COLUMN n int")
        op.execute("ALTER TABLE t ADD COLUMN n int")
    """,
}


@pytest.mark.parametrize("body", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("reader_s", [0.5, pytest.param(30, marks=pytest.mark.slow)])
async def test_no_reader_waits_longer_than_the_lock_timeout(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    blocker: asyncpg.Connection,
    body: str,
    reader_s: float,
) -> None:
    """However long the first reader takes, and the upgrade succeeds once it is gone."""
    url = empty_database.url
    await watcher.execute(PROBE)
    chain.add(
        """
        op.execute("CREATE TABLE t AS SELECT 1 AS id")
        op.execute("CREATE TABLE u (id int)")
        """
    )
    first = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    chain.add(body)
    stalls_s: list[float] = []
    late_s: list[float] = []
    over = asyncio.Event()
    probes = [
        asyncio.create_task(probing(url, stalls_s, over, "SELECT probe('t', 1)"))
        for _ in range(PROBES)
    ]
    probes += [asyncio.create_task(probing(url, late_s, over, LATE)) for _ in range(PROBES)]
    await blocker.execute("BEGIN; SELECT FROM t")
    run = await launcher.start(chain, "upgrade", "head", url=url)
    # The reader stays until an attempt has failed, however slowly the run starts.
    await run.says("BLOCKED [lock-blocked]")
    await asyncio.sleep(reader_s)
    assert not run.has_ended
    ended = await blocker.fetchval("SELECT clock_timestamp()")
    await blocker.execute("COMMIT")
    result = await run.end()
    over.set()
    await asyncio.gather(*probes)
    assert result.code == 0, result.err
    # Nobody queues behind a run that waits for the reader to end.
    assert result.err.count("BLOCKED [lock-blocked]  0002 did not get its lock in time") <= 2
    went_on_s = await watcher.fetchval(
        "SELECT extract(epoch FROM finished_at - $1)::float8 FROM alembic_version_ledger "
        "WHERE revision = '0002' AND outcome = 'applied'",
        ended,
    )
    assert went_on_s <= GOES_ON_WITHIN_S + max(late_s)
    assert len(stalls_s) > PROBES
    print(f"longest stall {max(stalls_s):.3f} s, went on after {went_on_s:.3f} s")
    assert LOCK_TIMEOUT_S / 2 < max(stalls_s) <= LOCK_TIMEOUT_S + TOLERANCE_S + max(late_s)
