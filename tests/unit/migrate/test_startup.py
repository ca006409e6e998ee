"""The decision of the start-up check: build x database -> verdict."""

import pytest

from app.migrate.history.revisions import Revision
from app.migrate.proof.startup import decide

CHAIN = tuple(
    Revision(f"000{n}", (f"000{n - 1}",) if n > 1 else (), "expand", f"step_{n}", "0" * 64)
    for n in range(1, 5)
)


@pytest.mark.parametrize(
    ("found", "state", "pending", "message"),
    [
        ({"0004"}, "current", (), None),
        (
            {"0002"},
            "behind",
            ("0003", "0004"),
            "database 'vegafs' is at 0002; this build needs 0004 (pending: 0003, 0004)",
        ),
        (
            {"0005"},
            "ahead",
            (),
            "database 'vegafs' is at 0005, which this build does not know; "
            "its newest revision is 0004",
        ),
        (
            set(),
            "never-migrated",
            ("0001", "0002", "0003", "0004"),
            "database 'vegafs' was never migrated; this build needs 0004",
        ),
        (
            {"0004", "00ff"},
            "ahead",
            (),
            "database 'vegafs' is at 0004, 00ff, which this build does not know; "
            "its newest revision is 0004",
        ),
    ],
)
def test_the_verdict_follows_from_the_sets(
    found: set[str], state: str, pending: tuple[str, ...], message: str | None
) -> None:
    """Sets of ids are compared, never one row."""
    verdict = decide("vegafs", CHAIN, frozenset(found))
    assert verdict.state == state
    assert verdict.expected == "0004"
    assert verdict.pending == pending
    error = verdict.error()
    assert (error.message if error else None) == message
    assert error is None or error.exit_code == 1
