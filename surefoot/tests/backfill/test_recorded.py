"""The ledger tells of backfills, and its rows about them say nothing of a revision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from harness.backfills import Filling
from harness.databases import engine
from harness.runs import Launcher
from surefoot.backfill import record
from surefoot.backfill.control import cancel, pause, resume
from surefoot.backfill.events import Unrecorded, Walked
from surefoot.backfill.files import named
from surefoot.errors import BackfillRowsFailed
from surefoot.ledger.table import Ledger, Row, applied, unfinished
from surefoot.ledger.writer import who
from surefoot.run.locks import mutex
from surefoot.startup.check import check


async def rows_of(filling: Filling) -> Sequence[Row]:
    """The ledger's rows; each matches its hash."""
    ledger = Ledger(filling.project.version_table)
    async with (
        engine(filling.database.access, "observe") as made,
        made.connect() as connection,
    ):
        await connection.run_sync(ledger.verify)
        return await connection.run_sync(ledger.rows)


async def told(filling: Filling) -> Sequence[tuple[str, str | None, str | None]]:
    """The rows about backfills: revision, reason, error."""
    rows = await rows_of(filling)
    return [(row.revision, row.reason, row.error) for row in rows if row.outcome == "backfill"]


@pytest.mark.slow
async def test_began_and_complete(filling: Filling) -> None:
    """Two rows; a run with nothing to do writes none, and one with rows says so again."""
    filling.widen()
    await filling.run(workers=2)
    both = [
        ("0001", f"wide started by {who()}", None),
        ("0001", "wide complete: 1,000 rows changed", None),
    ]
    assert await told(filling) == both
    await filling.run()
    assert await told(filling) == both
    await filling.connection.execute("INSERT INTO files VALUES (2000, 1)")
    await filling.run()
    assert await told(filling) == [
        *both,
        ("0001", f"wide started again by {who()}", None),
        ("0001", "wide complete: 1,001 rows changed", None),
    ]


@pytest.mark.slow
async def test_failed_rows(filling: Filling) -> None:
    """Their number is the error of the row."""
    filling.widen()
    await filling.connection.execute("ALTER TABLE files ADD CHECK (wide < 998)")
    with pytest.raises(BackfillRowsFailed):
        await filling.run()
    assert (await told(filling))[1:] == [
        ("0001", "wide ended: 998 rows changed", "rows that failed: 2")
    ]


async def test_paused_resumed_cancelled(filling: Filling) -> None:
    """By whom, and after how many rows. Other parameters are no row."""
    filling.widen(batch_rows=(10, 10))
    await filling.run(until=lambda event: isinstance(event, Walked), max_rows_per_second=10)
    wide, access, project = named(filling.project, "wide"), filling.database.access, filling.project
    changed = 1000 - await filling.left()
    await pause(wide, access, project, "ann@host")
    await resume(wide, access, project, {}, "bob@host")
    await resume(wide, access, project, {"batch_s": 1.0}, "bob@host")
    await cancel(wide, access, project, "eve@host")
    assert [reason for _, reason, _ in await told(filling)][1:] == [
        f"wide paused by ann@host: {changed} rows changed",
        "wide resumed by bob@host",
        f"wide cancelled by eve@host: {changed} rows changed",
    ]


@pytest.mark.slow
async def test_revisions_are_as_before(filling: Filling, launcher: Launcher) -> None:
    """For the start-up check, `current` and the next upgrade; an unfinished step stays so."""
    before = await rows_of(filling)
    filling.widen()
    await filling.run()
    rows = await rows_of(filling)
    assert (len(rows), applied(rows)) == (len(before) + 2, applied(before))
    url, chain = filling.database.url, filling.chain
    async with engine(filling.database.access, "observe") as made:
        assert (await check(made, filling.project.build())).state == "current"
    at = await launcher.alembic(chain, "current", "--check-heads", url=url)
    assert at.code == 0, at.err
    done = await launcher.surefoot(chain, "ledger", url=url)
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if "backfill" in line or "about:" in line]
    assert [line.split()[3:6] for line in lines[::2]] == [["backfill", "-", "0001"]] * 2
    assert "about: wide complete: 1,000 rows changed" in lines[-1]
    chain.add('op.execute("CREATE TABLE other (id int)")')
    done = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert done.code == 0, done.err
    begun = Row("0003", "upgrade", "expand", "started", "")
    assert unfinished([begun, Row("0001", "upgrade", "backfill", "backfill", "")]) == begun


@pytest.mark.slow
async def test_a_ledger_of_an_older_build(filling: Filling) -> None:
    """Its check does not allow the rows: it is widened."""
    await filling.connection.execute(
        "ALTER TABLE alembic_version_ledger DROP CONSTRAINT outcome_known, ADD CONSTRAINT "
        "outcome_known CHECK (outcome IN ('started', 'applied', 'stamped', 'measured'))"
    )
    filling.widen()
    await filling.run()
    assert len(await told(filling)) == 2


@pytest.mark.slow
async def test_without_a_ledger(filling: Filling) -> None:
    """Nothing is written, and nothing said."""
    await filling.connection.execute("DROP TABLE alembic_version_ledger")
    filling.widen()
    await filling.run()
    gone = await filling.connection.fetchval("SELECT to_regclass('alembic_version_ledger') IS NULL")
    assert (gone, [each for each in filling.told if isinstance(each, Unrecorded)]) == (True, [])


@pytest.mark.slow
async def test_beside_an_upgrade(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutex is held for too long: that is told. The next run writes how it ended, once."""
    monkeypatch.setattr(record, "WAIT_S", 0.5)
    filling.widen()
    holder = await asyncpg.connect(filling.database.url)
    await holder.execute(f"SELECT pg_advisory_lock({mutex.key()})")
    await filling.run()
    told_of = [each for each in filling.told if isinstance(each, Unrecorded)]
    assert [each.said for each in told_of] == [f"started by {who()}", "ended"]
    assert told_of[0].reason.startswith("another session held the migration mutex")
    assert (await told(filling), await filling.left()) == ([], 0)
    await holder.close()
    await asyncio.gather(filling.run(), filling.run())
    assert await told(filling) == [("0001", "wide complete: 1,000 rows changed", None)]


@pytest.mark.slow
async def test_a_role_that_may_not_write_the_ledger(filling: Filling) -> None:
    """The rows of the table are changed, and the reason is told."""
    filling.widen()
    await filling.connection.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE insufficient_privilege; END $$; "
        "CREATE TRIGGER no BEFORE INSERT ON alembic_version_ledger EXECUTE FUNCTION no()"
    )
    await filling.run()
    reasons = [each.reason for each in filling.told if isinstance(each, Unrecorded)]
    assert (len(reasons), await filling.left()) == (2, 0)
    assert "insufficient_privilege" in reasons[0]
