"""Statements that are sent together run as they do alone, and no other message passes them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from harness.databases import Database
from surefoot.compat.asyncpg import MigratingConnection
from surefoot.compat.batches import QUIET_S, SIZE, Batches, may_wait

Message = Callable[[Any], Awaitable[Any]]


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Any]:
    """A connection with an open transaction, which is rolled back."""
    made = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    await made.execute("BEGIN; CREATE TABLE t (id int, n int)")
    yield made
    await made.execute("ROLLBACK;")
    assert await made.fetchval("SELECT 1") == 1
    await made.close()


async def _cursor(connection: Any) -> None:
    async for _ in connection.cursor("SELECT * FROM t_1"):
        pass


async def _copy(connection: Any) -> None:
    await connection.copy_to_table("t_1", source=io.BytesIO(b""))


MESSAGES: dict[str, Message] = {
    "a query": lambda c: c.fetch("SELECT * FROM t_1"),
    "with a parameter": lambda c: c.fetch("SELECT * FROM t_1 WHERE id = $1", 1),
    "many": lambda c: c.executemany("INSERT INTO t_1 VALUES ($1)", [(1,), (2,)]),
    "several in one": lambda c: c.execute("SELECT 1; DROP TABLE t_1"),
    "prepared": lambda c: c.prepare("SELECT * FROM t_1"),
    "copied in": _copy,
    "copied out": lambda c: c.copy_from_query("SELECT * FROM t_1", output=io.BytesIO()),
    "a cursor": _cursor,
    "a type": lambda c: c.set_type_codec("mood", encoder=str, decoder=str),
    "a savepoint": lambda c: c.execute("SAVEPOINT s"),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("count", [1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE + 1])
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_every_message_finds_what_was_put_off(
    connection: Any, message: Message, count: int
) -> None:
    """Whichever it is, in the order in which they were given."""
    batches = Batches(connection)
    await batches.put_off("CREATE TYPE mood AS ENUM ()")
    for number in range(count, 0, -1):
        await batches.put_off(f"CREATE TABLE t_{number} (id int)")
    await message(connection)
    assert not batches.is_waiting
    batches.end()


async def test_who_waits_for_an_answer_hears_of_it(connection: Any) -> None:
    """At once where nothing waits; of the last statement before, not of those behind."""
    heard: list[str] = []
    batches = Batches(connection)
    batches.when_answered(lambda _: heard.append("nothing"))
    for number in range(SIZE):
        await batches.put_off(f"ALTER TABLE t ADD COLUMN a_{number} int")
    batches.when_answered(lambda _: heard.append("first"))
    await batches.put_off("ALTER TABLE t ADD COLUMN b int")
    batches.when_answered(lambda _: heard.append("second"))
    assert heard == ["nothing"]
    for number in range(SIZE - 1):
        await batches.put_off(f"ALTER TABLE t ADD COLUMN c_{number} int")
    assert heard == ["nothing", "first"]
    await connection.execute("SELECT 1")
    assert heard == ["nothing", "first", "second"]
    batches.end()


async def test_a_pause_of_the_program_is_no_time_of_the_server(connection: Any) -> None:
    """Whoever waits hears when it would have been done, had it been sent at once."""
    heard: list[float] = []
    batches = Batches(connection)
    for number in range(2):
        await batches.put_off(f"ALTER TABLE t ADD COLUMN a_{number} int")
        batches.when_answered(heard.append)
        await asyncio.sleep(QUIET_S)
    paused_s, quiet = time.monotonic(), [batches.is_quiet]
    await connection.execute("SELECT 1")
    assert [*quiet, batches.is_quiet] == [True, False]
    assert heard == sorted(heard)
    assert heard[0] < paused_s - QUIET_S
    assert heard[1] < paused_s
    batches.end()


@pytest.mark.parametrize("behind", [0, 1, SIZE])
async def test_behind_one_that_failed_nothing_runs(connection: Any, behind: int) -> None:
    """Neither a savepoint nor another attempt brings the transaction back; a ROLLBACK does."""
    await connection.execute("SAVEPOINT s")
    batches = Batches(connection)
    await batches.put_off("ALTER TABLE missing ADD COLUMN a int", "its")
    if behind:
        await batches.put_off("CREATE TABLE also (id int)")
    with contextlib.suppress(asyncpg.UndefinedTableError):
        for number in range(behind):
            await batches.put_off(f"CREATE TABLE t_{number} (id int)")
    for again in ("SELECT 1", "ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s", "COMMIT;"):
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute(again)
    with pytest.raises(asyncpg.UndefinedTableError):
        await batches.put_off("CREATE TABLE u (id int)")
    assert batches.failed[0] == "its"
    assert not batches.is_waiting
    await connection.execute("ROLLBACK;")
    assert await connection.fetchval("SELECT to_regclass('t') IS NULL")
    batches.end()


async def test_a_rollback_does_not_send_what_waits(connection: Any) -> None:
    """And does not fail for what has failed."""
    batches = Batches(connection)
    heard: list[float] = []
    for number in range(SIZE):
        await batches.put_off(f"ALTER TABLE missing ADD COLUMN a_{number} int")
    await batches.put_off("CREATE TABLE u (id int)")
    batches.when_answered(heard.append)
    await connection.execute("ROLLBACK;")
    assert await connection.fetchval("SELECT to_regclass('u') IS NULL")
    assert (heard, batches.is_waiting, batches.failed) == ([], False, ())
    batches.end()


async def test_a_program_that_is_cancelled_rolls_back(connection: Any) -> None:
    """The server stops what was sent, and nothing behind it is kept."""
    await connection.execute(
        "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(600); RETURN 1; END'; INSERT INTO t VALUES (1, 1)"
    )
    batches = Batches(connection)
    await batches.put_off("CREATE INDEX ON t (slow(id))")
    waiting = asyncio.ensure_future(connection.fetch("SELECT 1"))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncpg.InterfaceError, match="cancelled"):
        await connection.fetch("SELECT 1")
    await connection.execute("ROLLBACK;")
    batches.end()


async def test_one_that_nobody_comes_back_to_says_nothing(
    connection: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection goes while they are under way."""
    other = await asyncpg.connect(database.url, connection_class=MigratingConnection)
    await other.execute("BEGIN")
    batches = Batches(other)
    for _ in range(SIZE):
        await batches.put_off("ALTER TABLE missing ADD COLUMN a int")
    other.terminate()
    batches.end()
    del batches
    await asyncio.sleep(0.1)
    assert not caplog.records


