"""Pace decides how many rows the next batch has, and when it may begin. Times are in seconds."""

from dataclasses import dataclass
from math import sqrt

# From one batch to the next.
MOST_GROWTH, LEAST_GROWTH = 2.0, 0.25
# The time of a batch of no row is learnt from two whose rows differ so many times, and is believed
# a little less with each batch: another network or a quieter standby is noticed.
_DIFFERING, _BELIEVED = 1.5, 0.98
# So many rows the first batch has: nobody knows yet how long they take. And the batch that a plan
# and a dry run show.
FIRST_ROWS, PLANNED_ROWS = 100, 1000


@dataclass
class Pace:
    """The number of rows of the next batch of one worker."""

    target_s: float
    least: int
    most: int
    rows: int = FIRST_ROWS
    # Seconds of a batch of no row, as far as they are learnt: the network, a standby that confirms
    # each commit, a trigger for each statement. The earlier batch is one that they are learnt from.
    _least_s: float = 0.0
    # Where few rows lack the change, so many are walked to find those of a batch.
    _span: int = 0
    _earlier: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        self.rows = self._bounded(self.rows)

    @property
    def span(self) -> int:
        """The rows that the next batch walks, of which at most `rows` should lack the change."""
        return max(self.rows, min(self._span, self.most))

    def looked(self, seconds: float, lacking: int) -> bool:
        """A look at `span` rows took so long; whether they are a batch, and not too many."""
        if lacking > self.rows or seconds > self.target_s:
            self._span = self.span // 2
        elif lacking * 4 <= self.rows and seconds * 2 <= self.target_s:
            self._span = self.span * 2
        return lacking <= self.rows

    def took(self, seconds: float, rows: int, lacking: int | None = None) -> None:
        """The last batch walked so many rows in so long: the next one has more rows, or fewer.

        It grows by the root of the factor that would fit, as the same number of rows may take
        twice as long beside clients. Where only a share of the rows lacked the change, it grows by
        no more than if all do next, and not at all after fewer rows than it could have had: these
        are the last ones of a range, and do not tell how long a whole batch takes.

        Where a batch of no row takes long, fewer rows would only make more batches: it takes up
        to twice as long as that.
        """
        self._learn(rows, seconds)
        target_s = max(self.target_s, 2 * self._least_s)
        factor = target_s / seconds if seconds > 0 else MOST_GROWTH**2
        if factor > 1:
            share = 1.0 if lacking is None else min(1.0, lacking / self.rows)
            factor = sqrt(max(1.0, factor * share)) if rows >= self.rows else 1.0
        self.rows = self._bounded(self.rows * max(LEAST_GROWTH, min(MOST_GROWTH, factor)))

    def _learn(self, rows: int, seconds: float) -> None:
        """Learn the time of a batch of no row: it is on the line through this batch and another."""
        self._least_s = min(self._least_s * _BELIEVED, seconds)
        other, other_s = self._earlier or (rows, seconds)
        if max(rows, other) > _DIFFERING * min(rows, other):
            found_s = (seconds * other - other_s * rows) / (other - rows)
            self._least_s += (max(0.0, min(found_s, seconds, other_s)) - self._least_s) / 2
            self._earlier = (rows, seconds)
        elif self._earlier is None:
            self._earlier = (rows, seconds)

    def halve(self) -> None:
        """The last batch met a lock or a timeout: the next one has half of its rows."""
        self.rows = max(1, self.rows // 2)

    def _bounded(self, rows: float) -> int:
        return round(max(self.least, min(self.most, rows)))


@dataclass
class Rate:
    """At most so many rows a second, of all workers of a process; None is no limit."""

    rows_per_s: float | None = None
    # The time at which the rows up to now are due.
    _due_s: float = 0.0

    def wait_s(self, rows: int, now_s: float) -> float:
        """So long the next batch waits, after one of so many rows that ended now."""
        if not self.rows_per_s:
            return 0.0
        self._due_s = max(self._due_s, now_s) + rows / self.rows_per_s
        return self._due_s - now_s
