"""The schedule of further attempts."""

import random

from surefoot.run.upgrade.retry import delays


def test_delays_grow_to_the_longest_and_end_with_the_budget() -> None:
    """Each is between half and all of twice the one before, and their sum stays in the budget."""
    found = list(delays(1.0, 8.0, 60.0, random.Random(7)))
    bounds = [1.0, 2.0, 4.0, 8.0, *[8.0] * 50]
    assert all(bound / 2 <= delay <= bound for delay, bound in zip(found, bounds, strict=False))
    assert 60.0 - 8.0 < sum(found) <= 60.0


def test_no_budget_is_no_further_attempt() -> None:
    """With nothing to spend the first failure is the last."""
    assert list(delays(0.5, 30.0, 0.0)) == []


def test_two_runs_do_not_keep_time() -> None:
    """Chance spreads them, so that they do not meet again at the same lock."""
    assert list(delays(1, 8, 60, random.Random(1))) != list(delays(1, 8, 60, random.Random(2)))
