"""A plan asks the target for the rows that the pending revisions will reach there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import surefoot
from harness.databases import Database, Databases, connect, engine, execute
from harness.runs import Chain
from surefoot.planning.plan import plan
from surefoot.planning.statistics import Statistics, read_statistics
from surefoot.planning.target_plans import with_expected_rows
from surefoot.planning.text import render
from surefoot.project import Project
from surefoot.run.commands import upgrade
from surefoot.target import Target
from surefoot.trace.statement import Statement

TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, country text, notes text);
CREATE INDEX ix_customers_country ON customers (country);
CREATE TABLE orders (
    id integer PRIMARY KEY,
    customer_id integer CONSTRAINT fk_orders REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX ix_orders_customer ON orders (customer_id);
CREATE TABLE items (order_id integer CONSTRAINT fk_items REFERENCES orders ON DELETE CASCADE);
CREATE TABLE visits (customer_id integer CONSTRAINT fk_visits REFERENCES customers
    ON DELETE SET NULL);
CREATE INDEX ix_visits_customer ON visits (customer_id);
CREATE TABLE events (id integer, at integer) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (50000);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (50000) TO (100000);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touch BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION touch();
CREATE SEQUENCE drawn;
CREATE FUNCTION draw() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT nextval(''drawn'')'
"""
# A thousand times `n` customers, three of a hundred in one country; of the others twice as many.
ROWS = """
SET session_replication_role = replica;
INSERT INTO customers SELECT i, CASE WHEN i % 100 < 3 THEN 'US' ELSE 'X' || i % 200 END, ''
    FROM generate_series(1, {n}000) i;
INSERT INTO orders SELECT i, 1 + i % {n}000 FROM generate_series(1, 2 * {n}000) i;
INSERT INTO items SELECT 1 + i % (2 * {n}000) FROM generate_series(1, 2 * {n}000) i;
INSERT INTO visits SELECT CASE WHEN i % 2 = 0 THEN i END FROM generate_series(1, 2 * {n}000) i;
INSERT INTO events SELECT i, i % 100000 FROM generate_series(1, 2 * {n}000) i;
RESET session_replication_role;
ANALYZE
"""
# Each with its parameters, and what is expected: the action, the table, about how many rows, by
# what. Then what is not seen.
Expected = list[tuple[str, str, int, str]]
US = ("update", "customers", 600, "ix_customers_country")
CASES: Mapping[str, tuple[str, tuple[Any, ...], Expected, str]] = {
    "an update by an index": (
        "UPDATE customers SET notes = 'y' WHERE country = 'US'",
        (),
        [US],
        "",
    ),
    "a parameter": (
        "UPDATE customers SET notes = $1 WHERE country = $2",
        ("y", "US"),
        [US],
        "",
    ),
    "few rows": (
        "UPDATE customers SET notes = 'y' WHERE country = $1",
        ("X77",),
        [("update", "customers", 100, "ix_customers_country")],
        "",
    ),
    "a cascade": (
        "-- of\nDELETE FROM customers WHERE country = 'US'",
        (),
        [
            ("delete", "customers", 600, "ix_customers_country"),
            ("delete", "orders", 1200, "fk_orders ON DELETE CASCADE"),
            ("update", "visits", 600, "fk_visits ON DELETE SET NULL"),
            ("read", "items", 1200 * 40_000, "fk_items has no index on order_id"),
            ("delete", "items", 1200, "fk_items ON DELETE CASCADE"),
        ],
        "",
    ),
    "new rows": (
        "INSERT INTO items SELECT n FROM generate_series(1, 7000) n",
        (),
        [("insert", "items", 7000, "its values")],
        "",
    ),
    "a copy": (
        "INSERT INTO items SELECT id FROM orders",
        (),
        [("insert", "items", 40_000, "Seq Scan on orders")],
        "",
    ),
    "a statement in a statement": (
        "WITH gone AS (DELETE FROM items RETURNING order_id) SELECT count(*) FROM gone",
        (),
        [("delete", "items", 40_000, "Seq Scan on items")],
        "",
    ),
    "locks of rows": (
        "SELECT id FROM customers WHERE country = 'US' FOR UPDATE",
        (),
        [("lock", "customers", 600, "ix_customers_country")],
        "",
    ),
    "a merge": (
        "MERGE INTO customers c USING orders o ON c.id = o.customer_id "
        "WHEN MATCHED THEN UPDATE SET notes = ''",
        (),
        [("merge", "customers", 40_000, "")],
        "",
    ),
    "partitions and a trigger": (
        "UPDATE events SET id = 0 WHERE at < 1000000",
        (),
        [("update", "events", 40_000, "Seq Scan on events_1")],
        "trigger touch runs for each row of events",
    ),
    "a volatile function": (
        "DELETE FROM items WHERE order_id = draw()",
        (),
        [("delete", "items", 1, "Seq Scan on items")],
        "",
    ),
    "a query": ("SELECT count(*) FROM customers", (), [], ""),
    "a column that is not there": (
        "UPDATE customers SET more = 1",
        (),
        [],
        'column "more" of relation "customers" does not exist',
    ),
    "a block": ("DO $$ BEGIN DELETE FROM items; END $$", (), [], "hides its statements"),
    "several statements": (
        "DELETE FROM items; DELETE FROM orders",
        (),
        [],
        "cannot insert multiple commands into a prepared statement",
    ),
    "a parameter of another type": (
        "DELETE FROM items WHERE order_id = $1",
        ("x",),
        [],
        "'str' object cannot be interpreted as an integer",
    ),
}


