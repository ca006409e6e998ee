"""What some SQL drops, from its text."""

import pytest

from surefoot.run.guards.loss import drops


@pytest.mark.parametrize(
    ("sql", "dropped"),
    [
        ("DROP TABLE files", [("files", None)]),
        ('drop table if exists "Odd name", s.b cascade', [('"Odd name"', None), ("s.b", None)]),
        ("TRUNCATE TABLE ONLY jobs", [("jobs", None)]),
        ("ALTER TABLE files DROP COLUMN missing_since", [("files", "missing_since")]),
        (
            "ALTER TABLE files DROP missing_since, DROP b",
            [("files", "missing_since"), ("files", "b")],
        ),
        ('ALTER TABLE ONLY s.t DROP COLUMN IF EXISTS "A"', [("s.t", '"A"')]),
        ("ALTER TABLE t DROP CONSTRAINT c", []),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", []),
        ("ALTER TABLE t ALTER a DROP DEFAULT, ALTER b DROP IDENTITY", []),
        ("DROP INDEX ix; DROP VIEW v; DROP TYPE y", []),
    ],
)
def test_tables_and_columns_that_go_are_found(
    sql: str, dropped: list[tuple[str, str | None]]
) -> None:
    """Constraints, defaults and views hold no data."""
    assert drops(sql) == dropped
