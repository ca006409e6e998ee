"""Tables, keys and names as people have them."""

from __future__ import annotations

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
