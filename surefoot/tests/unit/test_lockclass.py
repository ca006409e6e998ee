"""The lock class of a statement, from its text."""

import pytest

from surefoot.operations.in_step import KeepInStep, StopKeepingInStep
from surefoot.operations.lock_class import lock_class


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY ix ON t (a)",
        "create unique index concurrently if not exists ix on t (a)",
        "DROP INDEX CONCURRENTLY ix",
        "REINDEX INDEX CONCURRENTLY ix",
        "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        'ALTER TABLE ONLY "s"."t" VALIDATE CONSTRAINT c;',
        "-- why\n/* and\n how */ ANALYZE t",
    ],
)
def test_what_nobody_queues_behind_is_patient(statement: str) -> None:
    """These take SHARE UPDATE EXCLUSIVE: readers and writers go on."""
    assert lock_class(statement) == "patient"


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN a int",
        "ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN a int",
        "CREATE INDEX ix ON t (a)",
        "DROP INDEX ix",
        "REINDEX TABLE t",
        "REFRESH MATERIALIZED VIEW v",
        "ALTER TABLE t DETACH PARTITION p",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "VACUUM FULL t",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE t VALIDATE CONSTRAINT c'; END $$",
        "SELECT 'CREATE INDEX CONCURRENTLY'",
        *KeepInStep("t", "a", "b").statements(),
        *StopKeepingInStep("t", "a", "b").statements(),
        "",
    ],
)
def test_everything_else_is_short(statement: str) -> None:
    """An unknown statement is taken for one that stalls the service."""
    assert lock_class(statement) == "short"
