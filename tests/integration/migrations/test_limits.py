"""The bounds of a run are settings of VēgaFS, and messages name them so."""

import pytest

from harness import pooler
from harness.databases import Database
from tests.support.project import run


def test_a_lock_timeout_of_zero_is_refused(empty_database: Database) -> None:
    """As a setting it cannot be written."""
    result = run(
        *("alembic", "upgrade", "head"),
        DATABASE_URL=empty_database.url,
        VEGAFS_MIGRATE_LOCK_TIMEOUT_S="0",
    )
    assert (result.code, result.err) == (
        2,
        "ERROR [settings-invalid]  VEGAFS_MIGRATE_LOCK_TIMEOUT_S (environment): Input should be "
        "greater than 0\n"
        "  help: see `vegafs settings --help`\n",
    )


@pytest.mark.skipif(pooler.PROGRAM is None, reason="PgBouncer is not installed")
def test_behind_a_pooler_the_setting_for_a_direct_url_is_named(empty_database: Database) -> None:
    """PgBouncer as it comes does not let a migration connect."""
    with pooler.pooling(empty_database.url) as url:
        result = run("alembic", "upgrade", "head", DATABASE_URL=url)
    assert result.code == 3
    assert result.err.endswith(
        "  help: set VEGAFS_MIGRATE_DATABASE_URL to the server itself; the service stays behind "
        "the pooler\n"
    )
