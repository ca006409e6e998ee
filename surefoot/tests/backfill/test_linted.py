"""Lint tries backfills on made rows; each rule has a class that breaks it, and others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.backfills import FILES, TABLE, Filling
from harness.databases import Database, Databases
from harness.runs import Chain, Launcher
from surefoot.backfill.files import named
from surefoot.backfill.trial import tried
from surefoot.linting.chain_lint import lint
from surefoot.linting.chosen_backfills import of_revisions
from surefoot.linting.judging import Linted
from surefoot.rules.backfills import RULES, TriedBackfill, examine
from surefoot.rules.findings import Finding
from surefoot.version_table import VersionTable

# A table beside `files`; its rows are found by `file` where it has an index.
PRICES = "CREATE TABLE prices (id int PRIMARY KEY, file int, price int)"
PRICE = "(SELECT max(price) FROM prices WHERE prices.file = files.id)"
# A batch is a part of a statement, which may not hold such a WITH.
MOVES = (
    "WITH gone AS (DELETE FROM files USING batch WHERE files.id = batch.id RETURNING files.id) "
    "INSERT INTO prices SELECT id FROM gone"
)
FIRST, IN_STEP = "op.execute('ALTER TABLE files ADD larger bigint')", "op.keep_in_step"
SCAN, WORKS, REPEATS = "avoid-scan-in-batch", "require-working-backfill", "require-idempotent-batch"
STEP = "require-columns-in-step"


@pytest.fixture
async def filling(tmp_path: Path, empty_database: Database) -> AsyncIterator[Filling]:
    """A table with 1,000 rows; the chain has its revision, which did not run."""
    chain = Chain(tmp_path / "chain")
    chain.add(FILES)
    connection = await asyncpg.connect(empty_database.url)
    await connection.execute(TABLE)
    made = Filling(chain, empty_database, connection)
    await made.fill(1000)
    await connection.execute("ALTER TABLE files ALTER size SET NOT NULL")
    yield made
    await connection.close()


async def found(filling: Filling, name: str = "wide") -> Sequence[Finding]:
    """The findings in a backfill, on the database as it is."""
    backfill = named(filling.project, name)
    trial = await tried(filling.connection, backfill, VersionTable())
    path = filling.chain.folder / "alembic" / "backfills" / f"{name}.py"
    return examine(TriedBackfill(path, path.read_text("utf-8"), trial))


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, []),
        ({"sets": {"wide": "size + 1"}}, []),
        ({"todo": "wide IS DISTINCT FROM size"}, []),
        ({"statement": "UPDATE files SET wide = size FROM batch WHERE files.id = batch.id"}, []),
        ({"statement": "DELETE FROM files USING batch WHERE files.id = batch.id"}, []),
        ({"todo": "wide IS NULL AND size <= (SELECT count(*) * 1000 FROM pg_am)"}, []),
        # Values that vary, and such that no made row can get.
        ({"sets": {"wide": "1000 * random()"}}, []),
        ({"sets": {"wide": "NULLIF(size, size)"}}, []),
        ({"sets": {"wide": "('x' || size)::bigint"}}, []),
        ({"sets": {"wide": "sise"}}, [(WORKS, "error")]),
        ({"statement": MOVES}, [(WORKS, "error")]),
        ({"todo": "wide IS NUL"}, [(WORKS, "error")]),
        ({"table": "filez"}, [(WORKS, "error")]),
        ({"key": ["size"]}, [(WORKS, "error")]),
        ({"sets": {"wide": PRICE}}, [(SCAN, "warning")]),
        ({"todo": "wide IS NULL AND size <= (SELECT max(size) FROM files f)"}, [(SCAN, "error")]),
        ({"todo": "size >= 0", "sets": {"size": "size + 1"}}, [(REPEATS, "error")]),
        ({"todo": "size < 9", "sets": {"size": "size * 2"}}, [(REPEATS, "error")]),
        ({"sets": {"size": "size * 1024", "wide": "1"}}, [(REPEATS, "warning")]),
    ],
)
async def test_what_is_seen_of_a_batch(
    filling: Filling, others: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """The rule and its level; nothing of the trial is kept."""
    await filling.connection.execute(PRICES)
    if "statement" in others:
        others = {**others, "sets": {}, "writes": ["wide"]}
    filling.widen(**others)
    before = await filling.connection.fetch("SELECT * FROM files ORDER BY id")
    assert [(each.rule, each.level) for each in await found(filling)] == expected
    assert await filling.connection.fetch("SELECT * FROM files ORDER BY id") == before
    assert await filling.connection.fetchval("SHOW enable_seqscan") == "on"


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"sets": {"wide": "size + 1"}}, ["size"]),
        ({"sets": {"wide": "coalesce(size, 0)"}}, []),
        ({"todo": "wide IS NULL AND size IS NOT NULL"}, []),
        ({"todo": "wide IS DISTINCT FROM size"}, []),
        ({"statement": "DELETE FROM files USING batch WHERE files.id = batch.id"}, []),
    ],
)
async def test_a_column_that_is_null(
    filling: Filling, others: dict[str, Any], expected: list[str]
) -> None:
    """No made row has a NULL there, and a row of a database may."""
    await filling.connection.execute("ALTER TABLE files ALTER size DROP NOT NULL")
    if "statement" in others:
        others = {**others, "sets": {}, "writes": ["wide"]}
    filling.widen(**others)
    trial = await tried(filling.connection, named(filling.project, "wide"), VersionTable())
    assert list(trial.unless_null) == expected
    shown = [(each.rule, each.level) for each in await found(filling)]
    assert shown == [(REPEATS, "warning") for _ in expected]


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "index",
    ["CREATE INDEX ON prices (file)", "CREATE INDEX ON prices (file, price)"],
)
async def test_an_index_spares_the_batch_the_rest_of_a_table(filling: Filling, index: str) -> None:
    """Also where both tables are so small that a scan would be cheaper."""
    await filling.connection.execute(f"{PRICES}; {index}")
    filling.widen(sets={"wide": PRICE})
    assert await found(filling) == ()
    await filling.connection.execute(
        "INSERT INTO prices SELECT i, i, i FROM generate_series(1, 3) i; ANALYZE prices"
    )
    joined = "UPDATE files SET wide = price FROM batch JOIN prices ON file = batch.id"
    filling.widen(sets={}, statement=f"{joined} WHERE files.id = batch.id", writes=["wide"])
    assert await found(filling) == ()
    filling.widen(todo="wide IS NULL AND id <= (SELECT max(file) FROM prices)")
    assert await found(filling) == ()


async def test_a_partition_is_a_part_of_its_table(filling: Filling) -> None:
    """A batch that reads all of the partitions reads all of its own table."""
    await filling.connection.execute(
        "CREATE TABLE parts (id int PRIMARY KEY, size int NOT NULL, wide bigint) "
        "PARTITION BY RANGE (id); "
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50); "
        "CREATE TABLE parts_2 PARTITION OF parts DEFAULT; "
        "INSERT INTO parts SELECT i, i FROM generate_series(1, 100) i"
    )
    filling.widen(table="parts")
    assert await found(filling) == ()
    filling.widen(table="parts", todo="wide IS NULL AND size <= (SELECT max(size) FROM parts p)")
    assert [(each.rule, each.level) for each in await found(filling)] == [(SCAN, "error")]


@pytest.mark.slow
async def test_rows_that_a_trigger_has_filled(filling: Filling) -> None:
    """They are emptied first, without the trigger; so a trial has rows."""
    await filling.connection.execute("UPDATE files SET wide = 5")
    filling.widen()
    trial = await tried(filling.connection, named(filling.project, "wide"), VersionTable())
    assert (trial.changed, trial.again) == (1000, 0)
    assert trial.stale == [("size", "wide")]


async def test_a_batch_in_python_is_parsed_and_not_called(filling: Filling) -> None:
    """`fill` may call a service."""
    body = """
        after = "0001"
        table = "files"
        todo = "wide IS NULL"
        reads, writes = ("size",), ("{}",)

        async def fill(self, rows):
            raise SystemExit("called")
    """
    filling.write("python", body.format("wide"))
    assert await found(filling, "python") == ()
    filling.write("python", body.format("wyde"))
    (finding,) = await found(filling, "python")
    assert finding.rule == WORKS
    assert "wyde" in finding.consequence


async def linted(filling: Filling, databases: Databases, *revisions: str) -> Linted:
    """The result for revisions, or else for all, with their backfills."""
    beside = replace(filling.database.access, scratch_url=(await databases.empty()).url)
    wanted = revisions or tuple(filling.chain.ids)
    names = of_revisions(filling.project, filling.project.revisions(), wanted)
    return await lint(filling.project, beside, wanted, backfills=names)


def of_backfills(findings: Sequence[Finding]) -> list[str]:
    """The rules of those that are about no revision."""
    return [each.rule for each in findings if not each.revision]


def in_three_steps(filling: Filling, more: str, requires_code: str | None) -> None:
    """0002 adds a column that a backfill fills from another one, and 0003 requires the backfill."""
    filling.chain.add(f"{FIRST}\n{more}", 'op.drop_column("files", "larger")', lock=False)
    filling.write(
        "larger",
        """
        after = "0002"
        table = "files"
        todo = "larger IS NULL AND size IS NOT NULL"
        sets = {"larger": "size"}
        """,
        lock=False,
    )
    contract = filling.chain.add(
        'op.execute("SELECT 1")', phase="contract", requires_code=requires_code, lock=False
    )
    path = filling.chain.path(contract)
    text = path.read_text("utf-8")
    path.write_text(text.replace("phase =", "requires_backfill = 'larger'\nphase ="), "utf-8")
    filling.chain.lock()


TRIGGER = '''op.execute("""
CREATE FUNCTION enlarge() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN NEW.larger := NEW.size; RETURN NEW; END$$;
CREATE TRIGGER enlarge BEFORE INSERT OR UPDATE OF size ON files
FOR EACH ROW EXECUTE FUNCTION enlarge()
""")'''


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "requires_code", "expected"),
    [
        ("", "0001", [STEP]),
        # Who runs beside the backfill is not known, or knows the column.
        ("", None, []),
        ("", "0002", []),
        ('op.keep_in_step("files", "size", "larger")', "0001", []),
        (TRIGGER, "0001", []),
    ],
)
async def test_a_column_that_falls_behind(
    filling: Filling,
    databases: Databases,
    more: str,
    requires_code: str | None,
    expected: list[str],
) -> None:
    """Where the contract revision says that code without the column goes on beside it."""
    in_three_steps(filling, more, requires_code)
    result = await linted(filling, databases)
    assert of_backfills(result.findings) == expected
    assert (result.backfills, result.trace.failure) == (("larger",), None)
    remedies = [each.remedy for each in result.findings if each.rule == STEP]
    assert remedies == ['op.keep_in_step("files", "size", "larger")' for _ in expected]


async def test_which_backfills_belong_to_revisions(filling: Filling) -> None:
    """That which one requires, and that which runs after it."""
    in_three_steps(filling, "", None)
    filling.widen()
    chain = filling.project.revisions()
    for revisions, expected in (("0001", ["wide"]), ("0002", ["larger"]), ("0003", ["larger"])):
        assert of_revisions(filling.project, chain, [revisions]) == expected


async def test_every_rule_on_backfills_has_a_case() -> None:
    """Above, one that breaks it and one that does not."""
    assert {rule.id for rule in RULES} == {SCAN, WORKS, REPEATS, STEP}


@pytest.mark.slow
async def test_a_comment_allows_a_finding(filling: Filling, databases: Databases) -> None:
    """At its attribute."""
    filling.write(
        "wide",
        f"""
        after = "0001"
        table = "files"
        # allow {REPEATS}: it is for a day
        todo = "size >= 0"
        sets = {{"size": "size + 1"}}
        """,
    )
    result = await linted(filling, databases)
    assert of_backfills(result.findings) == []
    assert of_backfills([each.finding for each in result.suppressed]) == [REPEATS]
    filling.widen(todo="size >= 0", sets={"size": "size + 1"})
    assert of_backfills((await linted(filling, databases)).findings) == [REPEATS]


@pytest.mark.slow
async def test_the_command(filling: Filling, launcher: Launcher) -> None:
    """It tries backfills that no revision requires, and points at the line."""
    filling.widen(todo="size >= 0", sets={"size": "size + 1"})
    url = filling.database.url
    said = await launcher.surefoot(filling.chain, "lint", url=url)
    assert said.code == 1, said.err
    assert f"alembic/backfills/wide.py:9\n  error [{REPEATS}]" in said.out
    assert f"or allow it: # allow {REPEATS}: <the reason>" in said.out
    assert "in 1 revision and 1 backfill" in said.err
    place = "alembic/backfills/wide.py:9"
    told = await launcher.surefoot(filling.chain, "explain", REPEATS, place, url=url)
    assert (told.code, "1000 of 1000 made rows match" in told.out) == (0, True), told.err
