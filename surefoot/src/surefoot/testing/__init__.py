"""Tests of a chain of revisions, for any project; the only package here that imports pytest.

    # tests/test_migrations.py
    from surefoot.testing import ChainTests, scratch
    from surefoot.testing.tests import *

    MIGRATIONS = ChainTests(Path("alembic.ini"), metadata)

    @pytest.fixture(scope="session")
    def migrations_scratch():
        return partial(scratch, database())     # opens an empty database, dropped after the block

conventions         names and imports of the revision files
round_trip          up, down and up again, on empty tables
populated_upgrade   up, on tables with rows; losses.py compares the rows
offline_sql         `--sql`, run as a client does
"""

from surefoot.scratch import scratch
from surefoot.testing.chain_tests import ChainTests

__all__ = ["ChainTests", "scratch"]
