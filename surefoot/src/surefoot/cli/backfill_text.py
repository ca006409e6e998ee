"""Backfills as text: a table, a forecast, how far one is, and the lines of a run."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from surefoot.backfill.control import Status
from surefoot.backfill.events import (
    Event,
    Held,
    LapDone,
    Listen,
    NotVacuumed,
    Unrecorded,
    Unseen,
    Vacuumed,
    Walked,
)
from surefoot.backfill.plan import Forecast
from surefoot.backfill.run import Result
from surefoot.errors.names import alembic, command
from surefoot.run.narration import PROGRESS_S
from surefoot.terminal.kind import draws
from surefoot.wording import counted, duration, roughly

# From this lap on, rows that the one before did not leave have come since the backfill began.
_MANY_LAPS = 3
_COMING = (
    "rows that lack the change keep coming; let the release that runs write it, or keep the "
    "columns in step (op.keep_in_step)"
)


def table(found: Sequence[Status]) -> Iterator[str]:
    """A line for each backfill."""
    if not found:
        yield "the project has no backfills"
        return
    width = max(len(each.backfill.name) for each in found)
    of = max(len(each.backfill.table) for each in found)
    yield f"{'BACKFILL':<{max(width, 8)}}  {'TABLE':<{max(of, 5)}}  AFTER     CHANGED       STATE"
    for each in found:
        changed = f"{each.progress.changed:,}" if each.progress else "-"
        yield (
            f"{each.backfill.name:<{max(width, 8)}}  {each.backfill.table:<{max(of, 5)}}  "
            f"{each.backfill.after:<8}  {changed:>12}  {each.state}"
        )


def next_of(found: Sequence[Status]) -> str:
    """The command that helps next."""
    for each in found:
        if each.state in ("not begun", "interrupted"):
            return f"Next: {command()} backfill run {each.backfill.name}"
    for each in found:
        if each.is_early:
            return _first(each)
    return f"Next: {command()} backfill status NAME" if found else f"Next: {command()} plan"


def _first(found: Status) -> str:
    """The command for the revision that a backfill needs."""
    return f"Next: {alembic()} upgrade {found.backfill.after}"


def forecast(found: Forecast) -> Iterator[str]:
    """The rows to do, the plan of a batch, and the next command."""
    word = "SCANS" if found.scans else "PLAN" if found.changed is None else "DRY RUN"
    rows = counted(found.rows, "row") if found.is_counted else f"~{roughly(found.rows, 'row')}"
    yield (
        f"{word}  {found.backfill}: {rows} of {found.table} to do, "
        f"{counted(found.batches, 'batch')} of {found.batch_rows:,}"
    )
    if found.changed is not None and found.took_s is not None:
        yield (
            f"  the first batch changed {counted(found.changed, 'row')} in "
            f"{duration(found.took_s)}, and was rolled back"
        )
    if found.estimate_s is not None:
        yield f"  one worker: about {duration(found.estimate_s)}"
    yield from (f"  | {line}" for line in found.plan)
    if found.scans:
        yield f"each batch would read all of {', '.join(found.scans)}"
        yield "  help: create the index that its filter or statement needs, or ANALYZE the table"
        return
    yield f"Next: {command()} backfill run {found.backfill} --execute"


def status(found: Status, *, cancels: bool = False) -> Iterator[str]:
    """How far a backfill is; with `cancels` for somebody who may want to cancel it."""
    yield f"{found.state.upper()}  {found.backfill.name} on {found.backfill.table}"
    if (progress := found.progress) is None:
        go = f"Next: {command()} backfill run {found.backfill.name}"
        yield _first(found) if found.is_early else go
        return
    if progress.reason:
        yield f"  paused by  {progress.reason}"
    elif found.waits:
        yield f"  waits      {found.waits}"
    yield f"  changed    {counted(progress.changed, 'row')}"
    yield f"  lap        {progress.lap}, ranges left: {progress.ranges_left}"
    by = progress.actor.get("os_user", "?")
    yield f"  began      {progress.started_at:%Y-%m-%d %H:%M} by {by}"
    if progress.finished_at is not None:
        yield f"  ended      {progress.finished_at:%Y-%m-%d %H:%M}"
    for name, value in sorted(progress.parameters.items()):
        yield f"  {name:<9}  {value:g}"
    waiting = "a process that waits" if found.processes else "nobody"
    yield f"  at work    {', '.join(found.sessions) or waiting}"
    if progress.failed:
        yield f"  failed     {counted(progress.failed, 'row')}"
    yield from (
        f"    {', '.join(key)}: {error} ({state})" if state else f"    {', '.join(key)}: {error}"
        for key, state, error in found.failures
    )
    if cancels:
        yield "Nothing is forgotten yet."
        yield f"Next: {command()} backfill cancel {found.backfill.name} --execute"
        return
    verb = {"paused": "resume", "interrupted": "run", "failed": "retry-failed"}.get(found.state)
    if verb:
        flag = "" if verb == "resume" else " --execute"
        yield f"Next: {command()} backfill {verb} {found.backfill.name}{flag}"


def ended(name: str, result: Result) -> str:
    """The last line of a run."""
    changed = counted(result.changed, "row")
    if result.is_complete:
        return f"OK  {name} is complete; this run changed {changed}"
    state = "was cancelled"
    if result.progress is not None:
        state = f"is {result.progress.state} and not complete"
    return f"STOPPED  {name} {state}; this run changed {changed}"


@contextmanager
def telling(say: Callable[[str], None]) -> Iterator[Listen]:
    """A listener for the events of a run: drawn on a terminal, elsewhere in lines by `say`."""
    if not draws():
        yield Narration(say)
        return
    from surefoot.terminal.screen import Screen  # noqa: PLC0415 - on a terminal alone

    # Replaced as a whole, because another thread draws them.
    walked: Walked | None = None

    def frame(_columns: int) -> Sequence[str]:
        return () if walked is None else [*_walked_apart(walked)]

    with Screen(frame) as screen:
        narration = Narration(screen.say, every_s=math.inf)

        def listen(event: Event) -> None:
            nonlocal walked
            if isinstance(event, Walked):
                walked = event
            narration(event)

        yield listen


class Narration:
    """Says how far a run is, in a line now and then."""

    def __init__(self, say: Callable[[str], None], *, every_s: float = PROGRESS_S[False]) -> None:
        self._say, self._every_s = say, every_s
        self._said_s = time.monotonic()
        # The rows that the lap before left for the next one.
        self._later: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Held(name, reason):
                self._say(f"  {name} goes on" if reason is None else f"  paused: {reason}")
            case Vacuumed(name, table):
                self._say(f"  {name}: vacuumed {table}, as many of its rows were dead")
            case NotVacuumed(name, table, reason):
                self._say(f"NOTE  {name}: {table} is not vacuumed: {reason}")
            case Unseen(name, what):
                self._say(f"NOTE  {name} does not see {what}")
            case LapDone(name, lap, changed, skipped):
                later = f", {counted(skipped, 'row')} later" if skipped else ""
                self._say(f"  {name}: lap {lap} done, {counted(changed, 'row')} changed{later}")
                if changed > self._later.get(name, changed) and lap >= _MANY_LAPS:
                    self._say(f"NOTE  {name}: {_COMING}")
                self._later[name] = skipped
            case Unrecorded(name, said, reason):
                self._say(f"warning: the ledger has no row `{name} {said}`: {reason}")
            case Walked() if time.monotonic() - self._said_s >= self._every_s:
                self._said_s = time.monotonic()
                self._say(_walked(event))


def _walked(event: Walked) -> str:
    place, rows = _place(event), _rows(event)
    return f"  {event.backfill}: {', '.join([*place[:2], *rows, *place[2:]])}"


def _walked_apart(event: Walked) -> Iterator[str]:
    """The same for a narrow terminal: the most wanted is in front."""
    yield f"  {event.backfill}: {', '.join(_place(event))}"
    yield f"    {', '.join(_rows(event))}"
    if event.held is not None:
        yield f"    paused: {event.held}"


def _place(event: Walked) -> Sequence[str]:
    share = min(100, 100 * event.walked / event.total) if event.total else 100
    left = [] if event.left_s is None else [f"about {duration(event.left_s)} left"]
    return [f"lap {event.lap}", f"{share:.0f} % walked", *left]


def _rows(event: Walked) -> Sequence[str]:
    parts = [f"{counted(event.changed, 'row')} changed"]
    if event.rows_per_s:
        parts.append(f"{event.rows_per_s:,.0f} rows/s")
    if event.failed:
        parts.append(f"{counted(event.failed, 'row')} failed")
    return parts
