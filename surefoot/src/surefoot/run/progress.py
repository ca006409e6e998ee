"""Progress is what a run does at this moment, as a few lines for a terminal to draw again.

3 of 3  0009  Index jobs by priority  1 min 2 s
  CREATE INDEX CONCURRENTLY ix_jobs_priority ON jobs (priority)
  building index: scanning table, 38 %, ~2 min left in this phase
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from surefoot.frozen import dataclass
from surefoot.run import events
from surefoot.run.estimates import Estimates, phase_left, spent
from surefoot.run.events import Event
from surefoot.run.narration import label
from surefoot.run.sessions import Blocker
from surefoot.terminal.cells import cut, width

# Of what takes less nothing is drawn.
SLOW_S = 0.5
# A statement that is not seen for so long has ended; a look comes every second.
UNSEEN_S = 3.0
_NAMED = 2


@dataclass(frozen=True)
class _Moment:
    """The last events that were heard, and when."""

    # The revision that runs, or what the run waits for.
    label: str = ""
    revision: str = ""
    since_s: float = 0.0
    # When it gives up, or tries again, at the latest.
    until_s: float | None = None
    seen: events.StatementSeen | None = None
    seen_s: float = 0.0
    # When the phase of the statement was first seen, and its share then.
    phase_s: float = 0.0
    phase_share: float = 0.0
    # The attempt that ended without its lock.
    blocked: events.Blocked | None = None


class Progress:
    """Hears the events of a run, and gives the lines of now."""

    def __init__(self, estimates: Estimates, clock: Callable[[], float] = time.monotonic) -> None:
        self._estimates, self._clock = estimates, clock
        # Replaced as a whole, because another thread draws it.
        self._moment = _Moment()

    def hear(self, event: Event) -> None:
        """Note what has changed."""
        now_s, before = self._clock(), self._moment
        match event:
            case events.MutexBusy(_, waited_s, limit_s):
                since_s = now_s - waited_s
                self._moment = _Moment(
                    "  waits for the other migration", since_s=since_s, until_s=since_s + limit_s
                )
            case events.ServicesWaiting():
                self._moment = self._waits("  waits for services to end")
            case events.BackupStarted():
                self._moment = self._waits("  runs the backup command")
            case events.RevisionStarted(about, number, total):
                since_s = before.since_s if before.revision == about.revision else now_s
                self._moment = _Moment(label(about, number, total, 0), about.revision, since_s)
            case events.StatementSeen():
                self._moment = self._seen(event, now_s)
            case events.Blocked(retry_in_s=retry_in_s):
                until_s = None if retry_in_s is None else now_s + retry_in_s
                self._moment = replace(before, seen=None, blocked=event, until_s=until_s)
            case events.RevisionDone(done) if done.revision != before.revision:
                # It commits with the step that the next one begins with.
                pass
            case events.Started() | events.RevisionDone() | events.Finished():
                self._moment = _Moment()

    def _waits(self, text: str) -> _Moment:
        if self._moment.label == text:
            return self._moment
        return _Moment(text, since_s=self._clock())

    def _seen(self, event: events.StatementSeen, now_s: float) -> _Moment:
        before = self._moment
        phase = event.progress and event.progress.phase
        phase_s, share = before.phase_s, before.phase_share
        if before.seen is None or (before.seen.progress and before.seen.progress.phase) != phase:
            phase_s, share = now_s, (event.progress and event.progress.share) or 0.0
        return replace(
            before,
            seen=event,
            seen_s=now_s,
            phase_s=phase_s,
            phase_share=share,
            blocked=None,
            until_s=None,
        )

    def lines(self, columns: int) -> Sequence[str]:
        """The lines for a terminal of so many columns; none of what has only begun."""
        moment, now_s = self._moment, self._clock()
        if not moment.label or now_s - moment.since_s < SLOW_S:
            return ()
        took = spent(now_s - moment.since_s)
        first = f"{cut(moment.label, columns - width(took) - 2)}  {took}"
        return [first, *self._details(moment, now_s)]

    def _details(self, moment: _Moment, now_s: float) -> Iterator[str]:
        seen, blocked = moment.seen, moment.blocked
        left = "" if moment.until_s is None else spent(max(moment.until_s - now_s, 0.0))
        if blocked is not None:
            if left:
                ended = ", or once these end:" if blocked.blockers else ""
                yield f"    attempt {blocked.attempt + 1} in at most {left}{ended}"
                yield from _named(blocked.blockers)
        elif left:
            yield f"    gives up in {left}"
        if seen is None or now_s - moment.seen_s > UNSEEN_S:
            return
        running_s = seen.running_s + now_s - moment.seen_s
        yield f"    {seen.sql}"
        if seen.blockers:
            yield f"    waits, {spent(running_s)} so far, for:"
            yield from _named(seen.blockers)
        else:
            yield from self._state(moment, seen, running_s)

    def _state(
        self, moment: _Moment, seen: events.StatementSeen, running_s: float
    ) -> Iterator[str]:
        """The share and the time left, of the phase or in all, and behind them the phase."""
        done, expected = seen.progress, self._estimates.of(moment.revision, seen.sql)
        share = None if done is None else done.share
        figures = [] if done is None or share is None else [done.percentage]
        if expected is not None:
            figures.append(expected.left(running_s))
        elif share is not None:
            grown, took_s = share - moment.phase_share, moment.seen_s - moment.phase_s
            figures += filter(None, [phase_left(share, grown, took_s)])
        said = [", ".join(figures)] if figures else []
        if text := ": ".join([*said, *([done.phase] if done else [])]):
            yield f"    {text}"


def _named(blockers: Sequence[Blocker]) -> Iterable[str]:
    """Those that a terminal has room for."""
    yield from (f"      {each}" for each in blockers[:_NAMED])
    if len(blockers) > _NAMED:
        yield f"      and {len(blockers) - _NAMED} more"
