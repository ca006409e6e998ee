"""A backfill changes every row that lacks the change, in batches, whoever else is at work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from harness.backfills import Filling
from harness.clock import within
from harness.databases import Databases
from harness.runs import Chain, Launcher
from surefoot import errors
from surefoot.backfill.events import LapDone
from surefoot.backfill.files import named
from surefoot.backfill.key import read_key
from surefoot.backfill.state import State
from surefoot.backfill.statements import Statements
from surefoot.version_table import VersionTable

CHANGE = "UPDATE files SET size = -7 WHERE id % 10 = 0"
# Somebody changes rows whose values are being made.
CHANGED_MEANWHILE = """
after = "0001"
table = "files"
todo = "wide IS NULL"
reads = ("size",)
writes = ("wide",)
first = True

async def fill(self, rows):
    if type(self).first:
        type(self).first = False
        import asyncpg
        other = await asyncpg.connect({0!r})
        await other.execute({1!r})
        await other.close()
    return [{{"wide": row["size"]}} for row in rows]
"""
# Each call takes longer than a batch should.
SLOW = """
after = "0001"
table = "files"
todo = "wide IS NULL"
writes = ("wide",)
batch_s = 0.05
batch_rows = (1, 100)
rows_per_call = {0}

async def fill(self, rows):
    await asyncio.sleep(0.07)
    return [{{"wide": 1}} for _ in rows]
"""


@pytest.mark.slow
async def test_every_row_gets_its_value(filling: Filling) -> None:
    """One lap changes them, and a look behind it finds that nothing is left."""
    filling.widen()
    result = await filling.run()
    assert (result.is_complete, result.changed, await filling.left()) == (True, 1000, 0)
    assert await filling.left("wide <> size") == 0
    laps = [each for each in filling.told if isinstance(each, LapDone)]
    assert [(each.lap, each.changed) for each in laps] == [(1, 1000)]


@pytest.mark.slow
async def test_a_second_run_writes_nothing(filling: Filling) -> None:
    """No row has another version after it."""
    filling.widen()
    await filling.run()
    before = await filling.connection.fetch("SELECT id, xmin::text, ctid::text FROM files")
    assert (await filling.run()).changed == 0
    assert await filling.connection.fetch("SELECT id, xmin::text, ctid::text FROM files") == before


@pytest.mark.slow
async def test_a_row_that_comes_later(filling: Filling) -> None:
    """A complete backfill is run again where rows lack the change, and only they are changed."""
    filling.widen()
    await filling.run()
    await filling.connection.execute("INSERT INTO files VALUES (-1, 5), (5000, 6)")
    result = await filling.run()
    assert (result.changed, await filling.left()) == (2, 0)
    assert result.progress is not None
    assert result.progress.changed == 1002


@pytest.mark.parametrize(
    ("rows_per_call", "least", "most"),
    [(100, 10, 16), pytest.param(10, 12, 60, marks=pytest.mark.slow)],
)
async def test_calls_that_take_long(
    filling: Filling, rows_per_call: int, least: int, most: int
) -> None:
    """They lock no row: a batch has the rows of a round of them, or takes ten times its time."""
    filling.write("wide", SLOW.format(rows_per_call))
    assert (await filling.run()).is_complete
    state = VersionTable().backfills[1]
    batches = await filling.connection.fetchval(f"SELECT sum(batches) FROM {state}")
    assert least <= batches <= most


@pytest.mark.slow
async def test_a_trigger_that_takes_long_for_each_statement(filling: Filling) -> None:
    """Fewer rows would not make a batch shorter, and only more batches."""
    await filling.connection.execute(
        """INSERT INTO files SELECT n, 1 FROM generate_series(1001, 4000) n;
        CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(0.08); RETURN NULL; END $$;
        CREATE TRIGGER waits AFTER UPDATE ON files FOR EACH STATEMENT EXECUTE FUNCTION waits()"""
    )
    filling.widen()
    assert (await filling.run()).is_complete
    state = VersionTable().backfills[1]
    assert await filling.connection.fetchval(f"SELECT sum(batches) FROM {state}") <= 80


@pytest.mark.slow
async def test_few_rows_of_a_large_table_lack_the_change(filling: Filling) -> None:
    """A batch walks more rows to find some."""
    await filling.connection.execute(
        """INSERT INTO files SELECT n, 1, CASE WHEN n % 10000 <> 0 THEN 1 END
        FROM generate_series(1001, 200000) n; ANALYZE files"""
    )
    filling.widen()
    assert (await filling.run()).is_complete
    assert await filling.left() == 0
    state = VersionTable().backfills[1]
    assert await filling.connection.fetchval(f"SELECT sum(batches) FROM {state}") <= 80


@pytest.mark.slow
async def test_values_of_python(filling: Filling) -> None:
    """`fill` gets rows and gives values; calls run beside each other up to the limit."""
    filling.write(
        "wide",
        """
        after = "0001"
        table = "files"
        todo = "wide IS NULL"
        reads = ("size",)
        writes = ("wide",)
        rows_per_call = 100
        concurrency = 3
        running, most = 0, 0

        async def fill(self, rows):
            cls = type(self)
            cls.running += 1
            cls.most = max(cls.most, cls.running)
            await asyncio.sleep(0.01)
            cls.running -= 1
            assert len(rows) <= 100 and cls.most <= 3
            return [{"wide": row["size"] + row["id"]} for row in rows]
        """,
    )
    result = await filling.run()
    assert (result.is_complete, result.changed) == (True, 1000)
    assert await filling.left("wide IS DISTINCT FROM size + id") == 0


@pytest.mark.slow
async def test_a_row_that_changes_while_python_works(filling: Filling) -> None:
    """Its value is made of what the row holds in the end, and the writer's change is kept."""
    filling.write("wide", CHANGED_MEANWHILE.format(filling.database.url, CHANGE))
    result = await filling.run()
    assert (result.is_complete, result.changed) == (True, 1000)
    assert await filling.left("wide IS DISTINCT FROM size") == 0
    assert await filling.left("wide = -7") == 100


