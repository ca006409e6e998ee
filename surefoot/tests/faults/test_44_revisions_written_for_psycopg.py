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
    found = await watcher.fetchrow(f"SELECT {text} FROM p ORDER BY id DESC")
    assert tuple(found or ()) == expected
