"""Revisions that were written for psycopg run as they are, on asyncpg."""

from __future__ import annotations

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher

TABLE = """
op.execute("CREATE TYPE mood AS ENUM ('good')")
op.execute('''CREATE TABLE p (
    id int GENERATED ALWAYS AS IDENTITY, d date, tz timestamptz, j jsonb, m mood, u uuid, i int,
    t text DEFAULT 'a;b', n numeric, a text[])''')
"""
BIND = "run = lambda sql, **values: op.get_bind().execute(sa.text(sql), values)\n"
# A body of a revision -> the columns of the last row, as text.
BODIES = {
    "several statements": (
        "op.execute(\"INSERT INTO p (t) VALUES ('x;y'); UPDATE p SET i = 5; -- it's; done\\n\")",
        "t, i",
        ("x;y", "5"),
    ),
    "several statements with a block and a function": (
        "op.execute(sa.text('''DO $$ BEGIN INSERT INTO p (i) VALUES (1); END $$;\n"
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
        "/* a; /* b; */ */ UPDATE p SET i = f()'''))",
        "i, t",
        ("2", "a;b"),
    ),
    "the answer of the last statement": (
        "found = op.get_bind().exec_driver_sql('INSERT INTO p (i) VALUES (3); SELECT i FROM p')\n"
        "op.execute(f'UPDATE p SET i = {found.scalar_one() + 1}')",
        "i",
        ("4",),
    ),
    "several statements of a raw cursor": (
        "cursor = op.get_bind().connection.cursor()\n"
        "cursor.execute('INSERT INTO p (i) VALUES (3); SELECT i + 1 FROM p')\n"
        "cursor.execute(f'UPDATE p SET i = {cursor.fetchone()[0]}')",
        "i",
        ("4",),
    ),
    "several statements with a value": (
        f"{BIND}run('INSERT INTO p (t) VALUES (:x); UPDATE p SET a = ARRAY[:x, :y]', "
        'x="it\'s; 100%", y=None)',
        "t, a",
        ("it's; 100%", '{"it\'s; 100%",NULL}'),
    ),
    "a value without a type": (
        f"{BIND}run('''INSERT INTO p (j, i) SELECT jsonb_build_object('a', :x, 'b', :y), 1\n"
        "WHERE :y IS NULL''', x='v', y=None)",
        "j",
        ('{"a": "v", "b": null}',),
    ),
    "texts for other types": (
        f"{BIND}run('''INSERT INTO p (d, m, u, j, n) VALUES (:d, :m, :u, :j, :n)''',\n"
        "d='2020-01-02', m='good', u='00000000-0000-0000-0000-000000000005', j='[1]', n='1.50')",
        "d, m, u, j, n",
        ("2020-01-02", "good", "00000000-0000-0000-0000-000000000005", "[1]", "1.50"),
    ),
    "a text that is compared with a date, an integer and an enum": (
        f"{BIND}op.execute(\"INSERT INTO p (d, i, m) VALUES ('2020-01-02', 7, 'good')\")\n"
        "run('UPDATE p SET i = 8 WHERE d = :d AND i = :i AND m IN (:m)', "
        "d='2020-01-02', i='7', m='good')",
        "i",
        ("8",),
    ),
    "a time with a zone": (
        f"import datetime\n{BIND}"
        "run('INSERT INTO p (tz) VALUES (:x)', "
        "x=datetime.datetime(2024, 1, 2, 3, tzinfo=datetime.timezone.utc))",
        "tz AT TIME ZONE 'UTC'",
        ("2024-01-02 03:00:00",),
    ),
    "values where no parameter may stand": (
        f"{BIND}run('COMMENT ON TABLE p IS :x', x=\"it's 100%\")\n"
        "run('ALTER TABLE p ALTER t SET DEFAULT :x', x='z')\n"
        "run('DO $$ BEGIN INSERT INTO p (n) VALUES (:x); END $$', x=-5)\n"
        "run('UPDATE p SET tz = TIMESTAMPTZ :x', x='2024-01-02 03:00Z')",
        "t, n, obj_description('p'::regclass), extract(year FROM tz)",
        ("z", "-5", "it's 100%", "2024"),
    ),
    "values that are false in Python": (
        f"{BIND}run('''INSERT INTO p (i, j, t) SELECT 1, jsonb_build_array(:a, :b, :c), :d\n"
        "WHERE :e IS NULL''', a=0, b=False, c='', d='', e=None)\n"
        "run('UPDATE p SET i = 2 WHERE :e IS NULL', e=None)",
        "i, j, t",
        ("2", '[0, false, ""]', ""),
    ),
    "a tuple": (
        f"{BIND}run('INSERT INTO p (i) SELECT n FROM generate_series(1, 3) n WHERE n IN :x', "
        "x=(1, 2))",
        "i",
        ("2",),
    ),
    "the format of psycopg": (
        "bind = op.get_bind()\n"
        "bind.exec_driver_sql(\"INSERT INTO p (t, i) VALUES (%s || '%%', %s)\", ('x', 1))\n"
        "bind.exec_driver_sql('UPDATE p SET i = i + %(n)s; UPDATE p SET i = i * 2', {'n': 3})",
        "t, i",
        ("x%", "8"),
    ),
    "rows of the format of psycopg": (
        "op.get_bind().exec_driver_sql('INSERT INTO p (t, m) VALUES (%s, %s)', "
        "[('x', None), ('y', 'good')])",
        "t, m, (SELECT count(*) FROM p)",
        ("y", "good", "2"),
    ),
    "many rows of other types": (
        "columns = [sa.column(n, sa.String) for n in ('d', 'm')]\n"
        "op.bulk_insert(sa.table('p', *columns), [{'d': '2020-01-02', 'm': 'good'}, "
        "{'d': None, 'm': None}, {'d': '2020-01-03', 'm': 'good'}])",
        "d, m, (SELECT count(*) FROM p)",
        ("2020-01-03", "good", "3"),
    ),
    "many dates as texts": (
        "columns = sa.column('d', sa.Date), sa.column('i', sa.Integer)\n"
        "op.bulk_insert(sa.table('p', *columns), [{'d': '2020-01-02', 'i': 1}, "
        "{'d': '2020-01-03', 'i': 2}])",
        "d, (SELECT count(*) FROM p)",
        ("2020-01-03", "2"),
    ),
    "a value in a later row that needs another type": (
        "op.get_bind().execute(sa.text('INSERT INTO p (i, d, t) VALUES (:i, :d, :t)'), "
        "[{'i': 1, 'd': None, 't': 'a'}, {'i': '2', 'd': '2020-01-02', 't': 3}])",
        "i, d, t, (SELECT count(*) FROM p)",
        ("2", "2020-01-02", "3", "2"),
    ),
    "values of types that convert them": (
        "columns = [sa.column('j', sa.JSON), sa.column('m', sa.String)]\n"
        "op.bulk_insert(sa.table('p', *columns), [{'j': {'a': [1]}, 'm': 'good'}] * 2)",
        "j, m, (SELECT count(*) FROM p)",
        ('{"a": [1]}', "good", "2"),
    ),
    "a loop": (
        f"{BIND}for n in range(5):\n"
        "    run('INSERT INTO p (i, d) VALUES (:n, :d)', n=n, d=f'2020-01-0{n + 1}')",
        "i, d, (SELECT count(*) FROM p)",
        ("4", "2020-01-05", "5"),
    ),
    "what the server takes keeps its types": (
        f"{BIND}run('CREATE TABLE q AS SELECT CAST(:x AS varchar) || :y AS c', x='a', y='b')\n"
        "run('INSERT INTO p (t) SELECT pg_typeof(c) FROM q')\n"
        "run('UPDATE p SET i = :i, a = :a', i=3, a=['q', \"r's\"])",
        "t, i, a",
        ("text", "3", "{q,r's}"),
    ),
}


