"""When an attempt that met a lock is worth another, and after how long."""

from __future__ import annotations

import random
from collections.abc import Iterator

# SQLSTATEs: lock_not_available (the lock timeout) and deadlock_detected.
LOCK_TIMEOUT = "55P03"
DEADLOCK = "40P01"
RETRYABLE = frozenset({LOCK_TIMEOUT, DEADLOCK})


def delays(
    first_s: float, longest_s: float, budget_s: float, rng: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each further attempt; they end when their sum would pass the budget.

    Each is twice the one before, between half and all of that by chance, so that runs which met
    the same lock do not meet again.
    """
    rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
    spent_s, step_s = 0.0, first_s
    while True:
        delay_s = step_s * rng.uniform(0.5, 1.0)
        spent_s += delay_s
        if spent_s > budget_s:
            return
        yield delay_s
        step_s = min(step_s * 2, longest_s)
