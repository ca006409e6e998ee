"""The duration of a statement on the target, by the rows that it is expected to reach there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from surefoot.planning.estimate import HIGH, INSTANT, LOW, OVERHEAD_S, Estimate, estimate
from surefoot.planning.statistics import Statistics, TableStatistics
from surefoot.trace.expected_rows import ExpectedRows
from surefoot.trace.schema_objects import Activity
from surefoot.trace.statement import Statement

NOW = Statistics({"jobs": TableStatistics(1_000_000, 10**8, 0, 0, 0.0)}, None)
ROWS: Mapping[str, Any] = {"rows": {"jobs": 1000}, "bytes": {"jobs": 10**5}}
TOOK_S = 0.001


def updates(rows: int) -> tuple[ExpectedRows, ...]:
    return (ExpectedRows("jobs", "update", rows, "an index"),)


@pytest.mark.parametrize(
    ("what", "factor"),
    [
        # By an index on both: as many rows more.
        ({"activity": {"jobs": Activity(1, updated=10)}, "expected": updates(5000)}, 500),
        ({"activity": {"jobs": Activity(1, updated=10)}, "expected": updates(10)}, 1),
        # The scan of the whole table takes longer than the change of few rows.
        ({"activity": {"jobs": Activity(1, 1, updated=10)}, "expected": updates(10)}, 1000),
        # No sample row was met: a moment for few rows, and unknown for many.
        ({"activity": {"jobs": Activity(1, probes=1)}, "expected": updates(10)}, 0),
        ({"activity": {"jobs": Activity(1, probes=1)}, "expected": updates(5000)}, None),
        ({"expected": updates(5000)}, None),
    ],
)
def test_the_duration_follows_the_expected_rows(
    what: Mapping[str, Any], factor: int | None
) -> None:
    statement = Statement("1", 1, 1, "UPDATE …", True, seconds=TOOK_S + OVERHEAD_S, **ROWS, **what)
    found = estimate(statement, NOW)
    if factor is None:
        assert found is None
    else:
        assert found is not None
        scaled = Estimate(TOOK_S * factor * LOW, TOOK_S * factor * HIGH)
        assert (found.low_s, found.high_s) == pytest.approx(
            ((INSTANT + scaled).low_s, (INSTANT + scaled).high_s)
        )


@pytest.mark.parametrize(
    ("size", "sample", "is_known"),
    [
        # A sample of few rows, in a page and its maps; few are enough for a small table.
        ((1_000_000, 10**8), (1, 40_960), False),
        ((1_000_000, 10**8), (20, 40_960), False),
        ((5_000, 5 * 10**5), (20, 40_960), True),
        # Nothing has counted the rows of the target yet, or most of them are dead.
        ((3, 10**10), (1000, 10**5), False),
        # It is short whatever its rows are like.
        ((3, 10**6), (1000, 10**5), True),
        ((1_000_000, 5 * 10**8), (1000, 10**5), True),
    ],
)
def test_rows_that_are_unlike_those_of_the_sample_say_nothing(
    size: tuple[int, int], sample: tuple[int, int], *, is_known: bool
) -> None:
    """A range from seconds to hours is no estimate."""
    now = Statistics({"jobs": TableStatistics(*size, 0, 0, 0.0)}, None)
    rows, size_bytes = ({"jobs": each} for each in sample)
    scan = Statement(
        "1",
        1,
        1,
        "ALTER TABLE …",
        True,
        seconds=TOOK_S + OVERHEAD_S,
        rows=rows,
        bytes=size_bytes,
        activity={"jobs": Activity(1, 1)},
    )
    found = estimate(scan, now)
    assert (found is not None) == is_known
    assert found is None or found.high_s <= found.low_s * 10 * HIGH / LOW + 1


def test_many_new_rows_take_as_long_everywhere() -> None:
    """They depend on no table of the database."""
    statement = Statement("1", 1, 1, "CREATE TABLE …", True, seconds=0.2, made_rows=100_000)
    assert estimate(statement, NOW) == Estimate(0.2, 0.2)
