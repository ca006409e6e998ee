"""Recorder follows a run: it reports each step to a listener and makes the Report."""

import time
from collections.abc import Callable, Collection, Sequence

from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.chain.way_back import BASE, way_back
from surefoot.run import events
from surefoot.run.events import Listen
from surefoot.run.report import AppliedRevision, PlannedRevision, Report
from surefoot.run.sent import Sent


class Recorder:
    """The state of one run: its plan, the running revision, and the revisions that are done."""

    def __init__(self, database: str, listen: Listen) -> None:
        self.database = database
        self.listen = listen
        self.plan: tuple[PlannedRevision, ...] = ()
        self.steps: list[AppliedRevision] = []
        # Those that have run, in a transaction that is still open, and how long that took.
        self._uncommitted: list[tuple[PlannedRevision, list[float]]] = []
        self.running: PlannedRevision | None = None
        self.before: tuple[str, ...] = ()
        self.after: tuple[str, ...] = ()
        # Of the running revision, for its row in the ledger.
        self.sent = Sent()
        self.attempts = 1
        self._squashed = 0  # so many of the steps were done by a squash
        self._is_ahead = self._is_adopted = False
        self._started_s = self._step_started_s = time.monotonic()

    def begin(self, before: tuple[str, ...], plan: Sequence[PlannedRevision]) -> None:
        """Note where the database is and which revisions are about to run.

        A further attempt calls it again, with a shorter plan; the first plan stays.
        """
        self.running, self._uncommitted = None, []
        if max(len(self.steps), len(self.plan)) > self._squashed:
            return
        if not self._squashed:
            self.before = self.after = before
        self.plan = (*self.plan, *plan)
        if plan:
            self.listen(events.Started(self.database, before, tuple(plan)))

    def squash(self, ids: Sequence[str], duration_s: float, *, without_rows: bool) -> None:
        """An empty database has begun with a squash of these revisions; the last has its time."""
        self.plan = tuple(PlannedRevision(each, "", "upgrade", (), ()) for each in ids)
        self.steps = [AppliedRevision(each, "", "upgrade", 0.0) for each in ids[:-1]]
        self.steps.append(AppliedRevision(ids[-1], "", "upgrade", duration_s))
        self.before, self.after, self._squashed = (), (ids[-1],), len(ids)
        self.listen(events.Squashed(self.database, ids[-1], len(ids), duration_s, without_rows))

    def start(self, planned: PlannedRevision) -> None:
        """A revision begins."""
        self.running = planned
        self._step_started_s = time.monotonic()
        number = len(self.steps) + len(self._uncommitted) + 1
        self.listen(events.RevisionStarted(planned, number, max(number, len(self.plan))))

    def done(self, when_answered: Callable[[Callable[[float], None]], None]) -> None:
        """The running revision has run; `committed` follows.

        `when_answered` calls a function with the time when all that it has sent is done.
        """
        if self.running is None:
            raise RuntimeError("no revision is running")
        planned, self.running = self.running, None
        started_s, times = self._step_started_s, [0.0]
        self._uncommitted.append((planned, times))

        def answered(at_s: float) -> None:
            times[0] = at_s - started_s

        when_answered(answered)

    def committed(self) -> None:
        """All revisions that have run are committed."""
        for planned, (duration_s,) in self._uncommitted:
            done = AppliedRevision(planned.revision, planned.title, planned.direction, duration_s)
            self.steps.append(done)
            self.after = planned.after
            self.listen(events.RevisionDone(done, len(self.steps), len(self.plan)))
        self._uncommitted = []

    def adopt(self, found: tuple[str, ...], count: int) -> None:
        """The ledger begins with so many revisions; a further attempt does not say it again."""
        if not self._is_adopted:
            self._is_adopted = True
            self.listen(events.Adopted(self.database, found, count))

    def accept_ahead(self, expected: Collection[str]) -> None:
        """A newer build migrated the database, and this build works with the result."""
        self._is_ahead = True
        self.listen(events.AheadAccepted(self.database, self.after, tuple(sorted(expected))))

    def end(self, chain: Sequence[Revision]) -> None:
        """The run reached its end; `accept_ahead` has reported it already where it was called."""
        if not self._is_ahead:
            newest, back = heads(chain), self._back(chain)
            self.listen(events.Finished(self.report(), newest, back))

    def _back(self, chain: Sequence[Revision]) -> str | None:
        """Where the opposite command has to go; None where no one revision leads there."""
        is_line = all(len(each.before) <= 1 == len(each.after) for each in self.plan)
        if not self.before or (is_line and len(self.before) == 1):
            return "".join(self.before) or BASE
        if any(each.direction == "upgrade" for each in self.plan):
            done = {each.revision for each in self.steps}
            return way_back(chain, ancestors(chain, self.after), done)
        return self.before[0] if len(self.before) == 1 else None

    def report(self) -> Report:
        """The record of the run up to now."""
        return Report(
            self.database,
            self.before,
            self.after,
            tuple(self.steps),
            time.monotonic() - self._started_s,
        )
