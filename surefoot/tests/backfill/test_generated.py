"""Autogenerate writes the backfill that a revision requires."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database, Databases
from harness.generation import write_value
from harness.runs import Chain, Launcher, Result
from harness.server import PG_MAJOR
from surefoot.autogenerate.constraints import NOT_NULL_NOT_VALID
from surefoot.project import Project

ENV = """\
from surefoot import Environment

Environment(metadata="shop:metadata", database="shop:database").run()
"""
HEAD = '''\
"""A shop."""

import os

from sqlalchemy import *
from sqlalchemy.dialects import postgresql

from surefoot import Database

database = Database(os.environ["DATABASE_URL"], scratch_url=os.environ["SUREFOOT_TEST_SCRATCH_URL"])
metadata = MetaData()
orders = Table("orders", metadata, Column("id", BigInteger, primary_key=True), {})
'''
# NOT NULL takes a revision more there, whose downgrade reads the rows.
OLDER = PG_MAJOR < NOT_NULL_NOT_VALID
SIZES = "SELECT array_agg(size ORDER BY id) FROM orders"
SIZE = 'Column("size", Integer, nullable=False)'


@dataclass
class Shop:
    """A project whose models a test writes, and a database at head with rows."""

    chain: Chain
    database: Database
    launcher: Launcher
    connection: asyncpg.Connection

    def models(self, *columns: str) -> None:
        (self.chain.folder / "shop.py").write_text(HEAD.format(", ".join(columns)), "utf-8")

    async def alembic(self, *arguments: str) -> Result:
        url = self.database.url
        env = {"SUREFOOT_TEST_SCRATCH_URL": url}
        return await self.launcher.alembic(self.chain, *arguments, url=url, env=env)

    async def surefoot(self, *arguments: str) -> Result:
        return await self.launcher.surefoot(self.chain, *arguments, url=self.database.url)

    async def works(self, command: str, *arguments: str) -> Result:
        """A command that has to work."""
        done: Result = await getattr(self, command)(*arguments)
        assert done.code == 0, f"{done.err}\n{done.out}"
        return done

    async def revise(self, *columns: str) -> str:
        """Write the revisions to models with these columns; the words of the command."""
        self.models(*columns)
        done = await self.works("alembic", "revision", "--autogenerate", "-m", "Change")
        return done.err

    def backfill(self, name: str) -> Path:
        return self.chain.folder / "alembic" / "backfills" / f"{name}.py"

    def requiring(self, name: str) -> list[str]:
        """The revisions that require a backfill."""
        revisions = Project.read(self.chain.ini).revisions()
        return [each.id for each in revisions if name in each.requires_backfill]

    async def fill(self, after: str, name: str) -> None:
        """Upgrade to the revision after which the backfill runs, run it, and go on to head."""
        refused = await self.alembic("upgrade", "head")
        assert (refused.code, f"requires the backfill {name}" in refused.err) == (3, True)
        await self.works("alembic", "upgrade", after)
        await self.works("surefoot", "backfill", "run", name, "--execute")
        await self.works("alembic", "upgrade", "head")
        await self.works("alembic", "check")


@pytest.fixture
async def shop(tmp_path: Path, databases: Databases, launcher: Launcher) -> AsyncIterator[Shop]:
    """Without a revision yet."""
    chain = Chain(tmp_path / "shop")
    (chain.folder / "alembic" / "env.py").write_text(ENV, "utf-8")
    made = await databases.empty()
    connection = await asyncpg.connect(made.url)
    yield Shop(chain, made, launcher, connection)
    await connection.close()


async def begin(shop: Shop, *columns: str, rows: str) -> None:
    """Let the database have the table, with rows."""
    await shop.revise(*columns)
    await shop.works("alembic", "upgrade", "head")
    await shop.connection.execute(f"INSERT INTO orders {rows}")


@pytest.mark.slow
@pytest.mark.parametrize("others", ['UniqueConstraint("id", name="uq_orders_id"), ', ""])
async def test_a_column_that_a_primary_key_gets(shop: Shop, others: str) -> None:
    """The table is walked by a key that is there all the time, or by hand."""
    models = shop.chain.folder / "shop.py"
    plain = HEAD.replace("primary_key=True", "autoincrement=False, nullable=False")
    size = 'Column("size", Integer)'
    models.write_text(plain.format(f'{size}, PrimaryKeyConstraint("id")'), "utf-8")
    for command in (("revision", "--autogenerate", "-m", "Begin"), ("upgrade", "head")):
        await shop.works("alembic", *command)
    await shop.connection.execute("INSERT INTO orders (id) SELECT n FROM generate_series(1, 9) n")
    models.write_text(plain.format(f'{size}, {others}PrimaryKeyConstraint("id", "size")'), "utf-8")
    await shop.works("alembic", "revision", "--autogenerate", "-m", "Change")
    path = shop.backfill("orders_size")
    if not others:
        assert not path.exists()
        texts = [each.read_text("utf-8") for each in shop.chain.versions.glob("*.py")]
        assert any("Fill orders.size in the existing rows, in batches" in each for each in texts)
        return
    assert 'key: ClassVar = ["id"]\n' in path.read_text("utf-8")
    write_value(path, "id")
    await shop.works("surefoot", "lock")
    await shop.works("surefoot", "lint")
    await shop.works("surefoot", "upgrade", "--run-backfills")
    await shop.works("alembic", "check")
    assert await shop.connection.fetchval("SELECT bool_and(size = id) FROM orders")


@pytest.mark.slow
async def test_a_required_column(shop: Shop) -> None:
    """Its value is for a person to write; nothing runs before, and nothing says it is in order."""
    await begin(shop, rows="SELECT n FROM generate_series(1, 500) n")
    said = await shop.revise(SIZE)
    path = shop.backfill("orders_size")
    assert "OK  backfills/orders_size.py written, which fills orders.size" in said
    assert "?   the value of orders.size in the existing rows is yours to write" in said
    assert 'after = "0002"' in path.read_text("utf-8")
    assert 'todo = "size IS NULL"' in path.read_text("utf-8")
    assert "backfill  orders_size  " in shop.chain.lock_path.read_text("utf-8")
    assert shop.requiring("orders_size") == ["0003"]
    for command in (
        ("alembic", "upgrade", "head"),
        ("surefoot", "lint"),
        ("surefoot", "lock", "--check"),
        ("surefoot", "backfill", "run", "orders_size", "--execute"),
    ):
        refused = await getattr(shop, command[0])(*command[1:])
        assert refused.code == 2, refused.err
        assert f"the value of size is yours to write in {path}" in refused.err
    write_value(path, "id * 2")
    await shop.works("surefoot", "lock")
    linted = await shop.works("surefoot", "lint")
    found = "1 warning in 5" if OLDER else "0 warnings in 4"
    assert f"0 errors, {found} revisions and 1 backfill" in linted.err
    planned = await shop.works("surefoot", "plan")
    assert "  requires the backfill orders_size: too early, it runs after 0002\n" in planned.out
    await shop.works("alembic", "upgrade", "0002")
    planned = await shop.works("surefoot", "plan")
    assert "  requires the backfill orders_size: not begun, 500 rows to do\n" in planned.out
    await shop.fill("0002", "orders_size")
    assert await shop.connection.fetchval("SELECT bool_and(size = id * 2) FROM orders")

    await shop.works("surefoot", "downgrade", "0001", "--reason", "again")
    await shop.works("surefoot", "upgrade", "--run-backfills")
    assert await shop.connection.fetchval("SELECT bool_and(size = id * 2) FROM orders")


@pytest.mark.slow
async def test_an_exchanged_type(shop: Shop) -> None:
    """The value is assigned as ALTER COLUMN TYPE assigns it, and nothing is left to a person."""
    await begin(shop, 'Column("size", Text, nullable=False)', rows="VALUES (1, '5'), (2, '-7')")
    said = await shop.revise('Column("size", Integer, nullable=False)')
    assert "yours to write" not in said
    assert "NOT LINTED" not in said
    text = shop.backfill("orders_size_new").read_text("utf-8")
    assert 'todo = "size_new IS NULL AND size IS NOT NULL"' in text
    assert '"size_new": "size::integer"' in text
    assert shop.requiring("orders_size_new") == ["0003", "0006" if OLDER else "0005"]
    linted = await shop.works("surefoot", "lint")
    assert f"in {6 if OLDER else 5} revisions and 1 backfill" in linted.err
    assert "alembic/backfills" not in linted.out
    await shop.fill("0002", "orders_size_new")
    assert await shop.connection.fetchval(SIZES) == [5, -7]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "rows", "other", "values"),
    [
        ("Text", "Numeric(12, 2)", "(1, '5'), (2, NULL)", "'7.5'", "{7.50,NULL}"),
        ("Text", "String(5)", "(1, 'short')", "'shorter'", "{short}"),
        ("Integer", "String(9)", "(1, 5)", "6", "{6}"),
        ("JSON", "postgresql.JSONB", """(1, '{"b": 1,  "a": 2}')""", "'[1]'", "{[1]}"),
        ("String(9)", "CHAR(5)", "(1, 'ab ')", "'c'", '{"c    "}'),
    ],
)
async def test_a_value_that_only_the_old_column_got_is_not_lost(
    shop: Shop, before: str, after: str, rows: str, other: str, values: str
) -> None:
    """As from a release that knows one column alone, once the rows are filled."""
    await begin(shop, f'Column("size", {before})', rows=f"VALUES {rows}")
    await shop.revise(f'Column("size", {after})')
    await shop.works("alembic", "upgrade", "0002")
    await shop.works("surefoot", "backfill", "run", "orders_size_new", "--execute")
    await shop.connection.execute(f"UPDATE orders SET size = {other} WHERE id = 1")
    refused = await shop.alembic("upgrade", "head")
    assert refused.code == 4, refused.err
    assert "size_new does not have the value of size in these rows" in refused.err
    texts = (" ".join(each.read_text("utf-8").split()) for each in shop.chain.versions.glob("*.py"))
    assert any("another value than the backfill gives (if you change" in each for each in texts)
    if values == "{short}":
        await shop.connection.execute("UPDATE orders SET size = 'short'")
    else:
        await shop.connection.execute("UPDATE orders SET size_new = NULL WHERE id = 1")
    await shop.works("surefoot", "backfill", "cancel", "orders_size_new", "--execute")
    await shop.works("surefoot", "upgrade", "--run-backfills")
    await shop.works("alembic", "check")
    found = await shop.connection.fetchval("SELECT array_agg(size ORDER BY id)::text FROM orders")
    assert found == values


# The values of columns of many types, each before and after.
MANY = [
    ('Text(collation="C")', 'String(9, collation="POSIX")', "'a'"),
    ('Text(collation="C")', 'CHAR(9, collation="POSIX")', "'a'"),
    ("CHAR(5)", "String(9)", "'ab'"),
    ("CHAR(5)", "CHAR(8)", "'ab'"),
    ("postgresql.ARRAY(CHAR(5))", "postgresql.ARRAY(String(9))", "'{ab}'"),
    ("postgresql.ARRAY(String(9))", "postgresql.ARRAY(CHAR(5))", "'{ab}'"),
    ("postgresql.ARRAY(Boolean)", "postgresql.ARRAY(String(9))", "'{t,NULL}'"),
    ("postgresql.ARRAY(postgresql.INET)", "postgresql.ARRAY(String(30))", "'{1.2.3.4}'"),
    ("Boolean", "CHAR(7)", "true"),
    ("Text", 'postgresql.DOMAIN("short", String(3))', "'a'"),
    ("Integer", "postgresql.BIT(3)", "5"),
    ("Double", "Numeric(12, 2)", "7.126"),
    ("Numeric(10, 2)", "Numeric(12, 4)", "5.25"),
    ("postgresql.MONEY", "Numeric", "'5.25'"),
    ("postgresql.JSONB", "JSON", """'{"b": 1,  "a": 2}'"""),
    ("postgresql.INT4RANGE", "postgresql.INT4MULTIRANGE", "'[1,5)'"),
    ('Enum("a", "b", name="one")', 'Enum("a", "b", "c", name="two")', "'a'"),
]


@pytest.mark.slow
async def test_a_row_that_was_filled_is_not_refused(shop: Shop) -> None:
    """Of whatever type: its new value is that of the old one."""
    before, after = (
        [f'Column("c{number}", {each[side]})' for number, each in enumerate(MANY)]
        for side in (0, 1)
    )
    values = ", ".join(each[2] for each in MANY)
    await begin(shop, *before, rows=f"VALUES (1, {values})")
    shop.models(*after)
    done = await shop.works("alembic", "revision", "--autogenerate", "-m", "Change")
    assert done.err.count(" written, which fills ") == len(MANY)
    await shop.works("surefoot", "upgrade", "--run-backfills")
    await shop.works("alembic", "check")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "first", "second"),
    [
        ("String(20)", "CHAR(5)", "'abcde'", "'abcdefgh'"),
        ("String(20)", 'postgresql.DOMAIN("short", String(5))', "'abcde'", "'abcdefgh'"),
        ("postgresql.BIT(5)", "postgresql.BIT(5, varying=True)", "B'10101'", "NULL"),
        ("Text", "Integer", "'5'", "NULL"),
    ],
)
async def test_a_value_that_a_cast_would_cut_off_or_that_is_gone(
    shop: Shop, before: str, after: str, first: str, second: str
) -> None:
    """The new column has a value that the old one has no more."""
    await begin(shop, f'Column("size", {before})', rows=f"VALUES (1, {first})")
    await shop.revise(f'Column("size", {after})')
    await shop.works("alembic", "upgrade", "0002")
    await shop.works("surefoot", "backfill", "run", "orders_size_new", "--execute")
    await shop.connection.execute(f"UPDATE orders SET size = {second}")
    refused = await shop.alembic("upgrade", "head")
    assert refused.code == 4, refused.err
    assert "size_new does not have the value of size in these rows" in refused.err


@pytest.mark.slow
async def test_a_text_that_becomes_shorter_is_not_cut_off(shop: Shop) -> None:
    """A row with a longer one fails, as it would without a backfill."""
    await begin(shop, 'Column("name", String(20))', rows="VALUES (1, 'short'), (2, 'much longer')")
    await shop.revise('Column("name", String(5))')
    await shop.works("alembic", "upgrade", "0002")
    done = await shop.surefoot("backfill", "run", "orders_name_new", "--execute")
    assert (done.code, "StringDataRightTruncation" in done.err) == (4, True), done.err
    assert await shop.connection.fetchval("SELECT name_new FROM orders WHERE id = 2") is None


@pytest.mark.slow
async def test_a_value_of_an_enum_that_goes(shop: Shop) -> None:
    """The file has the statement, but for the value in its place."""

    def state(*labels: str) -> str:
        return f'Column("state", Enum({", ".join(map(repr, labels))}, name="state"))'

    rows = "VALUES (1, 'new'), (2, 'sent'), (3, NULL)"
    await begin(shop, state("new", "paid", "sent"), rows=rows)
    await shop.revise(state("new", "paid"))
    path = shop.backfill("orders_state_new")
    offered = "(CASE state::text WHEN 'sent' THEN '…' ELSE state::text END)::state_new"
    assert f"# {offered}\n" in path.read_text("utf-8")
    write_value(path, offered.replace("…", "paid"))
    await shop.works("surefoot", "lock")
    await shop.works("surefoot", "lint")
    await shop.fill("0002", "orders_state_new")
    states = "SELECT array_agg(state::text ORDER BY id) FROM orders"
    assert await shop.connection.fetchval(states) == ["new", "paid", None]


@pytest.mark.slow
async def test_a_default_that_differs_by_row(shop: Shop) -> None:
    """It is the value of the rows that are there."""
    await begin(shop, rows="SELECT n FROM generate_series(1, 50) n")
    token = 'Column("token", UUID, server_default=text("gen_random_uuid()"), nullable=False)'
    said = await shop.revise(token)
    assert "yours to write" not in said
    assert '"token": "gen_random_uuid()"' in shop.backfill("orders_token").read_text("utf-8")
    linted = await shop.works("surefoot", "lint")
    assert ("1 warning" if OLDER else "0 warnings") in linted.err
    assert "and 1 backfill" in linted.err
    await shop.fill("0002", "orders_token")
    assert await shop.connection.fetchval("SELECT count(DISTINCT token) FROM orders") == 50


@pytest.mark.slow
async def test_an_optional_column_whose_default_differs_by_row(shop: Shop) -> None:
    """The rows that are there get it by a backfill, which no revision requires."""
    await begin(shop, rows="SELECT n FROM generate_series(1, 50) n")
    token = 'Column("token", UUID, server_default=text("gen_random_uuid()"))'
    said = await shop.revise(token)
    assert "OK  backfills/orders_token.py written, which fills orders.token" in said
    assert shop.requiring("orders_token") == []
    await shop.works("alembic", "upgrade", "head")
    tokens = "SELECT count(DISTINCT token) FROM orders"
    assert await shop.connection.fetchval(tokens) == 0
    await shop.works("surefoot", "backfill", "run", "orders_token", "--execute")
    assert await shop.connection.fetchval(tokens) == 50


@pytest.mark.slow
async def test_a_domain_that_gets_not_null(shop: Shop) -> None:
    """Each of its columns is filled before, by a backfill of its own."""

    def sizes(not_null: bool) -> tuple[str, ...]:
        domain = f'postgresql.DOMAIN("size", Integer, not_null={not_null})'
        return tuple(f'Column("{name}", {domain})' for name in ("height", "width"))

    await begin(shop, *sizes(False), rows="VALUES (1, NULL, 5), (2, 6, NULL)")
    await shop.revise(*sizes(True))
    names = ("orders_height", "orders_width")
    assert [shop.requiring(name) for name in names] == [["0002"], ["0002"]]
    for name in names:
        write_value(shop.backfill(name), "7")
    await shop.works("surefoot", "lock")
    await shop.works("surefoot", "upgrade", "--run-backfills")
    await shop.works("alembic", "check")
    rows = await shop.connection.fetch("SELECT height, width FROM orders ORDER BY id")
    assert [tuple(row) for row in rows] == [(7, 5), (6, 7)]


@pytest.mark.slow
async def test_a_column_that_was_optional(shop: Shop) -> None:
    """The backfill runs after the revision that is there; a file of its name stays as it is."""
    await begin(shop, 'Column("size", Integer)', rows="VALUES (1, NULL), (2, 5)")
    shop.backfill("orders_size").parent.mkdir()
    shop.backfill("orders_size").write_text("# of a person\n", "utf-8")
    await shop.revise(SIZE)
    assert shop.backfill("orders_size").read_text("utf-8") == "# of a person\n"
    shop.backfill("orders_size").unlink()
    assert 'after = "0001"' in shop.backfill("orders_size_2").read_text("utf-8")
    write_value(shop.backfill("orders_size_2"), "0")
    await shop.works("surefoot", "lock")
    await shop.fill("0001", "orders_size_2")
    assert await shop.connection.fetchval("SELECT array_agg(size ORDER BY id) FROM orders") == [
        0,
        5,
    ]


@pytest.mark.slow
async def test_a_column_that_is_renamed_too(shop: Shop) -> None:
    """The backfill runs after the revision that gives the column its name."""
    await begin(shop, 'Column("size", Integer)', rows="VALUES (1, NULL), (2, 5)")
    shop.models('Column("width", Integer, nullable=False)')
    declared = ("-x", "rename=orders.size:orders.width")
    await shop.works("alembic", *declared, "revision", "--autogenerate", "-m", "Change")
    assert 'after = "0002"' in shop.backfill("orders_width").read_text("utf-8")
    write_value(shop.backfill("orders_width"), "0")
    await shop.works("surefoot", "lock")
    await shop.fill("0002", "orders_width")
    assert await shop.connection.fetchval(SIZES.replace("size", "width")) == [0, 5]


@pytest.mark.slow
async def test_plain_tables_need_none(shop: Shop) -> None:
    """Their columns are required at once."""
    await begin(shop, 'Column("size", Integer)', rows="VALUES (1, 5)")
    shop.models(SIZE)
    arguments = ("revision", "--autogenerate", "-m", "Plain")
    await shop.works("alembic", "-x", "style=plain", *arguments)
    assert not shop.backfill("orders_size").parent.exists()
