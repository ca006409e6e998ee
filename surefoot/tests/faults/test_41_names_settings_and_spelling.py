"""Names of every length, settings that change definitions, and expressions written another way."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy import Table as ModelTable
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.commands import psql, run_alembic, snapshot_of
from harness.databases import Database, Databases, execute
from harness.generation import Project, ddl, new_metadata, on_empty
from harness.processes import run
from surefoot.catalog import difference, reading
from surefoot.catalog.statements import create, drop

WIDE = (Path(__file__).parents[1] / "integration" / "wide_schema.sql").read_text("utf-8")
# Names of one bad kind each; others are drawn from all of these together.
ALPHABETS = ("abcz_09", "ABé", "名🐘ß", "\"'`", " .:%$()\\", " ON ONLY ", " NOT VALID")


@pytest.fixture
async def project(connection: AsyncConnection, tmp_path: Path) -> Project:
    """A folder without a revision, on an empty database."""
    return await on_empty(tmp_path, connection)


def names(chance: random.Random) -> Iterator[str]:
    """Names of 1 to 63 bytes, half of them alike in their first 58, none of them twice."""
    seen: set[str] = set()
    while True:
        letters = "".join(ALPHABETS) if chance.random() < 0.5 else chance.choice(ALPHABETS)
        size = chance.choice((1, 2, 30, 31, 62, 63))
        drawn = "".join(chance.choice(letters) for _ in range(size))
        if chance.random() < 0.5:
            drawn = "n" * 58 + drawn
        name = drawn.encode()[:63].decode(errors="ignore")
        if name and name not in seen:
            seen.add(name)
            yield name


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables_of(chance: random.Random) -> tuple[list[str], Counter[str]]:
    """Tables with one object of each kind, all under such names, and how many there are."""
    drawn = map(quoted, names(chance))
    statements, former = [], None
    for _ in range(3):
        t, key, state, twice, ref = (next(drawn) for _ in range(5))
        reference = f"REFERENCES {former}" if former else "CHECK (true)"
        statements += [
            f"CREATE TABLE {t} ({key} int CONSTRAINT {next(drawn)} PRIMARY KEY, "
            f"{state} varchar(9) NOT NULL CONSTRAINT {next(drawn)} CHECK ({state} IN ('a', 'b')), "
            f"{twice} text GENERATED ALWAYS AS ({state} || 'x') STORED, "
            f"{ref} int CONSTRAINT {next(drawn)} {reference}, "
            f"CONSTRAINT {next(drawn)} UNIQUE ({state}, {ref}))",
            f"CREATE INDEX {next(drawn)} ON {t} (lower({state})) WHERE {state} IN ('a', 'b')",
            f"CREATE VIEW {next(drawn)} AS SELECT {key}, {state} FROM {t} "
            f"WHERE {state} IN ('a', 'b')",
            f"CREATE TYPE {next(drawn)} AS ENUM ('a')",
            f"CREATE DOMAIN {(domain := next(drawn))} AS varchar "
            f"CONSTRAINT {next(drawn)} CHECK (VALUE IN ('a', 'b'))",
            f"CREATE FUNCTION {(function := next(drawn))}() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NEW; END'",
            f"CREATE FUNCTION {next(drawn)}(a {domain}) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            f"CREATE TRIGGER {next(drawn)} BEFORE UPDATE ON {t} FOR EACH ROW "
            f"WHEN (NEW.{state} IN ('a', 'b')) EXECUTE FUNCTION {function}()",
            f"CREATE POLICY {next(drawn)} ON {t} USING ({state} IN ('a', 'b'))",
            f"CREATE SEQUENCE {next(drawn)}",
            f"CREATE STATISTICS {next(drawn)} ON {key}, {state} FROM {t}",
        ]
        former = t
    each = {"table": 1, "column": 4, "constraint": 4, "index": 1, "view": 1, "enum": 1, "domain": 1}
    each |= {"function": 2, "trigger": 1, "policy": 1, "sequence": 1, "statistics": 1}
    return statements, Counter({kind: 3 * count for kind, count in each.items()})


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))]
)
async def test_objects_with_any_names_are_told_apart(project: Project, seed: int) -> None:
    """Each is in the catalog, its loss is one difference, and its own SQL brings it back."""
    chance = random.Random(seed)
    statements, expected = tables_of(chance)
    await project.execute(*statements)
    found = await project.catalog()
    assert Counter(key.kind for key in found.objects) == expected

    droppable = [
        (key, item)
        for key, item in found.objects.items()
        if key.kind in ("index", "view", "policy", "trigger", "statistics", "enum")
        or (key.kind == "constraint" and "PRIMARY" not in getattr(item, "definition", ""))
    ]
    for key, item in chance.sample(droppable, 8):
        await project.execute(drop(key, item))
        gone = difference(found, await project.catalog())
        assert [(each.word, each.kind, each.name) for each in gone] == [("missing", *key)]
        await project.execute(*create(key, item))
    again = await project.catalog()
    assert difference(found, again) == []
    assert found.fingerprint() == again.fingerprint()


async def test_a_dot_in_a_name_hides_no_object(project: Project) -> None:
    """Column c of table a.b, and column b.c of table a."""
    await project.execute('CREATE TABLE "a.b" (c int)', 'CREATE TABLE a (id int, "b.c" text)')
    found = await project.catalog()
    assert Counter(key.kind for key in found.objects) == {"table": 2, "column": 3}
    await project.execute('ALTER TABLE a DROP COLUMN "b.c"')
    assert difference(found, await project.catalog()) != []


@pytest.mark.slow
async def test_models_with_long_names_equal_their_database(project: Project) -> None:
    """A table of 31 characters, one of 63, and the keys between them."""
    models = new_metadata()
    for name in ("jobs", "job_processing_annotations", "t" * 31, "T" * 63):
        reference: list[Any] = [] if name == "jobs" else [Column("job_id", ForeignKey("jobs.id"))]
        ModelTable(
            name, models, Column("id", Integer, primary_key=True), Column("name", String(20)),
            UniqueConstraint("name", name=f"uq_{name}"[:63]), *reference,
        )  # fmt: skip
    await project.create(models)
    await project.check(models)
    lost = f"ALTER TABLE {'t' * 31} DROP CONSTRAINT uq_{'t' * 31}"
    before = await project.catalog()
    await project.execute(lost)
    gone = difference(before, await project.catalog())
    assert [(each.word, each.name) for each in gone] == [("missing", f"{'t' * 31}.uq_{'t' * 31}")]


SETTINGS = {
    "quote_all_identifiers": "on",
    "search_path": "elsewhere, public",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "standard_conforming_strings": "off",
    "xmlbinary": "hex",
}
# Each definition is written in another way under one of the settings.
SENSITIVE = """
CREATE DOMAIN label AS "text" DEFAULT 'x'::"text";
CREATE TABLE held (
    "user" label, at timestamptz DEFAULT '2026-01-02 03:04:05+00', day date DEFAULT '2026-02-01',
    span interval DEFAULT '1 day 2 hours', raw bytea DEFAULT decode('5c00ff', 'hex'),
    ratio float8 DEFAULT 0.1::float8 / 3, tag text DEFAULT E'a\\\\b',
    CHECK (at > '2026-01-01 00:00:00+00' AND span < '30 days' AND raw <> decode('5c', 'hex')));