@pytest.mark.sample(5)
@pytest.mark.parametrize(("body", "columns", "expected"), BODIES.values(), ids=BODIES)
async def test_a_revision_runs_as_under_psycopg2(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    body: str,
    columns: str,
    expected: tuple[str, ...],
) -> None:
    """Its rows are those that psycopg2 leaves."""
    chain.add(TABLE)
    chain.add(body)
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    text = ", ".join(f"({column})::text" for column in columns.split(", "))
    rows = await watcher.fetch(f"SELECT {text} FROM p ORDER BY id DESC")
    assert tuple(rows[0]) == expected


@pytest.mark.slow
async def test_a_commit_among_statements_is_not_sent(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Nor is anything after it, and nothing of the revision is kept."""
    chain.add(TABLE)
    chain.add("op.execute('INSERT INTO p (i) VALUES (1); COMMIT; INSERT INTO p (i) VALUES (2)')")
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 4, result.err
    assert "0002 ends its transaction by itself" in result.err
    assert "kept of 0002: nothing" in result.err
    assert await watcher.fetchval("SELECT count(*) FROM p") == 0


FAILING = {
    "a table that is not there": ("INSERT INTO gone VALUES (:x)", "1", "42P01"),
    "a value that no type takes": ("INSERT INTO p (d) VALUES (:x)", "'no date'", "22007"),
    "a value without a literal": ("INSERT INTO p (a) VALUES (:x)", "object()", "expected"),
    "a type that is wrong for every driver": ("SELECT CAST(:x AS int) + p FROM p", "'1'", "42883"),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize(("sql", "value", "says"), FAILING.values(), ids=FAILING)
async def test_a_failure_is_that_of_the_server(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    sql: str,
    value: str,
    says: str,
) -> None:
    """The transaction is aborted, as without the attempt, and nothing is kept."""
    chain.add(TABLE)
    chain.add(f"op.execute('INSERT INTO p (i) VALUES (1)')\n{BIND}run({sql!r}, x={value})")
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 4, result.err
    assert says in result.err
    assert "kept of 0002: nothing" in result.err
    assert await watcher.fetchval("SELECT count(*) FROM p") == 0


ENGINE = """
import os
from sqlalchemy import URL, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from surefoot import Environment

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
Environment(metadata=[], engine=lambda: {made}).run()
"""


@pytest.mark.slow
async def test_an_engine_of_the_project_takes_them_too(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its connections are asyncpg's own."""
    env = chain.folder / "alembic" / "env.py"
    env.write_text(ENGINE.format(made="create_async_engine(url)"))
    chain.add(TABLE)
    for name in ("several statements", "texts for other types", "rows of the format of psycopg"):
        chain.add(BODIES[name][0])
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert await watcher.fetchval("SELECT count(*) FROM p") == 4


async def test_a_synchronous_engine_is_refused_by_name(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """With the line that works."""
    env = chain.folder / "alembic" / "env.py"
    env.write_text(ENGINE.format(made="create_engine(url)"))
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert result.code == 2
    assert "Traceback" not in result.err
    assert "a synchronous engine of asyncpg cannot run migrations" in result.err
    assert "give its URL: Environment(database=engine.url)" in result.err
