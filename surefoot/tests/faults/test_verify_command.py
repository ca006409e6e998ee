"""`surefoot verify` tells all answers, also where one check cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.databases import Database, execute
from harness.runs import Chain, Launcher

# PostgreSQL has one index of a name in a schema.
TWICE = """\
from sqlalchemy import Column, Integer, MetaData, Table, UniqueConstraint
models = MetaData()
for name in ("a", "b"):
    Table(name, models, Column("id", Integer), UniqueConstraint("id", name="same"))
"""


# Without the refusal it counted as models without a table, and autogenerate dropped all tables.
BASE = "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n"


@pytest.mark.parametrize(
    ("models", "before", "code", "reason"),
    [
        ("'nowhere:metadata'", "", "models-not-importable", "No module named 'nowhere'"),
        ("'sample.models:metadat'", "", "models-not-importable", "no attribute 'metadat'"),
        ("Base", BASE, "models-not-importable", "Base is no MetaData"),
        ("models", TWICE, "models-not-creatable", 'relation "same" already exists'),
    ],
)
async def test_models_that_cannot_be_used_do_not_hide_the_other_answers(
    tmp_path: Path,
    launcher: Launcher,
    database: Database,
    models: str,
    before: str,
    code: str,
    reason: str,
) -> None:
    """The models are compared in the last check alone."""
    sample = Chain(tmp_path / "sample", of_project=True)
    env = sample.folder / "alembic" / "env.py"
    written = env.read_text("utf-8")
    assert '"sample.models:metadata"' in written
    env.write_text(before + written.replace('"sample.models:metadata"', models), "utf-8")
    done = await launcher.surefoot(sample, "verify", url=database.url)
    assert done.code == 1, done.err
    said = done.out.splitlines()
    assert said[0] == f"FAILED  {database.name}: 1 of 4 checks failed"
    assert [line.split()[:2] for line in said[1:5]] == [
        ["yes", "files"],
        ["yes", "ledger"],
        ["yes", "startup"],
        ["no", "drift"],
    ]
    assert f"[{code}]" in said[4]
    assert reason in said[4]
    compared = await launcher.alembic(sample, "check", url=database.url)
    assert (compared.code, f"ERROR [{code}]  " in compared.err) == (2, True), compared.err


# Tables that hide those of PostgreSQL, without a row.
HIDES = """
CREATE TABLE public.pg_attribute AS SELECT attrelid, attname, attnum, atttypid, attisdropped
    FROM pg_catalog.pg_attribute LIMIT 0;
CREATE TABLE public.pg_class AS TABLE pg_catalog.pg_class WITH NO DATA;
CREATE TABLE public.pg_locks AS TABLE pg_catalog.pg_locks WITH NO DATA;
CREATE TABLE public.pg_namespace AS TABLE pg_catalog.pg_namespace WITH NO DATA
"""


async def test_tables_with_the_names_of_catalogs_hide_nothing(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Where the search path leads to them first: the ledger is there, and is used."""
    chain.add("op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')")
    url = empty_database.url
    up = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert up.code == 0, up.err
    await execute(url, HIDES)
    await execute(
        url, f'ALTER DATABASE "{empty_database.name}" SET search_path = public, pg_catalog'
    )
    for command in (("downgrade", "base"), ("upgrade", "head")):
        done = await launcher.alembic(chain, *command, url=url)
        assert done.code == 0, done.err
    verified = await launcher.surefoot(chain, "verify", url=url)
    assert "\n  yes  ledger    6 rows, all hashes are valid" in verified.out
