"""The revisions whose upgrade and downgrade a trace has seen."""

import pytest

from surefoot.errors import UpgradeFailed
from surefoot.trace.trace import Trace

IDS = ["1", "2", "3"]


def failed(revision: str) -> UpgradeFailed:
    return UpgradeFailed(revision=revision, reason="no", applied=(), command="upgrade head")


@pytest.mark.parametrize(
    ("at", "back_at", "seen"),
    [
        (None, None, "123"),
        ("2", None, "1"),
        ("1", None, ""),
        (None, "3", "3"),  # it failed by itself, on the rows that were there
        (None, "2", "3"),  # the downgrade of 3 may have lost what that of 2 needs
        (None, "1", "23"),
        ("3", "2", "2"),
        ("3", "1", "2"),
    ],
)
def test_one_is_seen_whose_downgrade_was_tried(
    at: str | None, back_at: str | None, seen: str
) -> None:
    """A failed downgrade hides those below it."""
    back = Trace((), failed(back_at) if back_at else None)
    trace = Trace((), failed(at) if at else None, back)
    assert [*trace.seen(IDS)] == [*seen]


def test_none_is_seen_without_a_downgrade() -> None:
    """It was not requested, or ended where nobody knows."""
    assert not Trace(()).seen(IDS)
    assert not Trace((), back=Trace((), failed("0"))).seen(IDS)
