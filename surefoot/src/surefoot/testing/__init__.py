"""Tests over a chain of revisions, for any project that has one; pytest is imported here alone.

    # tests/test_migrations.py
    from surefoot.testing import ChainTests
    from surefoot.testing.tests import *

    MIGRATIONS = ChainTests(Path("alembic.ini"), metadata)

    @pytest.fixture(scope="session")
    def migrations_scratch():
        return partial(scratch, settings)       # opens an empty database, gone after the block

files      what the files alone show: names, imports
there      up, down and up again, on empty tables
kept       up, on tables with rows; rows.py makes them, contents.py compares
offline    `--sql`, run as a client would
"""

from surefoot.testing.chain_tests import ChainTests

__all__ = ["ChainTests"]
