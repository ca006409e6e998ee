"""A schema as SQL, Markdown, Mermaid and SVG, and what a revision changes of it.

The texts are those that a person has read: golden/schema. To replace them:

SUREFOOT_TEST_GOLDEN=write pytest tests/integration/test_schema_picture.py
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.databases import Database, Databases, engine, execute
from harness.runs import Chain, Launcher
from surefoot.catalog import Catalog, difference, snapshot
from surefoot.schema.markdown import markdown
from surefoot.schema.mermaid import mermaid
from surefoot.schema.picture import picture
from surefoot.schema.sql import changed, sql
from surefoot.schema.svg import svg

GOLDEN = Path(__file__).with_name("golden") / "schema"
WIDE = (Path(__file__).parent / "wide_schema.sql").read_text("utf-8")
FORMATS = {"sql": "sql", "markdown": "md", "mermaid": "mmd", "svg": "svg"}
FIRST = """
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mail text NOT NULL UNIQUE,
    "full name" text
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    state state NOT NULL DEFAULT 'new',
    note varchar(40)
);
COMMENT ON TABLE orders IS 'What a customer | <b>wants</b>';
COMMENT ON COLUMN orders.note IS 'In the customer''s `own` words';
CREATE INDEX ix_orders_state ON orders (state) WHERE state = 'new'
"""
SECOND = """
CREATE TABLE parcels (
    id bigint PRIMARY KEY,
    order_id bigint REFERENCES orders,
    sent_at timestamptz
);
ALTER TABLE orders ADD COLUMN euros numeric(12, 2) CHECK (euros > 0);
ALTER TABLE orders ALTER COLUMN note TYPE text;
ALTER TABLE customers DROP COLUMN "full name"
"""


async def catalog_of(database: Database) -> Catalog:
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(snapshot)


@pytest.mark.slow
async def test_the_sql_of_a_wide_schema_creates_it(
    databases: Databases, empty_database: Database
) -> None:
    """In an empty database, with every attribute that a catalog compares."""
    await execute(empty_database.url, WIDE)
    original = await catalog_of(empty_database)
    copy = await databases.empty()
    await execute(copy.url, sql(original))
    found = await catalog_of(copy)
    await databases.drop(copy)
    assert [str(each) for each in difference(original, found, column_order=True)] == []


@pytest.fixture(scope="module")
async def both(databases: Databases) -> AsyncIterator[tuple[Catalog, Catalog]]:
    """The catalogs after two revisions."""
    database = await databases.empty()
    found = []
    for script in (FIRST, SECOND):
        await execute(database.url, script)
        found.append(await catalog_of(database))
    yield found[0], found[1]
    await databases.drop(database)


def expected(asked: str, format_: str) -> Path:
    return GOLDEN / f"{asked}.{FORMATS[format_]}"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_schema_is_shown_as_reviewed(format_: str, both: tuple[Catalog, Catalog]) -> None:
    """As it is at a revision, and what the next one changes."""
    first, second = both
    if format_ == "sql":
        texts = {"at": sql(first), "diff": changed(first, second, ("0001", "0002"))}
    else:
        drawn = {"markdown": markdown, "mermaid": mermaid, "svg": svg}[format_]
        texts = {
            "at": drawn(picture("Schema at 0001", first)),
            "diff": drawn(picture("From 0001 to 0002", second, first)),
        }
    for asked, text in texts.items():
        if os.environ.get("SUREFOOT_TEST_GOLDEN") == "write":
            GOLDEN.mkdir(exist_ok=True)
            expected(asked, format_).write_text(f"{text}\n", "utf-8")
        assert f"{text}\n" == expected(asked, format_).read_text("utf-8")
        if format_ == "svg":
            ElementTree.fromstring(text)


def shop(folder: Path) -> Chain:
    """The same as two revisions."""
    chain = Chain(folder / "shop")
    for script in (FIRST, SECOND):
        chain.add(f"op.execute({script!r})")
    return chain


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
async def test_the_command_shows_it(format_: str, tmp_path: Path, empty_database: Database) -> None:
    """From the revisions on a scratch database."""
    chain = shop(tmp_path)
    for asked, place in {"at": "0001", "diff": "0002"}.items():
        options = (f"--{asked}", place, "--format", format_)
        done = await Launcher().surefoot(chain, "schema", *options, url=empty_database.url)
        assert (done.code, done.err) == (0, "")
        assert done.out == expected(asked, format_).read_text("utf-8")


@pytest.mark.slow
async def test_a_place_is_named_as_in_other_commands(
    tmp_path: Path, empty_database: Database
) -> None:
    """The beginning of an id, head and base; an unknown one is answered with the nearest."""
    chain = shop(tmp_path)
    chain.add("op.execute('SELECT 1')")

    async def schema(*options: str) -> tuple[int, str, str]:
        done = await Launcher().surefoot(chain, "schema", *options, url=empty_database.url)
        return done.code, done.out, done.err

    assert await schema("--at", "head") == await schema()
    assert await schema("--at", "base") == (0, "\n", "")
    code, shown, _ = await schema("--diff", "base..0001", "--format", "markdown")
    assert (code, "Tables: 2 added, 0 as before." in shown) == (0, True)
    assert await schema("--diff", "0003") == (0, "", "nothing differs between 0002 and 0003\n")
    code, _, said = await schema("--at", "0009")
    assert (code, "no revision is '0009'" in said and "0003" in said) == (2, True)
    code, _, said = await schema("--at", "000")
    assert (code, "0001, 0002, 0003 begin with it" in said) == (2, True)
    code, _, said = await schema("--at", "0001", "--diff", "0002")
    assert (code, "one of them" in said) == (2, True)
