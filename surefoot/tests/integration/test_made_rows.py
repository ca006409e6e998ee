"""Rows that are made from a catalog keep its constraints; what is lost of them is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database, connect
from surefoot.testing.losses import lost, read
from surefoot.trace import sample_rows
from surefoot.trace.sample_rows import fill, seed

WIDE = Path(__file__).with_name("wide_schema.sql")
# Beyond some thousand rows of a statement it takes none.
SLOW = """
CREATE TABLE t (id int PRIMARY KEY);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF pg_stat_get_xact_tuples_inserted(TG_RELID) > 5000 THEN PERFORM pg_sleep(60); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER waits BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION wait()
"""
# A table, and what is true of the rows that are made for it.
TABLES = {
    "a condition over several columns": (
        "CREATE TABLE t (state text NOT NULL CHECK (state IN ('open', 'done')),"
        " done_at timestamptz, CHECK ((state = 'done') = (done_at IS NOT NULL)))",
        "count(DISTINCT state) = 2",
    ),
    "numbers in bounds": (
        "CREATE TABLE t (a int NOT NULL CHECK (a BETWEEN 70 AND 90), b numeric(3, 2) CHECK (b < 1),"
        " CHECK (a > b))",
        "count(DISTINCT a) > 1",
    ),
    "patterns": (
        "CREATE TABLE t (hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),"
        " mail text NOT NULL CHECK (mail LIKE '%@%'), path text NOT NULL CHECK (path LIKE '/%'))",
        "count(DISTINCT hash) > 1",
    ),
    "an enum and a domain": (
        "CREATE TYPE mood AS ENUM ('good', 'it''s'); CREATE DOMAIN share AS numeric"
        " CHECK (VALUE > 0 AND VALUE < 1);"
        " CREATE TABLE t (mood mood NOT NULL, share share NOT NULL)",
        "count(DISTINCT mood) = 2",
    ),
    "keys of several columns": (
        "CREATE TABLE p (a int, b text, PRIMARY KEY (a, b));"
        " CREATE TABLE t (x int NOT NULL, y text NOT NULL, UNIQUE (y), FOREIGN KEY (x, y)"
        " REFERENCES p)",
        "count(DISTINCT y) = count(*)",
    ),
    "a key that is checked at the end": (
        "CREATE TABLE t (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)",
        "count(DISTINCT a) = count(*)",
    ),
    "itself": (
        "CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t)",
        "count(*) > 1",
    ),
    "partitions": (
        "CREATE TABLE t (at date NOT NULL, kind text) PARTITION BY RANGE (at);"
        " CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('1999-01-01') TO ('1999-02-01');"
        " CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM ('1999-02-01') TO ('1999-03-01')",
        "count(DISTINCT at) = 2",
    ),
    "partitions by list and hash": (
        "CREATE TABLE t (id int, kind text) PARTITION BY LIST (kind);"
        " CREATE TABLE t_1 PARTITION OF t FOR VALUES IN ('a', 'b') PARTITION BY HASH (id);"
        " CREATE TABLE t_2 PARTITION OF t_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "count(DISTINCT kind) = 2",
    ),
    "computed columns": (
        "CREATE TABLE t (a int NOT NULL, b int GENERATED ALWAYS AS (a * 2) STORED CHECK (b > 5))",
        "min(b) > 5",
    ),
    "identities and sequences": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, n serial PRIMARY KEY)",
        "count(DISTINCT n) = 20 AND count(DISTINCT id) = 20",
    ),
    "what does not overlap": (
        "CREATE TABLE t (during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&))",
        "count(*) > 1",
    ),
    "null and the same twice, where the schema allows them": (
        "CREATE TABLE t (a text, b int NOT NULL)",
        "count(a) < count(*) AND count(DISTINCT b) < count(*)",
    ),
}
# Changes of the table `t`, and the values that each loses.
CHANGES = {
    "nothing": ("SELECT 1", {}),
    "deleted": (
        "DELETE FROM t WHERE id <= 5",
        {"t": "5 of 20 rows of t"},
    ),
    "truncated": ("TRUNCATE t", {"t": "20 of 20 rows of t"}),
    "overwritten": (
        "UPDATE t SET note = 'x' WHERE id <= 5",
        {"t.note": "5 of 20 values of t.note"},
    ),
    "replaced": (
        "DELETE FROM t WHERE id <= 5; INSERT INTO t SELECT n, 'x', 'a', 1 FROM"
        " generate_series(21, 25) n",
        {
            "t.id": "5 of 20 values of t.id",
            "t.note": "5 of 20 values of t.note",
            "t.amount": "4 of 20 values of t.amount",
        },
    ),
    "cut": (
        "ALTER TABLE t ALTER note TYPE varchar(3) USING left(note, 3)",
        {"t.note": "20 of 20 values of t.note"},
    ),
    "emptied by a new type": (
        "ALTER TABLE t ALTER amount TYPE date USING NULL",
        {"t.amount": "20 of 20 values of t.amount"},
    ),
    "a wider type": ("ALTER TABLE t ALTER id TYPE bigint, ALTER note TYPE varchar", {}),
    "another type": ("ALTER TABLE t ALTER amount TYPE text USING amount::text || ' EUR'", {}),
    "other names": (
        "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME note TO remark;"
        " ALTER TYPE letter RENAME VALUE 'a' TO 'z'",
        {},
    ),
    "another enum": (
        "CREATE TYPE letters AS ENUM ('b', 'a');"
        " ALTER TABLE t ALTER kind TYPE letters USING kind::text::letters;"
        " DROP TYPE letter; ALTER TYPE letters RENAME TO letter",
        {},
    ),
    "more rows": ("INSERT INTO t VALUES (99, 'more', 'a', 1)", {}),
    "a column less": ("ALTER TABLE t DROP note", {}),
    "a table less": ("DROP TABLE t", {}),
    "a partition apart": ("ALTER TABLE p DETACH PARTITION p_1", {}),
}


@pytest.fixture
async def connection(empty_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database with nothing in it."""
    opened = await connect(empty_database.url)
    yield opened
    await opened.close()