@pytest.mark.sample(2)
@pytest.mark.parametrize("change", ["VACUUM FULL files", "CLUSTER files USING files_pkey"])
async def test_rows_that_move_while_python_works(filling: Filling, change: str) -> None:
    """Another row of the same version may be where one was."""
    await filling.connection.execute("DELETE FROM files WHERE id % 2 = 0")
    filling.write("wide", CHANGED_MEANWHILE.format(filling.database.url, change))
    result = await filling.run()
    assert (result.is_complete, result.changed) == (True, 500)
    assert await filling.left("wide IS DISTINCT FROM size") == 0


@pytest.mark.slow
async def test_rows_that_are_locked_are_done_later(filling: Filling) -> None:
    """The batch skips them, and the changes of the other session are kept."""
    filling.widen()
    other = await asyncpg.connect(filling.database.url)
    locked = other.transaction()
    await locked.start()
    await other.execute("UPDATE files SET size = 77 WHERE id BETWEEN 100 AND 199")
    running = asyncio.ensure_future(filling.run())
    while await filling.left() > 100:
        await asyncio.sleep(0.01)
    assert not running.done()
    await locked.commit()
    await other.close()
    result = await running
    assert (result.is_complete, result.changed, await filling.left()) == (True, 1000, 0)
    assert await filling.left("wide = 77 AND id BETWEEN 100 AND 199") == 100


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        (
            "CREATE TABLE files (a text, b uuid DEFAULT gen_random_uuid(), {0}, "
            "PRIMARY KEY (a, b))",
            (),
            "a",
        ),
        (
            "CREATE TABLE files (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), {0}, a text)",
            (),
            "a",
        ),
        (
            "CREATE TABLE files (a text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text, {0})",
            ("a",),
            "",
        ),
        ("CREATE TABLE files (at timestamptz NOT NULL, a int, {0}, UNIQUE (at, a))", (), "at"),
        (
            "CREATE TABLE files (a int, b date DEFAULT '2026-01-01', {0}, PRIMARY KEY (a, b)) "
            "PARTITION BY RANGE (a); "
            "CREATE TABLE f1 PARTITION OF files FOR VALUES FROM (0) TO (400); "
            "CREATE TABLE f2 PARTITION OF files DEFAULT",
            (),
            "a",
        ),
    ],
)
async def test_keys(
    tmp_path: Path, databases: Databases, table: str, key: tuple[str, ...], column: str
) -> None:
    """Composite, UUID, text, of time, and that of a partitioned table."""
    chain = Chain(tmp_path / "chain")
    chain.add(f"op.execute({table.format('size int, wide bigint')!r})")
    made = await databases.empty()
    assert (await Launcher().alembic(chain, "upgrade", "head", url=made.url)).code == 0
    connection = await asyncpg.connect(made.url)
    filling = Filling(chain, made, connection)
    of = {"at": "at, a", "a": "a", "": "size"}[column]
    values = {"at": "now() - n * interval '1 s', n", "a": "n", "": "n"}[column]
    await connection.execute(
        f"INSERT INTO files ({of}) SELECT {values} FROM generate_series(1, 700) n; "
        "UPDATE files SET size = 3"
    )
    filling.widen(key=key or (("at", "a") if column == "at" else ()), batch_rows=(10, 50))
    result = None
    if column == "at":
        with pytest.raises(errors.BackfillKeyUnfit, match="a may be NULL"):
            await filling.run()
        await connection.execute("ALTER TABLE files ALTER a SET NOT NULL")
    result = await filling.run(workers=2)
    assert (result.is_complete, result.changed, await filling.left("wide = 3")) == (True, 700, 700)
    await connection.close()


