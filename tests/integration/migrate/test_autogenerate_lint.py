"""What autogenerate writes hurts no database in use: lint finds nothing in it but what is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.engine import create_engine
from app.migrate.history.revisions import read_revisions
from app.migrate.review.lint import lint
from app.migrate.review.rules import RULES
from app.migrate.target import Target
from tests.integration.migrate.model_changes import CHANGES, Change
from tests.support.databases import Databases
from tests.support.generation import Project, new_metadata

INI = "[alembic]\nscript_location = %(here)s\nfile_template = %%(rev)s_%%(slug)s\n"
Rules = Mapping[str, str]

# Why a rule is broken all the same.
STORED: Rules = {
    "avoid-stored-generated-column": "PostgreSQL computes a stored column only by writing all rows",
}
STORED_ANEW: Rules = {
    **STORED,
    "avoid-work-under-access-exclusive": "it is dropped and added at once, or it would be missing",
}
EXCLUSION: Rules = {"avoid-exclusion-constraint": "PostgreSQL has no concurrent way to one"}
EXCLUSION_ANEW: Rules = {
    **EXCLUSION,
    "avoid-work-under-access-exclusive": "dropped and made at once, or rows could overlap",
}
NEW_TYPE: Rules = {
    "avoid-type-change": "an enum that loses a value is a new type, and its tables written anew",
}
NEW_TYPE_BELOW: Rules = {
    **NEW_TYPE,
    "avoid-work-under-access-exclusive": "what the type is used by is put aside before",
}
NUMBERED: Rules = {
    "avoid-work-under-access-exclusive": "a sequence goes on after the highest number, which is "
    "read while nobody can take the next",
}
TOGETHER: Rules = {"avoid-locking-two-tables": "what is put aside and made again is one revision"}
UNINDEXED: Rules = {"require-index-for-foreign-key": "the models declare no index on its columns"}
SMALL_KEY: Rules = {"avoid-small-integer-key": "the models' own choice of a type"}
WITH_TABLE: Rules = {"avoid-reference-with-its-column": "a new table is proven without a row"}

ALLOWED: Mapping[str, Rules] = {
    "type_changed_under_index_check_and_view": {
        **STORED_ANEW,
        **TOGETHER,
        "avoid-type-change": "what stands on a column would have to be made beside it too",
    },
    "columns_added_with_all_they_can_have": {
        **STORED,
        **UNINDEXED,
        "avoid-json-column": "the models' own choice of a type",
    },
    "computed_column_added": STORED,
    "computed_column_becomes_ordinary": STORED_ANEW,
    "computed_column_type_changed": STORED_ANEW,
    "computed_expression_changed": STORED_ANEW,
    "function_in_index_check_and_default_added": STORED,
    "exclusion_constraint_added": EXCLUSION,
    "exclusion_constraint_changed": EXCLUSION_ANEW,
    "domain_added": {
        "avoid-volatile-default": "a domain that forbids null is proven by writing all rows",
    },
    "domain_changed": {
        "require-not-valid-domain-check": "PostgreSQL proves what a domain forbids as it is told",
    },
    "enum_value_added_and_used": NEW_TYPE_BELOW,
    "enum_value_added_between": NEW_TYPE,
    "enum_value_added_first": NEW_TYPE,
    "enum_value_added_last": NEW_TYPE,
    "enum_values_added_everywhere": NEW_TYPE,
    "enum_values_exchanged": NEW_TYPE_BELOW,
    "enum_values_reordered": NEW_TYPE,
    "enum_under_views_functions_and_triggers_changed": {**NEW_TYPE_BELOW, **STORED, **TOGETHER},
    "enum_value_renamed": {
        "avoid-renaming-an-enum-value": "a value in the place of another is taken for a renaming",
    },
    "identity_added": NUMBERED,
    "identity_in_place_of_a_default": NUMBERED,
    "identity_on_a_nullable_column_added": NUMBERED,
    "key_with_columns_beside_it": {**NUMBERED, **TOGETHER},
    "primary_key_added": TOGETHER,
    "primary_key_changed": {**NUMBERED, **TOGETHER, **UNINDEXED},
    "key_under_a_foreign_key_changed": UNINDEXED,
    "foreign_key_added": UNINDEXED,
    "foreign_key_changed": UNINDEXED,
    "tables_in_a_circle_added": {**SMALL_KEY, **UNINDEXED},
    "tables_that_refer_to_each_other_added": {**SMALL_KEY, **UNINDEXED},
    "table_added": {**SMALL_KEY, **WITH_TABLE},
    "table_without_names_for_constraints_added": {**SMALL_KEY, **WITH_TABLE, **UNINDEXED},
    "table_with_a_key_with_columns_beside_it_added": SMALL_KEY,
    "table_with_names_that_need_quotes_added": SMALL_KEY,
    "table_with_everything_on_it_added": TOGETHER,
    "serial_added": SMALL_KEY,
    "column_type_unknown_to_sqlalchemy": TOGETHER,
    "view_no_longer_shows_a_dropped_column": TOGETHER,
    "view_uses_a_new_column": TOGETHER,
}


@pytest.fixture(scope="module")
async def connection(databases: Databases) -> AsyncIterator[AsyncConnection]:
    """One database for the module; every test empties it."""
    database = await databases.empty()
    engine = create_engine(database.settings, "migrate")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()
    await databases.drop(database)


@pytest.fixture(scope="module")
async def scratch(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """A second one, to try revisions on."""
    database = await databases.empty()
    engine = create_engine(database.settings, "migrate")
    yield engine
    await engine.dispose()
    await databases.drop(database)


@pytest.fixture
async def project(connection: AsyncConnection, scratch: AsyncEngine, tmp_path: Path) -> Project:
    """A folder without a revision, on an empty database."""
    project = Project(tmp_path, connection)
    await project.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    async with scratch.begin() as other:
        await other.exec_driver_sql("DROP SCHEMA public CASCADE")
        await other.exec_driver_sql("CREATE SCHEMA public")
    return project


QUICK_HERE = {"index_added", "foreign_key_changed", "enum_value_added_and_used"}
PARAMETERS = [
    pytest.param(
        change,
        id=change.__name__,
        marks=[] if change.__name__ in QUICK_HERE else [pytest.mark.slow],
    )
    for change in CHANGES
]


@pytest.mark.parametrize("change", PARAMETERS)
async def test_lint_finds_nothing_in_what_is_written(
    project: Project, scratch: AsyncEngine, change: Change
) -> None:
    """There and back: the rules that are broken are those that are named, and no other."""
    old, new = new_metadata(), new_metadata()
    change(old, False)
    change(new, True)
    begin = {path.name for path in await project.revise(old, "Begin")}
    await project.upgrade()
    await project.revise(new, "There")
    await project.upgrade()
    await project.revise(old, "Back")
    project.lock()
    ini = project.versions.parent / "alembic.ini"
    ini.write_text(INI, "utf-8")
    chain = read_revisions(project.versions)

    written = [revision.id for revision in chain if revision.file_name not in begin]
    linted = await lint(Target.of(scratch, ini), chain, written)

    assert linted.trace.failure is None, project.text()
    assert linted.suppressed == 0
    # What squawk says is about the models' own choice of types.
    found = {each.rule for each in linted.findings if RULES[each.rule].seen != "squawk"}
    said = "\n".join(finding.render() for finding in linted.findings)
    assert found == set(ALLOWED.get(change.__name__, ())), f"{said}\n{project.text()}"


def test_what_is_allowed_is_asked() -> None:
    """A change that is renamed takes its reasons along."""
    assert {change.__name__ for change in CHANGES} >= set(ALLOWED)
