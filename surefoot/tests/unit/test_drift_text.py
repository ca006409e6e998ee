"""Drift as people read it: when it came, and what belongs to the models."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Index, Table
from surefoot.differences import Drift, Since, deviations, render
from surefoot.errors import DatabaseDrifted

EARLY = datetime(2026, 11, 20, 14, 2, tzinfo=timezone.utc)
LATE = datetime(2026, 11, 21, 9, 30, tzinfo=timezone.utc)
INDEX = Index(
    name="ix", table="t", definition="CREATE INDEX ix ON t USING btree (a)", unique=False,
    valid=True, comment=None,
)  # fmt: skip
TABLE = Table(
    name="t", kind="table", persistence="permanent", partition_key=None, inherits=None,
    options=None, row_security=None, comment=None,
)  # fmt: skip
HERE = {Key("table", "t"): TABLE}
MISSING = deviations(Catalog({**HERE, Key("index", "ix"): INDEX}), Catalog(HERE))


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (Since(), ""),
        (Since(EARLY), ", since the run of 2026-11-20 14:02"),
        (Since(EARLY, LATE), ", between the runs of 2026-11-20 14:02 and 2026-11-21 09:30"),
        (Since(None, LATE), ", before the run of 2026-11-21 09:30 ended"),
    ],
)
def test_the_first_line_says_when_it_came(since: Since, told: str) -> None:
    """As far as the ledger tells."""
    first = render(Drift("x", "0007", MISSING, since)).splitlines()[0]
    assert first == f"DRIFT  x: 1 difference from 0007{told}"


def test_the_models_come_after_the_database_and_are_numbered_with_it() -> None:
    """The way on is another: a revision."""
    assert render(Drift("x", "0007", MISSING, models=MISSING)) == (
        "DRIFT  x: 1 difference from 0007\n\n"
        "1  missing  index ix\n"
        "   fix: CREATE INDEX CONCURRENTLY ix ON t (a);\n\n"
        "MODELS  1 difference of 0007 from the models\n\n"
        "2  missing  index ix\n\n"
        "2 differences. Next: run the fixes, or write a revision for the intended changes"
    )


def test_objects_of_a_database_at_base_may_be_those_of_the_project() -> None:
    """The fixes drop all of them."""
    assert render(Drift("x", "base", MISSING)).splitlines()[-1] == (
        "1 difference. Next: `surefoot ops adopt REV --reason …`, where the objects are those of "
        "this project; else run the fixes, or write a revision for the intended changes"
    )


def test_the_error_counts_both() -> None:
    """The error of `surefoot verify` for it."""
    error = DatabaseDrifted("x", "0007", 1, 2)
    assert error.render() == (
        "ERROR [database-drifted]  1 difference of 'x' from 0007; "
        "2 differences of the models from 0007\n"
        "  help: `surefoot drift` lists them, with the SQL that repairs them"
    )
    assert error.exit_code == 1