@pytest.mark.slow
async def test_a_key_whose_first_column_has_one_value(filling: Filling) -> None:
    """A batch of a large table is found by the index all the same."""
    await filling.connection.execute(
        "DROP TABLE files; CREATE TABLE files (tenant int, id int, size int DEFAULT 3, "
        "wide bigint, pad text DEFAULT repeat('x', 400), PRIMARY KEY (tenant, id)); "
        "INSERT INTO files SELECT 1, n FROM generate_series(1, 30000) n"
    )
    await filling.connection.execute("VACUUM ANALYZE files")
    filling.widen()
    result = await filling.run()
    assert (result.is_complete, result.changed, await filling.left()) == (True, 30_000, 0)


@pytest.mark.slow
async def test_a_batch_is_not_compiled(filling: Filling) -> None:
    """That takes longer than the batch."""
    name = await filling.connection.fetchval("SELECT current_database()")
    await filling.connection.execute(f"ALTER DATABASE {name} SET jit = on")
    filling.widen(sets={"wide": "(current_setting('jit') = 'off')::int"})
    assert (await filling.run()).is_complete
    assert await filling.left("wide = 1") == 1000


@pytest.mark.slow
async def test_a_statement_of_its_own(filling: Filling) -> None:
    """`batch` has the keys of rows that no other session can change meanwhile."""
    filling.widen(
        sets={},
        todo="size < 500",
        statement="WITH moved AS (SELECT id FROM batch) "
        "DELETE FROM files USING moved WHERE files.id = moved.id;",
    )
    result = await filling.run()
    assert (result.is_complete, await filling.left("true")) == (True, 500)


@pytest.mark.slow
async def test_a_row_that_cannot_be_changed(filling: Filling) -> None:
    """The others are changed; it is kept with its error, without its values, and tried again."""
    await filling.connection.execute(
        "ALTER TABLE files ADD CHECK (wide <> 13); UPDATE files SET size = 13 WHERE id = 500"
    )
    filling.widen(todo="wide IS NULL AND id BETWEEN 400 AND 600")
    with pytest.raises(errors.BackfillRowsFailed):
        await filling.run()
    assert await filling.left("wide IS NULL AND id BETWEEN 400 AND 600") == 1
    state = State(filling.connection, filling.project.version_table, "wide")
    assert [(place, code) for place, code, _ in await state.failures(9)] == [(["500"], "23514")]


