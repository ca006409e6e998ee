"""Every change of models becomes a revision that goes up, down and up."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import pytest

from harness.generation import Project, new_metadata
from integration.model_changes import CHANGES, QUICK, Change
from surefoot.catalog import Difference, difference

PARAMETERS = [
    pytest.param(
        change,
        id=change.__name__,
        marks=[] if change.__name__ in QUICK else [pytest.mark.slow],
    )
    for change in CHANGES
]


@pytest.mark.sample(2)
@pytest.mark.parametrize("change", PARAMETERS)
async def test_a_change_becomes_a_revision_that_goes_up_down_and_up(
    project: Project, change: Change
) -> None:
    """There and back by two revisions, down by both and up again: each catalog is as it should be.

    What the one adds the other drops; after the first nothing differs from the models.
    """
    await there_and_back(project, change, None)


# Statements and parents in the others are without a schema.
ELSEWHERE = [each for each in CHANGES if not re.search(r"ddl\(|inherits", inspect.getsource(each))]


@pytest.mark.slow
@pytest.mark.sample(2)
@pytest.mark.parametrize("change", ELSEWHERE, ids=lambda each: each.__name__)
async def test_a_change_in_another_schema_does_the_same(project: Project, change: Change) -> None:
    """Each with its online steps, and with names that have the schema before them."""
    await project.execute("CREATE SCHEMA far")
    project.configure(options={"include_schemas": True})
    await there_and_back(project, change, "far")


async def there_and_back(project: Project, change: Change, schema: str | None) -> None:
    old, new = new_metadata(schema), new_metadata(schema)
    change(old, False)
    change(new, True)
    await project.create(old)
    before = await project.catalog()

    there = await project.revise(new, "There")
    await project.upgrade()
    after = await project.catalog()
    assert shown(difference(await project.models(new), after)) == [], project.text()
    await project.check(new)

    back = await project.revise(old, "Back")
    await project.upgrade()
    assert shown(difference(before, await project.catalog())) == [], project.text()

    await project.downgrade(there[-1].stem.partition("_")[0])
    assert shown(difference(after, await project.catalog())) == [], project.text()
    await project.downgrade()
    assert shown(difference(before, await project.catalog())) == [], project.text()
    await project.upgrade()
    assert shown(difference(before, await project.catalog())) == [], project.text()

    assert there
    assert back
    project.ruff("format", "--quiet")
    project.ruff("check")


def test_the_quick_ones_are_there() -> None:
    """A change that is renamed does not drop out of the quick run."""
    assert {change.__name__ for change in CHANGES} >= QUICK


def shown(differences: Iterable[Difference]) -> list[str]:
    return [str(each) for each in differences]
