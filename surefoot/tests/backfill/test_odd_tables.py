"""Tables, keys and names as people have them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.backfills import Filling
from harness.databases import Databases
from harness.runs import Chain

TABLES: dict[str, tuple[str, dict[str, Any], str]] = {
    "odd names": (
        'CREATE TABLE "Ta ble%" ("key" int, "f" int, "high" int, "backfill" text, "po""s" bigint, '
        'PRIMARY KEY ("key", "f")); '
        "INSERT INTO \"Ta ble%\" SELECT n, -n, n, 'x' FROM generate_series(1, 300) n",
        {"table": '"Ta ble%"', "todo": '"po""s" IS NULL', "sets": {'po"s': '"high"'}},
        'SELECT count(*) FROM "Ta ble%" WHERE "po""s" = high',
    ),
    "another schema": (
        "CREATE SCHEMA shop; CREATE TABLE shop.files (id int PRIMARY KEY, a int); "
        "INSERT INTO shop.files SELECT n FROM generate_series(1, 300) n",
        {"table": "shop.files", "todo": "a IS NULL", "sets": {"a": "id"}},
        "SELECT count(*) FROM shop.files WHERE a = id",
    ),
    "an enum": (
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad'); "
        "CREATE TABLE t (m mood, n int, a int, PRIMARY KEY (m, n)); "
        "INSERT INTO t SELECT m, n FROM unnest(enum_range(NULL::mood)) m, "
        "generate_series(1, 100) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "n"}},
        "SELECT count(*) FROM t WHERE a = n",
    ),
    "a domain, bytea and numeric": (
        "CREATE DOMAIN part AS numeric(9, 2) CHECK (VALUE > 0); "
        "CREATE TABLE t (p part, b bytea, a int, PRIMARY KEY (p, b)); "
        "INSERT INTO t SELECT n / 7.0 + 1, int4send(n) FROM generate_series(1, 300) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "1"}},
        "SELECT count(*) FROM t WHERE a = 1",
    ),
    "char, float and interval": (
        "CREATE TABLE t (c char(9), f float8, i interval, a int, PRIMARY KEY (c, f, i)); "
        "INSERT INTO t SELECT n % 7, n / 3.0, n * interval '1 h' FROM generate_series(1, 300) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "1"}},
        "SELECT count(*) FROM t WHERE a = 1",
    ),
    "texts of every kind": (
        "CREATE TABLE t (k text PRIMARY KEY, a int); "
        "INSERT INTO t SELECT chr(n) || E'\\'\"{},\\\\\\n' || n FROM generate_series(32, 331) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "1"}},
        "SELECT count(*) FROM t WHERE a = 1",
    ),
    "parents and heirs": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); "
        "CREATE TABLE child (id int PRIMARY KEY) INHERITS (t); "
        "INSERT INTO t SELECT n FROM generate_series(1, 200) n; "
        "INSERT INTO child SELECT n FROM generate_series(150, 249) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "1"}},
        "SELECT count(*) FROM t WHERE a = 1",
    ),
    "a key with the name that PostgreSQL gives to a column": (
        'CREATE TABLE t ("array" int PRIMARY KEY, a int); '
        "INSERT INTO t SELECT n FROM generate_series(1, 300) n",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "1"}},
        "SELECT count(*) FROM t WHERE a = 1",
    ),
    "another table named batch": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); "
        "CREATE TABLE batch (id int PRIMARY KEY, n int); "
        "INSERT INTO batch SELECT n, n FROM generate_series(1, 300) n; "
        "INSERT INTO t SELECT id FROM batch",
        {"table": "t", "todo": "a IS NULL", "sets": {"a": "(SELECT n FROM batch WHERE id = t.id)"}},
        "SELECT count(*) FROM t WHERE a = id",
    ),
    "a filter that looks elsewhere": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE done (t_id int PRIMARY KEY); "
        "INSERT INTO t SELECT n FROM generate_series(1, 300) n",
        {
            "table": "t",
            "todo": "NOT EXISTS (SELECT FROM done WHERE done.t_id = t.id)",
            "sets": {},
            "statement": "INSERT INTO done SELECT id FROM batch",
        },
        "SELECT count(*) FROM done",
    ),
    "deletes": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE r (t_id int REFERENCES t "
        "ON DELETE CASCADE); INSERT INTO t SELECT n FROM generate_series(1, 600) n",
        {
            "table": "t",
            "todo": "id % 2 = 0",
            "sets": {},
            "statement": "DELETE FROM t WHERE id IN (SELECT id FROM batch)",
        },
        "SELECT count(*) FROM t",
    ),
}


@pytest.mark.sample(18)
@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("workers", [1, 3])
async def test_every_row(tmp_path: Path, databases: Databases, case: str, workers: int) -> None:
    """Each row is changed once, whatever the table looks like."""
    made, values, count = TABLES[case]
    chain, database = Chain(tmp_path / "chain"), await databases.empty()
    chain.add("pass")
    connection = await asyncpg.connect(database.url)
    await connection.execute(
        f"{made}; CREATE TABLE alembic_version AS SELECT '0001' AS version_num; ANALYZE"
    )
    filling = Filling(chain, database, connection)
    filling.widen(**{"batch_rows": (5, 40), **values})
    result = await filling.run(workers=workers)
    assert (result.is_complete, result.changed) == (True, 300)
    assert await connection.fetchval(count) == 300
    await connection.close()


async def test_a_table_named_batch_while_rows_are_locked(
    tmp_path: Path, databases: Databases
) -> None:
    """The keys of a batch that locks its rows first are not taken for the rows of that table."""
    chain, database = Chain(tmp_path / "chain"), await databases.empty()
    chain.add("pass")
    connection, writer = [await asyncpg.connect(database.url) for _ in range(2)]
    await connection.execute(
        "CREATE TABLE batch (id int PRIMARY KEY); INSERT INTO batch VALUES (1), (2), (3); "
        "CREATE TABLE t (id int PRIMARY KEY, of int, a int) PARTITION BY RANGE (id); "
        "CREATE TABLE t0 PARTITION OF t DEFAULT; "
        "INSERT INTO t SELECT n, n % 3 + 1 FROM generate_series(10, 309) n; "
        "CREATE TABLE alembic_version AS SELECT '0001' AS version_num"
    )
    filling = Filling(chain, database, connection)
    found = "coalesce((SELECT id FROM batch WHERE id = t.of), 0)"
    filling.widen(table="t", todo="a IS NULL", sets={"a": found})
    async with writer.transaction():
        await writer.execute("SELECT FROM t WHERE id = 10 FOR UPDATE")
        running = asyncio.create_task(filling.run())
        while await filling.left("a IS NULL", "t") > 1:
            assert not running.done()
            await asyncio.sleep(0.02)
    assert (await running).is_complete
    assert await connection.fetchval("SELECT count(*) FROM t WHERE a IS DISTINCT FROM of") == 0
    await writer.close()
    await connection.close()


# A type, and the SQL of a value for each n; every third row has NULL.
KINDS = {
    "int[]": "ARRAY[n, NULL, -n]",
    "text[]": "ARRAY(SELECT repeat('a,\"', i) FROM generate_series(0, n % 3) i)",
    "varchar(5)[]": "ARRAY[n::varchar, '']",
    "numrange": "numrange(n, n + 0.5)",
    "int4multirange": "int4multirange(int4range(n, n + 2), int4range(n + 5, n + 9))",
    "point": "point(n, -n)",
    "path": "path '((0,0),(1,1),(2,0))'",
    "cidr": "cidr '10.0.0.0/24'",
    "jsonb": "jsonb_build_object('n', n, 'all', '[1, null]'::jsonb)",
    "bytea": "int4send(n)",
    "bit varying(9)": "(n % 8)::bit(3)::varbit",
    "numeric(12, 3)": "n / 7.0",
    "timestamptz": "CASE n % 2 WHEN 0 THEN 'infinity' ELSE to_timestamp(n) END",
    '"char"': 'chr(65 + n % 26)::"char"',
    "char(9)": "n::text",
    "mood": "enum_last(NULL::mood)",
    "mood[]": "enum_range(NULL::mood)",
    "pair": "ROW(n, 'it''s')::pair",
    "small": "n % 7",
    "smalls": "ARRAY[n % 7]",
    "uuid": "md5(n::text)::uuid",
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("partitioned", [False, True])
async def test_values_of_every_kind(
    tmp_path: Path, databases: Databases, partitioned: bool
) -> None:
    """`fill` gets a value of each type, and the same value is written back."""
    chain, database = Chain(tmp_path / "chain"), await databases.empty()
    chain.add("pass")
    connection = await asyncpg.connect(database.url)
    columns = ", ".join(f"r{n} {kind}, w{n} {kind}" for n, kind in enumerate(KINDS))
    by = "PARTITION BY HASH (at)" if partitioned else ""
    await connection.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'it''s, \"ok\"'); CREATE TYPE pair AS (a int, b text); "
        "CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE DOMAIN smalls AS int[]; "
        f"CREATE TABLE t (at interval, tags text[], is_done bool, {columns}, "
        f"PRIMARY KEY (at, tags)) {by}; "
        "CREATE TABLE alembic_version AS SELECT '0001' AS version_num"
    )
    if partitioned:
        await connection.execute(
            "CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
            "CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
        )
    names = ", ".join(f"r{n}" for n in range(len(KINDS)))
    values = ", ".join(f"CASE WHEN n % 3 > 0 THEN {value} END" for value in KINDS.values())
    await connection.execute(
        f"INSERT INTO t (at, tags, {names}) SELECT n * interval '1 month 1 s', "
        f"ARRAY(SELECT 'x' FROM generate_series(1, n % 3)), {values} FROM generate_series(1, 90) n"
    )
    reads, writes = ([f"{letter}{n}" for n in range(len(KINDS))] for letter in "rw")
    filling = Filling(chain, database, connection)
    filling.write(
        "wide",
        f"""
        after, table, todo, batch_rows = "0001", "t", "is_done IS NULL", (10, 40)
        reads, writes = {tuple(reads)}, ("is_done", *{tuple(writes)})

        async def fill(self, rows):
            assert all(row.keys() == {{"at", "tags", *self.reads}} for row in rows)
            return [
                {{"is_done": True, **{{"w" + each[1:]: row[each] for each in self.reads}}}}
                for row in rows
            ]
        """,
    )
    result = await filling.run()
    assert (result.is_complete, result.changed) == (True, 90)
    for read, written, kind in zip(reads, writes, KINDS, strict=True):
        differ = f"SELECT count(*) FROM t WHERE {read}::text IS DISTINCT FROM {written}::text"
        assert await connection.fetchval(differ) == 0, kind
    await connection.close()
