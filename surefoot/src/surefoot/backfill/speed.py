"""Speed says how fast a lap goes, of all processes together."""

from collections import deque

# The rate is that of the last moments: about so many looks, a second apart.
_LOOKS = 30


class Speed:
    """Rows a second, and the seconds that are left of a lap, from looks at its progress."""

    def __init__(self) -> None:
        self._lap = -1
        # When, rows changed, rows walked.
        self._looks: deque[tuple[float, int, int]] = deque(maxlen=_LOOKS)

    def look(
        self, now_s: float, lap: int, changed: int, walked: int, total: int
    ) -> tuple[float | None, float | None]:
        """Rows changed a second, and the seconds left until `total` rows are walked.

        Each is None where it is not known: at the first look at a lap, and while nothing moves. The
        time left is not known either once as many rows are walked: `total` is an estimate.
        """
        if lap != self._lap:
            self._lap = lap
            self._looks.clear()
        self._looks.append((now_s, changed, walked))
        then_s, changed_then, walked_then = self._looks[0]
        took_s = now_s - then_s
        if took_s <= 0:
            return None, None
        of_walk, left = (walked - walked_then) / took_s, total - walked
        left_s = left / of_walk if of_walk > 0 and left > 0 else None
        return (changed - changed_then) / took_s, left_s
