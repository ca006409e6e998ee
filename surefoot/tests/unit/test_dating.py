"""When a database drifted follows from what its runs have left."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from surefoot.catalog import NOTHING
from surefoot.chain.revisions import Revision
from surefoot.differences import Since
from surefoot.differences.detection import dated
from surefoot.ledger.table import Row

LOCKED = [
    Revision(f"000{n}", down, "expand", "x", "", fingerprint=f"right {n}")
    for n, down in ((1, ()), (2, ("0001",)), (3, ("0002",)))
]
BASE = ("base", NOTHING.fingerprint())


def at(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ([], Since()),
        ([("0001", "right 1"), ("0002", "right 2")], Since(at(2))),
        ([("0001", "right 1"), ("0002", "wrong")], Since(at(1), at(2))),
        ([("0001", "right 1"), ("0002", "else"), ("0003", "wrong")], Since(at(1), at(3))),
        ([("0001", "right 1"), ("0002", "wrong"), ("0003", "right 3")], Since(at(3))),
        ([("0001", "wrong"), ("0002", "wrong")], Since(None, at(1))),
        ([("0001", "else")], Since()),
        ([("9999", "of a later build")], Since()),
        ([BASE, ("0001", "else")], Since(at(1))),
        ([("0001+0002", "right 1")], Since()),
    ],
)
def test_the_last_run_that_left_what_was_expected_is_the_first_bound(
    runs: list[tuple[str, str]], since: Since
) -> None:
    """The first after it that left what is there now is the other; what no run tells is open."""
    rows = [
        Row(revision, "upgrade", "expand", "measured", "", fingerprint=left, finished_at=at(day))
        for day, (revision, left) in enumerate(runs, start=1)
    ]
    applied = Row("0003", "upgrade", "expand", "applied", "", fingerprint=None, finished_at=at(20))
    assert dated([*rows, applied], LOCKED, "wrong") == since