@pytest.mark.slow
async def test_a_filter_that_never_becomes_false(filling: Filling) -> None:
    """It is found while the first batches run, not after hours."""
    filling.widen(todo="size >= 0")
    with pytest.raises(errors.BackfillWithoutProgress, match="size >= 0"):
        await filling.run()


@pytest.mark.slow
async def test_too_early(filling: Filling) -> None:
    """Its revision is not applied."""
    filling.chain.add("op.execute('SELECT 1')")
    filling.widen(after="0002")
    with pytest.raises(errors.BackfillTooEarly, match="0002"):
        await filling.run()


@pytest.mark.slow
async def test_an_edited_class(filling: Filling) -> None:
    """A run that has begun goes on with the same class, or not at all."""
    filling.widen(batch_rows=(10, 10))
    await filling.run(until=lambda _: True)
    filling.widen(sets={"wide": "size + 1"})
    with pytest.raises(errors.BackfillEdited):
        await filling.run()


@pytest.mark.slow
async def test_a_range_is_split_in_the_middle_of_a_batch(filling: Filling) -> None:
    """The batch waits for whoever splits, keeps how far it came, and ends at the new end."""
    await filling.connection.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.id = 1 THEN PERFORM pg_sleep(0.3); END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER slow BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    filling.widen(batch_rows=(600, 600))
    other = await asyncpg.connect(filling.database.url)
    running = asyncio.ensure_future(filling.run())
    ranges = filling.project.version_table.backfills[1]
    while not await other.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid <> 0 "
        "AND mode = 'ExclusiveLock' AND objsubid = 2 AND objid = 0 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ):
        await asyncio.sleep(0.005)
    async with other.transaction():
        assert await other.execute(f"UPDATE {ranges} SET high = '{{400}}'") == "UPDATE 1"
        await other.execute(
            f"INSERT INTO {ranges} (backfill, id, low, high) "
            "VALUES ('wide', 9, '{400}', '{1000}')"
        )
        await asyncio.sleep(0.35)
    await other.close()
    result = await running
    assert (result.is_complete, result.changed, await filling.left()) == (True, 1000, 0)


@pytest.mark.slow
async def test_workers_share_one_range(filling: Filling) -> None:
    """A worker without work takes half of what another has left."""
    filling.write(
        "wide",
        """
        after = "0001"
        table = "files"
        todo = "wide IS NULL"
        writes = ("wide",)
        batch_rows = (10, 10)
        running, most = 0, 0
        concurrency = 4

        async def fill(self, rows):
            cls = type(self)
            cls.running += 1
            cls.most = max(cls.most, cls.running)
            await asyncio.sleep(0.02)
            cls.running -= 1
            return [{"wide": cls.most} for row in rows]
        """,
    )
    result = await filling.run(workers=4)
    assert (result.is_complete, result.changed) == (True, 1000)
    assert await filling.connection.fetchval("SELECT max(wide) FROM files") == 4


@pytest.mark.slow
async def test_a_statement_that_cannot_work(filling: Filling) -> None:
    """It stops at once, and says what the server says; nothing is changed."""
    filling.widen(sets={"wide": "no_such_function(size)"})
    with pytest.raises(errors.BackfillStopped, match="no_such_function"):
        await filling.run()
    filling.widen(sets={"wide": "(SELECT 1 / count(*) FROM files WHERE false)"})
    with pytest.raises(errors.SurefootError, match=r"(?i)division ?by ?zero"):
        await filling.run()
    assert await filling.left() == 1000


@pytest.mark.slow
async def test_rows_that_the_role_does_not_see(filling: Filling) -> None:
    """Whether all were changed would not be known."""
    await filling.connection.execute(
        "CREATE ROLE hidden_filler LOGIN; ALTER TABLE files ENABLE ROW LEVEL SECURITY; "
        "GRANT SELECT, UPDATE ON files TO hidden_filler; GRANT SELECT ON alembic_version "
        "TO hidden_filler; CREATE POLICY few ON files USING (id < 10)"
    )
    filling.widen()
    url = filling.database.url.replace("tester@", "hidden_filler@")
    try:
        with pytest.raises(errors.BackfillRowsHidden):
            await replace(filling, database=replace(filling.database, url=url)).run()
    finally:
        await filling.connection.execute("DROP OWNED BY hidden_filler; DROP ROLE hidden_filler")


