"""The schedule of further attempts."""

import itertools
import random

from surefoot.run.upgrade.retry import delays


def test_delays_grow_to_the_longest() -> None:
    """Each is between half and all of twice the one before, until that is the longest."""
    found = itertools.islice(delays(1.0, 8.0, random.Random(7)), 20)
    bounds = [1.0, 2.0, 4.0, *[8.0] * 17]
    assert all(bound / 2 <= delay <= bound for delay, bound in zip(found, bounds, strict=True))


def test_two_runs_do_not_keep_time() -> None:
    """Chance spreads them, so that they do not meet again at the same lock."""
    assert next(delays(1, 8, random.Random(1))) != next(delays(1, 8, random.Random(2)))