@pytest.mark.sample(4)
@pytest.mark.parametrize("about", TABLES)
async def test_a_table_is_filled(connection: asyncpg.Connection, about: str) -> None:
    """With rows that its constraints let pass, as different as they may be."""
    schema, condition = TABLES[about]
    await connection.execute(schema)
    _, missing = await fill(connection, {})
    assert missing == {}
    assert await connection.fetchval(f"SELECT count(*) > 1 AND {condition} FROM t") is True


@pytest.mark.parametrize(
    "check",
    ["k ~ '^[0-9A-Z]+$'", "k ~ '^[A-Z]{2}[0-9]{6}$'", "length(k) = 8", "k LIKE '%@%'"],
)
async def test_a_unique_text_has_enough_values(connection: asyncpg.Connection, check: str) -> None:
    """For the planner to find one by its index."""
    await connection.execute(f"CREATE TABLE t (id int PRIMARY KEY, k text UNIQUE CHECK ({check}))")
    await seed(connection, 300)
    assert await connection.fetchval("SELECT count(*) FROM t") > 100


async def test_a_schema_of_nearly_everything_is_filled(connection: asyncpg.Connection) -> None:
    """Whatever a catalog can hold."""
    await connection.execute(WIDE.read_text("utf-8"))
    _, missing = await fill(connection, {})
    assert missing == {}


@pytest.mark.slow
async def test_a_table_that_nothing_fits_is_named(connection: asyncpg.Connection) -> None:
    """Until somebody says what its columns hold."""
    await connection.execute(
        "CREATE TABLE t (code text NOT NULL CHECK (md5(code) LIKE '900%'));"
        "CREATE TABLE u (a box NOT NULL)"
    )
    _, missing = await fill(connection, {})
    assert missing == {
        "t": "no row that was tried met its conditions",
        "u": "no row that was tried met its conditions",
    }
    _, missing = await fill(connection, {"t.code": "'abc'", "u.a": "box(point(n, n), point(0, 0))"})
    assert missing == {}
    assert await connection.fetchval("SELECT count(*) FROM t WHERE code = 'abc'") == 20


async def test_a_column_that_comes_is_filled_in_every_second_row(
    connection: asyncpg.Connection,
) -> None:
    """The rows that were there have no value in it, and their successors do."""
    await connection.execute("CREATE TABLE t (a int)")
    state, _ = await fill(connection, {})
    await connection.execute("ALTER TABLE t ADD b text, ADD c int CHECK (c IN (3, 4))")
    await fill(connection, {}, state)
    assert await connection.fetchval("SELECT (count(b), count(c)) = (10, 10) FROM t") is True


@pytest.mark.sample(4)
@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_lost_is_named(connection: asyncpg.Connection, change: str) -> None:
    """Rows and values; what was renamed, moved or dropped by name is not."""
    done, expected = CHANGES[change]
    await connection.execute(
        "CREATE TYPE letter AS ENUM ('a', 'b');"
        "CREATE TABLE t (id int NOT NULL, note text, kind letter, amount int);"
        "INSERT INTO t SELECT n, 'note ' || n, 'a', n FROM generate_series(1, 20) n;"
        "CREATE TABLE p (id int) PARTITION BY LIST (id);"
        "CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1)"
    )
    before = await read(connection)
    await connection.execute(done)
    assert lost(before, await read(connection)) == expected


@pytest.mark.slow
async def test_a_table_that_takes_rows_slowly_gets_fewer(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the attempt that was ended leave no space behind, by which it would seem large."""
    monkeypatch.setattr(sample_rows, "STATEMENT_S", 3)
    session = await connect(empty_database.url)
    try:
        await session.execute(SLOW)
        await seed(session, 20_000)
        count = await session.fetchval("SELECT count(*) FROM t")
        size = await session.fetchval("SELECT pg_relation_size('t')")
    finally:
        await session.close()
    assert count == 20_000 // sample_rows.FEWER
    assert size < count * 100