@pytest.mark.slow
async def test_a_role_that_may_not_write(filling: Filling) -> None:
    """It is told what it lacks."""
    await filling.connection.execute(
        "CREATE ROLE poor_filler LOGIN; GRANT SELECT ON files, alembic_version TO poor_filler"
    )
    filling.widen()
    url = filling.database.url.replace("tester@", "poor_filler@")
    try:
        with pytest.raises(errors.PermissionMissing):
            await replace(filling, database=replace(filling.database, url=url)).run()
    finally:
        await filling.connection.execute("DROP OWNED BY poor_filler; DROP ROLE poor_filler")


@pytest.mark.slow
async def test_values_of_python_for_a_partitioned_table(
    tmp_path: Path, databases: Databases
) -> None:
    """A row is found again by its key; one that changes meanwhile gets other values."""
    chain = Chain(tmp_path / "chain")
    chain.add(
        """
        op.execute(
            "CREATE TABLE files (id int PRIMARY KEY, size int, wide bigint) PARTITION BY RANGE (id)"
        )
        op.execute("CREATE TABLE f1 PARTITION OF files FOR VALUES FROM (0) TO (400)")
        op.execute("CREATE TABLE f2 PARTITION OF files DEFAULT")
        """
    )
    made = await databases.empty()
    assert (await Launcher().alembic(chain, "upgrade", "head", url=made.url)).code == 0
    connection = await asyncpg.connect(made.url)
    filling = Filling(chain, made, connection)
    await filling.fill(1000)
    filling.write("wide", CHANGED_MEANWHILE.format(made.url, CHANGE))
    result = await filling.run(workers=2)
    assert (result.is_complete, result.changed) == (True, 1000)
    assert await filling.left("wide IS DISTINCT FROM size") == 0
    await connection.close()


@pytest.mark.slow
async def test_python_that_leaves_rows_as_they_are(filling: Filling) -> None:
    """Where no row gets a value there is no progress, and the run says so."""
    filling.write(
        "wide",
        """
        after = "0001"
        table = "files"
        todo = "wide IS NULL"
        writes = ("wide",)

        async def fill(self, rows):
            return [None if row["id"] == 500 else {"wide": 1} for row in rows]
        """,
    )
    with pytest.raises(errors.BackfillWithoutProgress):
        await filling.run()
    assert await filling.left() == 1


@pytest.mark.slow
@pytest.mark.parametrize("is_python", [False, True])
async def test_a_row_that_a_trigger_leaves_as_it_is(filling: Filling, is_python: bool) -> None:
    """No batch changes it, and laps do not follow each other without an end."""
    await filling.connection.execute(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
        "CREATE TRIGGER leave BEFORE UPDATE ON files FOR EACH ROW WHEN (NEW.id = 500) "
        "EXECUTE FUNCTION leave()"
    )
    if is_python:
        filling.write("wide", CHANGED_MEANWHILE.format(filling.database.url, "SELECT 1"))
    else:
        filling.widen()
    with pytest.raises(errors.BackfillWithoutProgress):
        await asyncio.wait_for(filling.run(), within(60))
    assert await filling.left() == 1


@pytest.mark.slow
async def test_a_range_that_is_not_where_a_batch_begins(filling: Filling) -> None:
    """Two sessions that walk one range, after a lease was lost, do not set it back."""
    filling.widen(batch_rows=(10, 10))
    await filling.run(until=lambda _: True)
    backfill, table = named(filling.project, "wide"), filling.project.version_table
    key = await read_key(filling.connection, "wide", "files", ())
    of = Statements(backfill, key, table)
    ranges = f"SELECT id, position, batches FROM {table.backfills[1]}"
    before = await filling.connection.fetchrow(ranges)
    assert before is not None
    late = await filling.connection.fetchrow(
        of.batch(but_failed=False), ["3"], ["5"], before["id"], 2, 2
    )
    assert late is not None
    assert late[2] is None
    assert await filling.connection.fetchrow(ranges) == before