async def test_what_the_session_cannot_encode_is_seen_before(connection: Any) -> None:
    """By the encoding that it has just then."""
    batches = Batches(connection)
    euro, surrogate = "COMMENT ON TABLE t IS '€'", "COMMENT ON TABLE t IS '\udcff'"
    assert batches.can_send(euro)
    assert not batches.can_send(surrogate)
    await connection.execute("SET client_encoding = 'LATIN1'")
    assert not batches.can_send(euro)
    assert batches.can_send("COMMENT ON TABLE t IS 'é'")
    batches.end()


ALONE = [
    "CREATE TABLE u AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TABLE u (a int GENERATED ALWAYS AS (1) STORED)",
    "INSERT INTO t VALUES (1)",
    "SELECT 1",
    "SET search_path = x",
    "CREATE TABLE a (id int) -- end",
    "CREATE TABLE a (id int) /* open",
    "COMMENT ON TABLE t IS 'open",
    "COMMENT ON TABLE t IS 'a\"",
    "COMMENT ON TABLE \"'\" IS ' open",
    "COMMENT ON TABLE t IS 'a\\' -- '",
    "COMMENT ON TABLE t IS $$a$$",
    "CREATE TABLE a (id int); COMMIT",
    'CREATE TABLE "open (id int)',
    "CREATE TABLE a (id int)\0",
    "COMMENT ON TABLE t IS 'a\0'",
    "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT statement_timestamp()",
    "ALTER TABLE t ADD COLUMN a text DEFAULT Current_Query()",
]
TOGETHER = [
    "CREATE TABLE t (id int DEFAULT 1 - 1, n text DEFAULT 'it''s; fine')",
    '\n  ALTER TABLE "a;b" ADD COLUMN "c--d" int CHECK (1 / 2 > 0)\n',
    "COMMENT ON TABLE t IS 'a /* b */ -- c'",
    "drop index i",
    "COMMENT ON TABLE t IS '\"'",
    "COMMENT ON COLUMN t.\"it's\" IS 'x'",
]


@pytest.mark.parametrize("statement", ALONE)
def test_what_could_reach_the_next_one_is_alone(statement: str) -> None:
    """An open quote or comment, a second statement, counted rows, a look at the message."""
    assert not may_wait(statement)


@pytest.mark.parametrize("statement", TOGETHER)
def test_ddl_may_wait(statement: str) -> None:
    """With every sign within its quotes."""
    assert may_wait(statement)


def test_a_long_statement_is_looked_at_in_no_time() -> None:
    """The pattern does not try again where it does not match."""
    assert may_wait("CREATE TABLE t (" + ", ".join(f"c_{n} int" for n in range(20_000)) + ")")
    assert not may_wait("CREATE TABLE t (" + "'a' - " * 50_000 + "'")