@pytest.fixture(scope="module")
async def customers(databases: Databases) -> AsyncIterator[Database]:
    """A database with rows."""
    database = await databases.empty()
    await execute(database.url, f"{TABLES}; {ROWS.format(n=20)}")
    yield database
    await databases.drop(database)


@pytest.fixture(scope="module")
async def now(customers: Database) -> Statistics:
    async with engine(customers.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(read_statistics)


def statement(sql: str, parameters: tuple[Any, ...] = ()) -> Statement:
    return replace(Statement("1", 1, 1, sql, True, parameters), locks={"t": "ROW EXCLUSIVE"})


@pytest.mark.sample(2)
@pytest.mark.parametrize("case", CASES)
async def test_the_target_tells_how_many_rows_it_expects(
    customers: Database, now: Statistics, case: str
) -> None:
    sql, parameters, expected, not_seen = CASES[case]
    before = await counts(customers)
    (found,) = await with_expected_rows(customers.access, [statement(sql, parameters)], now)
    reached = [e for e in found.expected if e.action != "read" or "no index" in e.by]
    assert [(e.action, e.table) for e in reached] == [e[:2] for e in expected]
    for each, (_, _, rows, by) in zip(reached, expected, strict=True):
        assert rows * 0.8 <= each.rows <= rows * 1.25
        assert by in each.by
    assert not_seen in found.not_seen
    assert bool(found.not_seen) == bool(not_seen)
    assert await counts(customers) == before


async def counts(database: Database) -> Any:
    """The rows that are there, and whether a number was drawn."""
    session = await connect(database.url)
    found = await session.fetchrow("SELECT (SELECT count(*) FROM items), is_called FROM drawn")
    await session.close()
    return found


async def test_a_lock_is_not_waited_for_without_end(customers: Database, now: Statistics) -> None:
    """A migration may hold the table; neither is it stopped."""
    blocker = await connect(customers.url)
    await blocker.execute("BEGIN; LOCK TABLE items")
    access = replace(customers.access, limits=surefoot.Limits(read_wait_s=0.05))
    (found,) = await with_expected_rows(access, [statement("DELETE FROM items")], now)
    assert found.not_seen == "canceling statement due to lock timeout"
    await blocker.close()


@pytest.mark.slow
async def test_a_plan_finds_what_sample_rows_do_not_meet(
    databases: Databases, empty_database: Database, tmp_path: Path
) -> None:
    """As a finding of the rules, with its figure, and no duration is made up."""
    chain = Chain(tmp_path / "chain")
    chain.add("\n".join(f'op.execute("""{each}""")' for each in TABLES.split(";\n")))
    async with engine(empty_database.access, "migrate") as made:
        await upgrade(Target.of(made, chain.ini))
    await execute(empty_database.url, ROWS.format(n=400))
    chain.add(
        "op.execute(\"UPDATE customers SET notes = 'y' WHERE country = 'US'\")\n"
        "op.get_bind().execute(sa.text('DELETE FROM customers WHERE country = :c'), {'c': 'US'})"
    )
    trying = replace(empty_database.access, scratch_url=empty_database.url)
    found = await plan(Project.read(chain.ini), empty_database.access, trying=trying)
    assert found.stopped_by is None
    shown = render(found)
    assert "expects to update 1" in shown
    assert "k rows of orders, by fk_orders ON DELETE CASCADE" in shown
    assert "for an unknown time" in shown
    rules = [f.rule for f in found.findings if f.traced and "on the target" in f.traced]
    assert set(rules) == {"avoid-unbatched-change"}
    document = found.as_json()["revisions"][0]["statements"][0]
    assert document["not_seen"] is None
    assert document["expected"][0]["action"] == "update"


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "rewrites"), [("UTC", False), ("Europe/Vienna", True)])
async def test_timestamps_are_converted_in_the_time_zone_of_the_target(
    empty_database: Database, tmp_path: Path, zone: str, rewrites: bool
) -> None:
    """In UTC only the catalog changes."""
    chain = Chain(tmp_path / "chain")
    chain.add("op.execute('CREATE TABLE t (at timestamp)')")
    async with engine(empty_database.access, "migrate") as made:
        await upgrade(Target.of(made, chain.ini))
    name = empty_database.name
    await execute(empty_database.url, f"ALTER DATABASE {name} SET timezone = '{zone}'")
    chain.add("op.execute('ALTER TABLE t ALTER COLUMN at TYPE timestamptz')")
    trying = replace(empty_database.access, scratch_url=empty_database.url)
    found = await plan(Project.read(chain.ini), empty_database.access, trying=trying)
    assert found.stopped_by is None
    rules = [each.rule for each in found.findings]
    assert ("require-utc-for-time-zone" in rules) == rewrites
