"""How a run ends, and rows that come where it has been."""

from __future__ import annotations

import asyncio

import pytest

from harness.backfills import Filling
from harness.clock import within
from surefoot import errors
from surefoot.backfill import job, laps
from surefoot.backfill.checks import admitted
from surefoot.backfill.events import LapDone
from surefoot.backfill.files import named
from surefoot.backfill.plan import plan
from surefoot.backfill.state import State
from surefoot.cli import backfill_text
from surefoot.telemetry import BackfillTelemetry
from surefoot.version_table import AT_END

# Each statement with it takes some time.
SLOW = "wide IS NULL AND (SELECT true FROM pg_sleep(0.02))"
COMES = "INSERT INTO files VALUES (-5, 1), (5000, 2)"


def laps_of(filling: Filling) -> list[tuple[int, int]]:
    """The laps that were done, and the rows that each changed."""
    return [(each.lap, each.changed) for each in filling.told if isinstance(each, LapDone)]


@pytest.mark.slow
async def test_a_look_that_takes_long(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of the table are looked at, one after the other."""
    monkeypatch.setattr(laps, "_LOOKING_MS", 1)
    monkeypatch.setattr(laps, "_PIECE_ROWS", 300)
    filling.widen(todo=SLOW)
    result = await filling.run()
    assert (result.is_complete, laps_of(filling)) == (True, [(1, 1000)])


@pytest.mark.slow
async def test_rows_that_stay_locked_are_not_walked_again_and_again(filling: Filling) -> None:
    """Each lap waits for twice as long as the one before."""
    filling.widen()
    async with filling.connection.transaction():
        await filling.connection.execute("UPDATE files SET size = 77 WHERE id = 100")
        running = asyncio.ensure_future(filling.run(workers=3))
        await asyncio.sleep(5)
        done = len(laps_of(filling))
    assert (await running).is_complete
    assert 1 < done <= 10


@pytest.mark.slow
@pytest.mark.parametrize("looking_ms", [1, 60_000])
@pytest.mark.parametrize("comes", ["UPDATE files SET wide = NULL WHERE id IN (1, 900)", COMES])
async def test_rows_that_come_behind_the_last_batch(
    filling: Filling, monkeypatch: pytest.MonkeyPatch, comes: str, looking_ms: int
) -> None:
    """A look finds them, in one statement or in pieces."""
    monkeypatch.setattr(laps, "_LOOKING_MS", looking_ms)
    monkeypatch.setattr(laps, "_PIECE_ROWS", 300)
    filling.widen(todo=SLOW)
    await filling.connection.execute(
        "CREATE FUNCTION comes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{comes}; RETURN NULL; END $$"
    )
    await State(filling.connection, filling.project.version_table, "wide").create()
    await filling.connection.execute(
        "CREATE TRIGGER comes AFTER UPDATE ON alembic_version_backfill_ranges "
        "FOR EACH ROW WHEN (new.done AND new.changed = 1000) EXECUTE FUNCTION comes()"
    )
    result = await filling.run()
    assert (result.is_complete, laps_of(filling)) == (True, [(1, 1000), (2, 2)])
    assert await filling.left() == 0


@pytest.mark.slow
async def test_a_look_is_stopped(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no answer then, and the backfill is not complete."""
    monkeypatch.setattr(laps, "_LOOKING_MS", 1)
    monkeypatch.setattr(laps, "_PIECE_ROWS", 1)
    filling.widen(todo=SLOW)
    stop = asyncio.Event()
    task = asyncio.ensure_future(filling.run(stop=stop))
    looks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = $1"
    while not await filling.connection.fetchval(looks, AT_END):
        await asyncio.sleep(0.01)
    while await filling.left() or laps_of(filling) or filling.told[-1:] == []:
        await asyncio.sleep(0.01)
    stop.set()
    result = await task
    assert result.progress is not None
    assert (result.progress.state, result.progress.lap, laps_of(filling)) == ("running", 1, [])
    monkeypatch.undo()
    assert (await filling.run()).is_complete
    assert laps_of(filling) == [(1, 1000)]


@pytest.mark.slow
async def test_rows_that_came_after_an_end_with_failed_rows(filling: Filling) -> None:
    """They are changed, and the rows that failed wait to be tried again."""
    await filling.connection.execute("ALTER TABLE files ADD CHECK (wide < 999)")
    filling.widen()
    with pytest.raises(errors.BackfillRowsFailed):
        await filling.run()
    assert await filling.left() == 1
    await filling.connection.execute("INSERT INTO files VALUES (5000, 5), (5001, 999)")
    with pytest.raises(errors.BackfillRowsFailed, match="changed: 2"):
        await filling.run()
    assert await filling.left() == 2
    filling.told.clear()
    with pytest.raises(errors.BackfillRowsFailed):
        await filling.run()
    assert laps_of(filling) == []


@pytest.mark.slow
async def test_the_last_line_of_a_run_that_was_stopped(filling: Filling) -> None:
    """It says the state that was seen, and `cancelled` where there is none."""
    filling.widen(batch_rows=(10, 10))
    stop = asyncio.Event()
    stop.set()
    result = await filling.run(stop=stop, max_rows_per_second=50)
    line = backfill_text.ended("wide", result)
    assert line.startswith("STOPPED  wide is running and not complete; this run changed ")


def test_rows_that_were_locked_do_not_keep_coming() -> None:
    """A later lap that changes no more rows than the one before had left says no more."""
    said: list[str] = []
    tell = backfill_text.Narration(said.append)
    for lap, changed, skipped in [(1, 99, 1), (2, 0, 1), (3, 0, 1), (4, 1, 0)]:
        tell(LapDone("wide", lap, changed, skipped))
    assert not [line for line in said if line.startswith("NOTE")]
    tell(LapDone("wide", 5, 7, 0))
    assert said[-1].startswith("NOTE  wide: rows that lack the change keep coming")


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("revoked", "missing"),
    [
        ("CREATE ON SCHEMA public FROM PUBLIC, dry_runner", "schema public"),
        ("TEMPORARY ON DATABASE {} FROM PUBLIC, dry_runner", "temporary tables"),
    ],
)
async def test_a_dry_run_needs_what_a_run_needs(
    filling: Filling, revoked: str, missing: str
) -> None:
    """It creates the tables of the state, and one for a column of arrays, and rolls them back."""
    await filling.connection.execute("ALTER TABLE files ADD tags text[]")
    filling.write(
        "wide",
        """
        after = "0001"
        table = "files"
        todo = "wide IS NULL"
        reads, writes = ("size", "tags"), ("wide",)

        async def fill(self, rows):
            return [{"wide": row["size"]} for row in rows]
        """,
    )
    own, backfill = filling.database.access, named(filling.project, "wide")
    assert (await plan(backfill, own, filling.project, dry_run=True)).changed == 1000
    tables = "SELECT count(*) FROM pg_class WHERE relname ~ '_backfill'"
    assert await filling.connection.fetchval(tables) == 0
    name = filling.database.name
    await filling.connection.execute(
        "CREATE ROLE dry_runner LOGIN; GRANT ALL ON SCHEMA public TO dry_runner; "
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO dry_runner; "
        f"GRANT ALL ON DATABASE {name} TO dry_runner; REVOKE {revoked.format(name)}"
    )
    its = own.at(filling.database.url.replace("tester@", "dry_runner@"))
    try:
        with pytest.raises(errors.PermissionMissing, match=missing):
            await plan(backfill, its, filling.project, dry_run=True)
    finally:
        gone = "DROP OWNED BY dry_runner; DROP ROLE dry_runner"
        await filling.connection.execute(gone)


@pytest.mark.slow
async def test_no_session_is_left_where_a_run_is_cancelled_as_it_begins(
    filling: Filling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No caller has the session yet while its first statement runs, so connect() ends it."""
    monkeypatch.setattr(job, "BY_KEY", "SELECT pg_sleep(60)")
    filling.widen()
    backfill, access = named(filling.project, "wide"), filling.database.access
    statements = await admitted(backfill, access, filling.project, {})
    telemetry = BackfillTelemetry("", "wide")
    made = job.Job(backfill, access, statements, telemetry, filling.told.append)
    task = asyncio.ensure_future(made.connect())
    ours = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'"

    async def seen(count: int) -> None:
        deadline_s = asyncio.get_running_loop().time() + within(10)
        while await filling.connection.fetchval(f"{ours} AND pid <> pg_backend_pid()") != count:
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.02)

    await seen(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await seen(0)
