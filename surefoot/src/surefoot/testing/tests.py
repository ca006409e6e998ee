"""The tests: `from surefoot.testing.tests import *`, in a module that defines MIGRATIONS."""

import pytest

from surefoot.chain.lockfile import check_lock
from surefoot.chain.revisions import Revision
from surefoot.errors import ModelsDiffer, RowsMissing
from surefoot.testing import conventions
from surefoot.testing.chain_tests import ChainTests, Walk
from surefoot.testing.offline_sql import OfflineUpgrade
from surefoot.testing.populated_upgrade import PopulatedUpgrade
from surefoot.testing.round_trip import RoundTrip

__all__ = [
    "pytest_plugins",
    "test_a_revision_applies_to_tables_with_rows_and_keeps_them",
    "test_a_revision_goes_up_down_and_up",
    "test_a_revision_imports_nothing_that_moves_on",
    "test_a_revision_is_named_by_what_it_does",
    "test_head_is_what_the_models_say",
    "test_rows_are_made_for_every_table",
    "test_sql_of_a_revision_does_what_the_upgrade_does",
    "test_sql_of_the_chain_does_what_the_upgrade_does",
    "test_the_chain_has_one_head",
    "test_the_lock_is_fresh",
]

pytest_plugins = ["surefoot.testing.plugin"]


def test_the_chain_has_one_head(migrations: ChainTests) -> None:
    """Every file can be read, and each revision builds on the one before, or on a branch."""
    migrations.check()


def test_the_lock_is_fresh(migrations: ChainTests) -> None:
    """revisions.lock was written after the last edit of a revision."""
    check_lock(migrations.project.lock, migrations.revisions())


def test_a_revision_is_named_by_what_it_does(revision: Revision) -> None:
    """The name of the file says more than its id, and the docstring says it in words."""
    conventions.check_name(revision)


def test_a_revision_imports_nothing_that_moves_on(revision: Revision) -> None:
    """Models, for example, change; a revision has to work on every new database."""
    conventions.check_imports(revision)


def test_a_revision_goes_up_down_and_up(
    migrations_round_trip: RoundTrip, revision: Revision
) -> None:
    """Downgrade and upgrade give the same catalogs as before."""
    _check(migrations_round_trip, revision)


def test_head_is_what_the_models_say(
    migrations: ChainTests, migrations_round_trip: RoundTrip
) -> None:
    """The catalog after the last revision equals that of `metadata.create_all()`."""
    _reached_head(migrations, migrations_round_trip)
    if migrations_round_trip.models:
        raise ModelsDiffer(migrations_round_trip.models)


def test_a_revision_applies_to_tables_with_rows_and_keeps_them(
    migrations_populated: PopulatedUpgrade, revision: Revision
) -> None:
    """All rows and values remain, except the losses that its docstring declares."""
    _check(migrations_populated, revision)


def test_rows_are_made_for_every_table(migrations_populated: PopulatedUpgrade) -> None:
    """A revision is not tested against rows where a table stays empty."""
    if migrations_populated.missing:
        raise RowsMissing(migrations_populated.missing)


def test_sql_of_a_revision_does_what_the_upgrade_does(
    migrations_offline: OfflineUpgrade, revision: Revision
) -> None:
    """`alembic upgrade PREDECESSOR:REVISION --sql`, run by a client, gives the same catalog."""
    _check(migrations_offline, revision)


def test_sql_of_the_chain_does_what_the_upgrade_does(
    migrations: ChainTests, migrations_round_trip: RoundTrip, migrations_offline: OfflineUpgrade
) -> None:
    """So does `alembic upgrade head --sql`, on an empty database."""
    _reached_head(migrations, migrations_round_trip)
    if migrations_offline.errors:
        pytest.skip(f"{next(iter(migrations_offline.errors))} failed by itself")
    if migrations_offline.whole:
        raise migrations_offline.whole


def _check(walk: Walk, revision: Revision) -> None:
    if revision.id in walk.errors:
        raise walk.errors[revision.id]
    if revision.id not in walk.reached:
        stopped = next(reversed(walk.errors), "a revision before it")
        pytest.skip(f"not reached: {stopped} failed")
    if revision.id in walk.left_out:
        pytest.skip(walk.left_out[revision.id])


def _reached_head(tests: ChainTests, walk: Walk) -> None:
    if len(walk.reached) < len(tests.line()[1]):
        pytest.skip("head was not reached")
