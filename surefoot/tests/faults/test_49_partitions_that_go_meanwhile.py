"""Partitions are detached, dropped, renamed and attached while an index is built on them."""

import signal
from functools import partial

import pytest

from harness.databases import Database, Databases, connect, execute, value
from harness.points import passed
from harness.runs import Chain, Launcher, Points
from surefoot.operations.concurrently import DetachPartitionConcurrently

SLOW = partial(pytest.param, marks=pytest.mark.slow)
TABLES = """
CREATE TABLE event (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE a PARTITION OF event FOR VALUES FROM (0) TO (10);
CREATE TABLE b PARTITION OF event FOR VALUES FROM (10) TO (20);
CREATE TABLE c PARTITION OF event FOR VALUES FROM (20) TO (30);
INSERT INTO event SELECT n, n FROM generate_series(1, 29) n
"""
BEFORE = "before CREATE INDEX CONCURRENTLY b_ix "
ATTACHED = "before ALTER INDEX ix ATTACH PARTITION public.b_ix"
AGAIN = "ALTER TABLE event ATTACH PARTITION b FOR VALUES FROM (10) TO (20)"
# Tables with their indexes, and whether each is valid.
INDEXES = """
SELECT indrelid::regclass::text, indisvalid FROM pg_index JOIN pg_class t ON t.oid = indrelid
WHERE relnamespace = current_schema()::regnamespace AND relname NOT LIKE 'alembic%' ORDER BY 1
"""


@pytest.fixture
async def begun(chain: Chain, launcher: Launcher, empty_database: Database) -> Chain:
    """A chain whose pending revision adds an index to three partitions."""
    chain.add(f"op.execute({TABLES!r})")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    chain.add(
        "op.create_index_concurrently('ix', 'event', ['n'])",
        "op.drop_index_concurrently('ix')",
    )
    return chain


@pytest.mark.parametrize(
    ("change", "at", "indexed"),
    [
        SLOW("DROP TABLE b, c", BEFORE, ["a"]),
        SLOW("DROP TABLE b", ATTACHED, ["a", "c"]),
        SLOW("DROP TABLE a, b, c", BEFORE, []),
        SLOW("ALTER TABLE event DETACH PARTITION b", BEFORE, ["a", "c"]),
        SLOW("ALTER TABLE event DETACH PARTITION c", ATTACHED, ["a", "b"]),
        SLOW("ALTER TABLE b RENAME TO d", BEFORE, ["a", "c", "d"]),
        (f"ALTER TABLE event DETACH PARTITION b; {AGAIN}", BEFORE, ["a", "b", "c"]),
        SLOW("CREATE TABLE d PARTITION OF event DEFAULT", ATTACHED, ["a", "b", "c", "d"]),
    ],
)
async def test_the_run_goes_on_with_those_that_are_left(
    begun: Chain,
    launcher: Launcher,
    databases: Databases,
    empty_database: Database,
    change: str,
    at: str,
    indexed: list[str],
) -> None:
    """The index is valid in the end, and no partition has another one."""
    undisturbed = await databases.copy(empty_database)
    run = await launcher.start(begun, "upgrade", "head", url=undisturbed.url, points=Points(0))
    assert (await run.end()).code == 0
    point = next(number for number, told in enumerate(passed(run.log), 1) if at in told)
    points = Points(point, signal=signal.SIGSTOP)
    run = await launcher.start(begun, "upgrade", "head", url=empty_database.url, points=points)
    await run.stops()
    await execute(empty_database.url, change)
    run.signal(signal.SIGCONT)
    done = await run.end()
    assert done.code == 0, done.err
    connection = await connect(empty_database.url)
    try:
        found = [(row[0], row[1]) for row in await connection.fetch(INDEXES)]
    finally:
        await connection.close()
    assert found == sorted((table, True) for table in (*indexed, "event"))
    down = await launcher.alembic(begun, "downgrade", "0001", url=empty_database.url)
    assert down.code == 0, down.err


@pytest.mark.slow
async def test_a_partition_of_another_schema_is_detached(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The schema is that of the table and of the partition."""
    made = (
        "CREATE SCHEMA shop; CREATE TABLE shop.event (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE shop.a PARTITION OF shop.event FOR VALUES FROM (0) TO (10)"
    )
    chain.add(f"op.execute({made!r})")
    chain.add("op.detach_partition_concurrently('event', 'a', schema='shop')")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    assert await value(empty_database.url, "SELECT count(*) FROM pg_inherits") == 0


@pytest.mark.slow
@pytest.mark.parametrize("names", [("event", "nothing"), ("nothing", "a")])
async def test_a_partition_that_is_not_there_is_no_detached_one(
    chain: Chain, launcher: Launcher, empty_database: Database, names: tuple[str, str]
) -> None:
    """PostgreSQL says so; a partition that was detached already is no error."""
    await execute(
        empty_database.url,
        "CREATE TABLE event (id int) PARTITION BY LIST (id); CREATE TABLE a (id int)",
    )
    chain.add("op.detach_partition_concurrently('event', 'a')")
    chain.add(f"op.detach_partition_concurrently{names}")
    done = await launcher.surefoot(
        chain, "ops", "adopt", "base", "--reason", "made by the test", "--execute",
        url=empty_database.url,
    )  # fmt: skip
    assert done.code == 0, done.err
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 4, done.err
    assert "0002 failed: " in done.err
    assert 'relation "nothing" does not exist' in done.err
    # An offline script asks the same.
    for pair, is_done in ((names, False), (("event", "a"), True)):
        step = DetachPartitionConcurrently(*pair)
        assert await value(empty_database.url, f"SELECT {step.done()}") is is_done
