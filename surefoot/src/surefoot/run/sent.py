"""Sent is the statements that the running revision has sent, for its row in the ledger."""

import re
import time
from collections.abc import Callable
from typing import Any

from surefoot.ledger.details import MOST
from surefoot.run.sessions import shape

# Of a statement so many characters are kept.
LENGTH = 240
# The run and the step send these beside the one that does the work.
_BESIDE = re.compile(r"\s*(?:SELECT|SET|RESET)\b", re.IGNORECASE)


class Sent:
    """The number of its statements; the first of them, without values, with their durations."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[dict[str, Any]] = []
        self._more_s = 0.0
        self._answered = 0
        # The one that was begun last.
        self._sql: str | None = None
        self._since_s = 0.0

    def begins(self, sql: str) -> None:
        """A statement is about to be sent."""
        self._sql, self._since_s = sql, time.monotonic()

    def ends(self, when_answered: Callable[[Callable[[float], None]], None]) -> None:
        """It is sent, or will be; `when_answered` calls a function with the time of its answer.

        One that was not begun was done by an attempt before, and counts.
        """
        self.count += 1
        sql, self._sql, since_s = self._sql, None, self._since_s
        if sql is None:
            self._answered += 1
            return
        kept: dict[str, Any] | None
        kept = {"sql": shape(sql, LENGTH)} if len(self._first) < MOST else None
        if kept is not None:
            self._first.append(kept)

        def answered(at_s: float) -> None:
            self._answered += 1
            if kept is not None:
                kept["duration_s"] = round(at_s - since_s, 4)
            else:
                self._more_s += at_s - since_s

        when_answered(answered)

    def only_answered(self) -> None:
        """They have failed: the server has not run those that have no answer."""
        self._first = [each for each in self._first if "duration_s" in each]
        self.count = self._answered

    def only_step(self) -> None:
        """They were those of one step, and statements of the run beside it."""
        self._first = [each for each in self._first if not _BESIDE.match(each["sql"])]
        self.count, self._more_s = max(len(self._first), 1), 0.0

    def details(self) -> dict[str, Any] | None:
        """The column `details` of its row, without locks."""
        if not self._first:
            return None
        more = {"more_s": round(self._more_s, 4)} if self._more_s else {}
        return {"sent": [*self._first], **more}
