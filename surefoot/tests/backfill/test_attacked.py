"""Wrong classes, and tables that change while a backfill walks them."""

from __future__ import annotations

import asyncio

import pytest

from harness.backfills import Filling
from surefoot import errors
from surefoot.backfill.control import pause
from surefoot.backfill.events import Event, Held
from surefoot.backfill.files import named
from surefoot.backfill.plan import plan
from surefoot.backfill.state import COMPLETE, PAUSED, State

HEAD = 'after = "0001"\ntable = "files"\ntodo = "wide IS NULL"\n'
FILLS = HEAD + 'writes = ("wide",)\n\nasync def fill(self, rows):\n    '
WRONG = {
    "a set of assignments": 'sets = {"wide = 1"}',
    "a value that is no text": 'sets = {"wide": 1}',
    "two expressions": 'sets = {"wide": "1; 2"}',
    "one number of rows": 'sets = {"wide": "1"}\nbatch_rows = 100',
    "the most before the least": 'sets = {"wide": "1"}\nbatch_rows = (100, 10)',
    "a time in words": 'sets = {"wide": "1"}\nbatch_s = "fast"',
    "no key at all": 'sets = {"wide": "1"}\nkey = None',
    "a time that is no number": 'sets = {"wide": "1"}\nbatch_s = float("nan")',
    "a time without an end": 'sets = {"wide": "1"}\nbatch_s = float("inf")',
    "failures in words": 'sets = {"wide": "1"}\nmax_failed_rows = "few"',
    "a statement in bytes": 'statement = b"DELETE FROM files"',
    "two statements": 'statement = "DELETE FROM files; DELETE FROM files"',
}
CANCELS = "(_ for _ in ()).throw(asyncio.CancelledError)"
COMMENTED = {
    "todo and sets": 'after = "0001"\ntable = "files"\ntodo = "wide IS NULL -- all"\n'
    'sets = {"wide": "size -- bytes"}',
    "the end of a statement": HEAD
    + 'statement = "UPDATE files SET wide = size FROM batch WHERE files.id = batch.id; -- x"',
    "the begin of a statement": HEAD
    + 'statement = "-- x\\nUPDATE files SET wide = size FROM batch WHERE files.id = batch.id"',
}


@pytest.mark.sample(10)
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_a_class_that_is_wrong(filling: Filling, body: str) -> None:
    """Its file is named, with the attribute, before anything is asked."""
    filling.write("wide", HEAD + body)
    with pytest.raises(errors.BackfillInvalid, match=r"wide\.py"):
        await filling.run()


@pytest.mark.sample(3)
@pytest.mark.parametrize("body", COMMENTED.values(), ids=COMMENTED)
async def test_sql_with_comments(filling: Filling, body: str) -> None:
    """A comment ends nothing but itself."""
    filling.write("wide", body)
    assert (await filling.run()).is_complete
    assert await filling.left("wide = size") == 1000


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "gives", ["return None", "return ({} for _ in rows)", "return [1 for _ in rows]"]
)
async def test_fill_that_gives_something_else(filling: Filling, gives: str) -> None:
    """A run and a dry run say what it gave."""
    filling.write("wide", FILLS + gives)
    with pytest.raises(errors.BackfillStopped, match="fill gave"):
        await filling.run()
    with pytest.raises(errors.BackfillStopped, match="fill gave"):
        await plan(
            named(filling.project, "wide"), filling.database.access, filling.project, dry_run=True
        )


async def test_a_row_without_values(filling: Filling) -> None:
    """No row gets the values of another one, and the run stops."""
    filling.write(
        "wide", FILLS + 'return [{"wide": r["id"]} if r["id"] != 7 else {} for r in rows]'
    )
    with pytest.raises(errors.BackfillStopped, match="are not those of `writes`: wide"):
        await filling.run()
    assert await filling.left("wide <> id") == 0


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    "wrong",
    ["1 << 70", "'one'", "1 // 0", "exit(9)", CANCELS],
    ids=["too large", "text", "raises", "exits", "cancels"],
)
async def test_a_row_for_which_fill_is_wrong(filling: Filling, wrong: str) -> None:
    """It is kept as a row that failed, and the others are changed; a dry run says it."""
    filling.write(
        "wide", FILLS + f'return [{{"wide": {wrong} if r["id"] == 7 else 1}} for r in rows]'
    )
    with pytest.raises(errors.BackfillStopped, match="a row of the first batch"):
        await plan(
            named(filling.project, "wide"), filling.database.access, filling.project, dry_run=True
        )
    with pytest.raises(errors.BackfillRowsFailed):
        await filling.run()
    state = State(filling.connection, filling.project.version_table, "wide")
    assert [place for place, _, _ in await state.failures(9)] == [["7"]]
    assert await filling.left() == 1


@pytest.mark.slow
async def test_a_text_that_is_too_long_is_not_cut_off(filling: Filling) -> None:
    """Its row fails, as it does where a statement writes it."""
    await filling.connection.execute("ALTER TABLE files ADD name varchar(3)")
    writes = FILLS.replace('"wide"', '"name"', 1).replace("wide IS", "name IS")
    filling.write("wide", writes + 'return [{"name": "n" * (r["id"] - 3)} for r in rows[:6]]')
    await filling.connection.execute("DELETE FROM files WHERE id > 7 OR id < 4")
    with pytest.raises(errors.BackfillRowsFailed):
        await filling.run()
    state = State(filling.connection, filling.project.version_table, "wide")
    assert [place for place, _, _ in await state.failures(9)] == [["7"]]


