"""Batching sends the DDL of revisions in batches, where nobody waits for what they lock.

The times of a revision and of its statements end when the server has answered. Which statement of a
batch has failed is not known, so the revisions run again without.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from surefoot.compat.batches import Batches, WhenAnswered, may_wait
from surefoot.connect import sender
from surefoot.ledger.details import MOST
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run


class Batching:
    """Whether statements of the run are put off."""

    def __init__(self, run: Run, shares: Callable[[PlannedRevision], bool]) -> None:
        """`shares` says whether a revision is in a transaction with others."""
        self._connection, self._recorder, self._shares = run.connection, run.recorder, shares
        self._batches: Batches | None = None
        self._is_on, self._is_each_sent = False, False

    @contextmanager
    def on(self) -> Iterator[None]:
        """Put off those of the block, until `stop`."""
        driver: Any = self._connection.connection.driver_connection
        self._batches, driver.puts_off, self._is_on = Batches(driver), self._put_off, True
        try:
            yield
        finally:
            driver.puts_off, self._is_on = None, False
            self._batches.end()

    def stop(self) -> None:
        """Put off no further ones. Those that were are done, or rolled back."""
        self._is_on = False

    def send_each(self) -> None:
        """Put off no further ones, because a function may ask for the text of its message."""
        self._is_each_sent = True

    @property
    def failed(self) -> Sequence[str]:
        """The revisions of the batch that has failed, if `stop` was not called since."""
        return self._batches.failed if self._is_on and self._batches is not None else ()

    @property
    def is_waiting(self) -> bool:
        """Whether some are not done yet, and the server has not answered since."""
        return self._batches is not None and self._batches.is_waiting

    def when_answered(self, function: WhenAnswered) -> None:
        """Call it with the time at which all that was sent is done: now, where nothing waits."""
        if self._batches is not None:
            self._batches.when_answered(function)
        else:
            function(time.monotonic())

    async def _put_off(self, statement: str) -> bool:
        running, count = self._recorder.running, self._recorder.sent.count
        if self._batches is None or running is None or not (self._is_on and self._shares(running)):
            return False
        # Beyond so many the ledger adds up their times, which are not known yet.
        is_first = count < MOST and sender.revision() is not None and not self._is_each_sent
        may = is_first and not self._batches.is_quiet and may_wait(statement)
        if may := may and self._batches.can_send(statement):
            await self._batches.put_off(statement, running.revision)
        return may
