"""The files that autogenerate writes for ten changes are those that a person has reviewed.

SUREFOOT_TEST_GOLDEN=write pytest tests/integration/test_golden_changes.py -m slow

replaces the expected files.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.databases import Database
from harness.generation import write_value
from harness.runs import Chain, Launcher, Result
from harness.server import PG_MAJOR
from integration.golden_changes import CHANGES, ENV, Change

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.slow
@pytest.mark.skipif(PG_MAJOR < 18, reason="the files are those for PostgreSQL 18")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
async def test_a_change_is_written_as_reviewed(
    change: Change, tmp_path: Path, empty_database: Database
) -> None:
    """The files, and what the command says; the database gets what the models say, and back."""
    chain = Chain(tmp_path / "shop")
    (chain.folder / "alembic" / "env.py").write_text(ENV, "utf-8")

    async def alembic(*arguments: str) -> Result:
        env = {"SUREFOOT_TEST_SCRATCH_URL": empty_database.url}
        return await Launcher().alembic(chain, *arguments, url=empty_database.url, env=env)

    async def works(*arguments: str) -> str:
        done = await alembic(*arguments)
        assert done.code == 0, done.err
        return done.err

    models = chain.folder / "shop.py"
    models.write_text(change.before, "utf-8")
    await works("revision", "--autogenerate", "-m", "Begin")
    if change.first:
        chain.add(change.first, "op.execute('DROP SCHEMA sales')")
    await works("upgrade", "head")
    there = {*chain.versions.glob("*.py")}
    models.write_text(change.after, "utf-8")
    said = await works(*change.options, "revision", "--autogenerate", "-m", change.message)
    written = sorted({*chain.versions.glob("*.py")} - there)
    filling = sorted((chain.folder / "alembic" / "backfills").glob("*.py"))
    texts = (f"\n==> {path.name}\n\n{path.read_text('utf-8')}" for path in (*written, *filling))
    files = "".join(texts)
    text = f"{said}{files}".replace(str(tmp_path), "")
    golden = GOLDEN / f"{change.name}.txt"
    if os.environ.get("SUREFOOT_TEST_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
    if written:
        for path in filling:
            write_value(path, "NULL")  # no table has rows
        await works("upgrade", "head")
        checked = await alembic("check")
        assert "by hand" in checked.err or checked.code == 0, checked.err
        await works("downgrade", "0001")
        await works("upgrade", "head")