@pytest.mark.slow
async def test_sql_that_cannot_work_is_said_of_the_backfill(filling: Filling) -> None:
    """The message names the backfill, also before the first batch."""
    filling.widen(todo="wide IS NUL")
    with pytest.raises(errors.BackfillStopped, match="wide stopped: syntax error"):
        await filling.run()
    with pytest.raises(errors.BackfillStopped, match="wide stopped: syntax error"):
        await plan(named(filling.project, "wide"), filling.database.access, filling.project)


@pytest.mark.slow
async def test_what_the_server_does_not_do_is_not_tried_again(filling: Filling) -> None:
    """Its SQLSTATE is that of a prepared statement whose table has changed, which is."""
    await filling.connection.execute(
        "CREATE FUNCTION no(bigint) RETURNS bigint LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'unsupported feature' USING ERRCODE = '0A000'; END $$"
    )
    filling.widen(sets={"wide": "no(id)"})
    with pytest.raises(errors.BackfillStopped, match="wide stopped: unsupported feature"):
        await filling.run()


@pytest.mark.slow
async def test_names_that_are_misspelt(filling: Filling) -> None:
    """A revision that no file has cannot be applied, and a table that never was has not gone."""
    filling.widen(after="0009")
    with pytest.raises(errors.BackfillInvalid, match="no revision 0009"):
        await filling.run()
    filling.widen(table="filez")
    with pytest.raises(errors.BackfillTableGone, match="filez does not exist"):
        await filling.run()


@pytest.mark.slow
async def test_a_row_whose_key_moves_during_a_lap(filling: Filling) -> None:
    """A lap that changed no row is not the end where a row lacks the change behind the walk."""
    filling.widen()
    await filling.run()
    await filling.connection.execute(
        "UPDATE alembic_version_backfills SET state = 'running', finished_at = NULL; "
        "UPDATE alembic_version_backfill_ranges SET changed = 0, skipped = 0; "
        "UPDATE files SET id = -1, wide = NULL WHERE id = 1000"
    )
    result = await filling.run()
    assert (result.is_complete, await filling.left()) == (True, 0)


@pytest.mark.slow
async def test_a_column_that_fill_reads_gets_another_type(filling: Filling) -> None:
    """The values are read as those of the new type, which is as long as the former one."""
    reads = FILLS.replace("async def", 'reads = ("size",)\nbatch_rows = (10, 10)\nasync def')
    filling.write("wide", reads + 'return [{"wide": int(row["size"])} for row in rows]')
    run = asyncio.ensure_future(filling.run(max_rows_per_second=1000))
    while await filling.left() == 1000:
        await asyncio.sleep(0.01)
    await filling.connection.execute("ALTER TABLE files ALTER size TYPE real")
    assert 0 < await filling.left() < 1000
    assert (await run).is_complete
    assert await filling.left("wide = id % 1000") == 1000


@pytest.mark.slow
async def test_a_table_that_is_replaced_while_a_run_walks_it(filling: Filling) -> None:
    """The rows of the other table are left alone, but for those of the range at hand."""
    filling.widen(batch_rows=(10, 10))
    run = asyncio.ensure_future(filling.run(max_rows_per_second=2000))
    while await filling.left() == 1000:
        await asyncio.sleep(0.01)
    await filling.connection.execute(
        "BEGIN; ALTER TABLE files RENAME TO old_files; CREATE TABLE files (LIKE old_files "
        "INCLUDING ALL); INSERT INTO files SELECT n FROM generate_series(5000, 6000) n; COMMIT"
    )
    assert await filling.left("wide IS NULL", "old_files") > 0
    with pytest.raises(errors.BackfillTableGone, match="replaced by another table"):
        await run
    assert await filling.left() == 1001


@pytest.mark.slow
async def test_the_state_is_gone_while_it_is_paused(filling: Filling) -> None:
    """The run ends with an error; it does not wait for a resumption that it cannot see."""
    filling.widen(batch_rows=(10, 10))
    project, access = filling.project, filling.database.access

    held = asyncio.Event()

    def listen(event: Event) -> bool:
        if isinstance(event, Held) and event.reason:
            held.set()
        return False

    run = asyncio.ensure_future(filling.run(until=listen, max_rows_per_second=100))
    while not await filling.connection.fetchval(
        "SELECT to_regclass('alembic_version_backfills') IS NOT NULL"
    ):
        await asyncio.sleep(0.01)
    while not await filling.connection.fetchval("SELECT count(*) FROM alembic_version_backfills"):
        await asyncio.sleep(0.01)
    await pause(named(project, "wide"), access, project, "a test")
    await held.wait()
    await filling.connection.execute("DROP TABLE alembic_version_backfills CASCADE")
    with pytest.raises(errors.DatabaseFailed, match="alembic_version_backfills"):
        await run


@pytest.mark.slow
async def test_a_pause_that_comes_after_the_end(filling: Filling) -> None:
    """A backfill that has ended stays complete."""
    filling.widen()
    await filling.run()
    state = State(filling.connection, filling.project.version_table, "wide")
    assert not await state.change(PAUSED, "a test")
    progress = await state.read()
    assert progress is not None
    assert progress.state == COMPLETE