CREATE TABLE moments (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE moments_1 PARTITION OF moments
    FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00');
CREATE VIEW days AS SELECT day, E'\\\\x' AS "order" FROM held WHERE span > '1 mon';
"""


@pytest.mark.slow
async def test_settings_change_no_definition(databases: Databases) -> None:
    """Of a database that was made under them, and of one that got them later."""
    plain, others = await databases.empty(), await databases.empty()
    changes = ";".join(f"ALTER DATABASE %s SET {n} = {v!r}" for n, v in SETTINGS.items())
    changes = changes.replace("'elsewhere, public'", "elsewhere, public")
    await execute(plain.url, WIDE + SENSITIVE)
    expected = await snapshot_of(plain)
    await execute(others.url, changes.replace("%s", others.name))
    await execute(others.url, WIDE + SENSITIVE)
    await execute(plain.url, changes.replace("%s", plain.name))
    for each in (plain, others):
        found = await snapshot_of(each)
        assert [str(one) for one in difference(expected, found)] == []
        assert found.fingerprint() == expected.fingerprint()
        await databases.drop(each)


@pytest.mark.slow
def test_no_command_is_misled_by_settings(database: Database, empty_database: Database) -> None:
    """`alembic check`, `surefoot drift`, `surefoot verify` and a stamp on a migrated database."""
    changes = [f"ALTER DATABASE {database.name} SET {n} = {v!r}" for n, v in SETTINGS.items()]
    psql(database, ";".join(changes).replace("'elsewhere, public'", "elsewhere, public"))
    for arguments in (["check"], ["stamp", "head"]):
        done = run_alembic(*arguments, url=database.url)
        assert done.code == 0, done.err
    given = {"DATABASE_URL": database.url, "SUREFOOT_TEST_SCRATCH_URL": empty_database.url}
    for name in ("drift", "verify"):
        ran = run("surefoot", name, **given)
        assert ran.code == 0, ran.out + ran.err


async def test_a_parameter_that_nobody_can_set_is_left_out_and_told_once(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL 15.20 writes pg_attver on every column; a person's parameters stay."""
    await project.execute("CREATE TABLE t (a int)", "ALTER TABLE t ALTER a SET (n_distinct = 5)")
    before = await project.catalog()
    reading.is_compared.cache_clear()
    kept = "array_append(attoptions, 'pg_noted=7')"
    await project.execute(
        f"UPDATE pg_attribute SET attoptions = {kept} WHERE attrelid = 't'::regclass",
        "UPDATE pg_class SET reloptions = '{pg_noted=8}' WHERE oid = 't'::regclass",
    )
    with caplog.at_level(logging.WARNING):
        found, again = await project.catalog(), await project.catalog()
    assert before == found == again
    column = found.column("t", "a")
    assert column is not None
    assert column.attribute_options == ("n_distinct=5",)
    told = [each.getMessage() for each in caplog.records if "pg_noted" in each.getMessage()]
    assert told == [
        "the server has a storage parameter pg_noted, which this version does not compare"
    ]


# PostgreSQL writes each of them in another way after it has read its own text.
REWRITTEN = (
    "v IN ('a', 'b')",
    "v NOT IN ('a', 'b,]')",
    "d IN ('a', 'b')",
    "lower(v) || 'x' = ANY (ARRAY[v, 'b'])",
    "coalesce(v, 'x')::varchar IN ('a', 'b')",
    "t = ANY (ARRAY[v, w])",
    "t = ANY (ARRAY[CASE WHEN i = 1 THEN v ELSE w END, w])",
    "t = ANY (ARRAY[(v || 'x')::varchar, w])",
    "t = ANY (ARRAY[[v, w], ['a'::varchar, w]])",
    "v = ANY (ARRAY['a', 'b']::varchar(3)[])",
    "n = ANY (ARRAY[i, i + 1]) AND v IN ('a', 'b')",
    "i BETWEEN 1 AND 2 AND (v IN ('a', 'b') OR w IN ('c', 'd'))",
    "v IN ('::text[]', 'ARRAY[''x'']::text[]')",
)


@pytest.mark.sample(4)
@pytest.mark.parametrize("expression", REWRITTEN)
async def test_an_expression_that_was_read_again_is_the_same(
    project: Project, expression: str
) -> None:
    """As a check, a predicate, a view, a policy, a default, a generated column and a trigger."""
    await project.execute(
        "CREATE DOMAIN dom AS varchar",
        "CREATE TABLE t (v varchar(9), w varchar, d dom, t text, i int, n numeric, "
        f"CONSTRAINT c CHECK ({expression}), "
        f"g boolean GENERATED ALWAYS AS ({expression}) STORED)",
        f"CREATE INDEX p ON t (i) WHERE {expression}",
        f"CREATE INDEX x ON t (({expression}))",
        f"CREATE VIEW s AS SELECT v FROM t WHERE {expression}",
        f"CREATE VIEW j AS SELECT t.v, ({expression}) AS is FROM t JOIN (SELECT 1 AS o) q ON true",
        f"CREATE POLICY y ON t USING ({expression})",
        "CREATE TABLE h (a varchar(3)[] DEFAULT ARRAY['a', 'b'])",
    )
    found = await project.catalog()
    for key, item in found.objects.items():
        if key.kind in ("constraint", "index", "view", "policy"):
            await project.execute(drop(key, item), *create(key, item))
    for table, name in (("t", "g"), ("h", "a")):
        column = found.column(table, name)
        assert column is not None
        given = f"DEFAULT {column.default}"
        if column.generated is not None:
            given = f"GENERATED ALWAYS AS ({column.generated.removesuffix(' STORED')}) STORED"
        await project.execute(f"ALTER TABLE {table} DROP {name}, ADD {name} {column.type} {given}")
    again = await project.catalog()
    assert [str(each) for each in difference(found, again)] == []
    assert found.fingerprint() == again.fingerprint()


@pytest.mark.slow
async def test_a_check_is_silent_after_the_upgrade(project: Project) -> None:
    """A view and a predicate on varchar, and an enum that is a check; then it gets a value more."""

    def models(*values: str) -> MetaData:
        made = new_metadata()
        state = Enum(*values, name="state", native_enum=False, create_constraint=True, length=9)
        ModelTable(
            "jobs", made, Column("id", Integer, primary_key=True), Column("state", state),
            Column("note", String(9)), CheckConstraint("note IN ('x', 'y')", name="note"),
            Index("ix_open", "id", postgresql_where=text("note IN ('x', 'y')")),
        )  # fmt: skip
        ddl(made, "CREATE VIEW open_jobs AS SELECT id FROM jobs WHERE note IN ('x', 'y')")
        return made

    for step in (models("new", "open"), models("new", "open", "done")):
        await project.revise(step, "Step")
        project.lock()
        await project.run(command.upgrade, "head", metadata=step)
        await project.check(step)
        found, expected = await project.catalog(), await project.models(step)
        assert difference(expected.declarable(), found.declarable()) == [], project.text()
