"""Sent is the statements that the running revision has sent, for its row in the ledger."""

import re
import time
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
        # The one that has no answer yet.
        self._sql: str | None = None
        self._since_s = 0.0

    def begins(self, sql: str) -> None:
        """A statement is about to be sent."""
        self._sql, self._since_s = sql, time.monotonic()

    def ends(self) -> None:
        """It has succeeded. One that was not begun was done by an attempt before, and counts."""
        self.count += 1
        sql, self._sql = self._sql, None
        if sql is None:
            return
        took_s = time.monotonic() - self._since_s
        if len(self._first) < MOST:
            self._first.append({"sql": shape(sql, LENGTH), "duration_s": round(took_s, 4)})
        else:
            self._more_s += took_s

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
