"""Properties of the chain of revisions as a whole."""

import ast
import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.db.models import metadata
from app.migrate.history.revisions import Revision, check_lock, heads, read_revisions
from app.migrate.proof.catalog import Catalog, difference, snapshot
from app.migrate.run.upgrade import downgrade, upgrade
from app.migrate.target import Target
from tests.support.databases import Database

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ROOT / "alembic" / "versions"
CHAIN = read_revisions(VERSIONS)


async def catalog(engine: AsyncEngine) -> Catalog:
    async with engine.connect() as connection:
        return await connection.run_sync(snapshot)


def named(revision: Revision) -> str:
    return f"{revision.id}_{revision.slug}"


def test_the_lock_is_fresh() -> None:
    """`vegafs lock` was run after the last edit of a revision."""
    check_lock(ROOT / "alembic" / "revisions.lock", CHAIN)


def test_the_chain_is_one_line_from_one_base_to_one_head() -> None:
    """Ids are consecutive numbers, each building on the one before."""
    assert len(heads(CHAIN)) == 1
    assert [r.id for r in CHAIN] == [f"{n:04}" for n in range(1, len(CHAIN) + 1)]
    assert [r.down for r in CHAIN] == [(), *((r.id,) for r in CHAIN[:-1])]
    assert len(CHAIN) >= 5


@pytest.mark.parametrize("revision", CHAIN, ids=named)
def test_a_revision_says_what_it_locks_and_how_it_is_undone(revision: Revision) -> None:
    """The docstring has a title, `Locks:` and `Undo:`; the file is named by number and slug."""
    path = VERSIONS / f"{named(revision)}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    title, *rest = docstring.splitlines()
    assert re.fullmatch(r"[A-Z][^\n]{0,70}\.", title)
    assert any(line.startswith("Locks: ") for line in rest)
    assert any(line.startswith("Undo: ") for line in rest)


async def test_every_revision_goes_up_down_and_up(empty_database: Database) -> None:
    """After each step down the catalog is what it was, and after each step up again too."""
    engine = create_engine(empty_database.settings, "migrate")
    target = Target.of(engine)
    before = await catalog(engine)
    for revision in CHAIN:
        await upgrade(target, revision.id)
        after = await catalog(engine)
        assert difference(before, after) != [], f"{revision.id} changes nothing"
        await downgrade(target, "-1")
        assert difference(before, await catalog(engine)) == [], f"down {revision.id}"
        await upgrade(target, revision.id)
        assert difference(after, await catalog(engine)) == [], f"up again {revision.id}"
        before = after
    await engine.dispose()


async def test_the_way_to_base_leaves_nothing(database: Database) -> None:
    """No type, function or sequence stays behind."""
    engine = create_engine(database.settings, "migrate")
    report = await downgrade(Target.of(engine), "base")
    assert [step.revision for step in report.steps] == [r.id for r in reversed(CHAIN)]
    assert not (await catalog(engine)).objects
    await engine.dispose()


async def test_the_revisions_give_what_the_models_say(
    database: Database, empty_database: Database
) -> None:
    """The catalog of head equals the catalog of `metadata.create_all()`."""
    migrated = create_engine(database.settings, "observe")
    created = create_engine(empty_database.settings, "migrate")
    async with created.begin() as connection:
        await connection.run_sync(metadata.create_all)
    assert difference(await catalog(created), await catalog(migrated)) == []
    await created.dispose()
    await migrated.dispose()
