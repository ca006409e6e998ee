"""Every change of models becomes a revision that goes up, down and up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.migrate.proof.catalog import difference
from tests.integration.migrate.model_changes import CHANGES, Change
from tests.support.databases import Databases
from tests.support.generation import Project, new_metadata, ruff

# Of a composite type SQLAlchemy says that it does not know it, and rightly.
pytestmark = pytest.mark.filterwarnings("ignore:Did not recognize type")


@pytest.fixture(scope="module")
async def engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """One database for the module; every test empties it."""
    database = await databases.empty()
    engine = create_engine(database.settings, "migrate")
    yield engine
    await engine.dispose()
    await databases.drop(database)


@pytest.fixture
async def project(engine: AsyncEngine, tmp_path: Path) -> Project:
    """A folder without a revision, on an empty database."""
    project = Project(tmp_path, engine)
    await project.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return project


@pytest.mark.parametrize("forward", [True, False], ids=["forth", "back"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_a_change_becomes_a_revision_that_goes_up_down_and_up(
    project: Project, change: Change, forward: bool
) -> None:
    """Up gives what the models give, after which nothing differs; down gives what was."""
    old, new = new_metadata(), new_metadata()
    change(old, not forward)
    change(new, forward)
    await project.create(old)
    before = await project.catalog()

    written = await project.revise(new, "Change the models")

    assert written
    for path in written:
        ruff("check", path)
    await project.upgrade()
    after = await project.catalog()
    text = "\n".join(path.read_text("utf-8") for path in written)
    assert shown(difference(await project.models(new), after)) == [], text
    await project.check(new)
    await project.downgrade()
    assert shown(difference(before, await project.catalog())) == [], text
    await project.upgrade()
    assert shown(difference(after, await project.catalog())) == [], text


def shown(differences: object) -> list[str]:
    return [str(each) for each in differences]  # type: ignore[attr-defined]
