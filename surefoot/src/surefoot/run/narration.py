"""lines() gives the text of an event, for a terminal or a log."""

import time
from collections.abc import Callable, Iterator, Sequence

from surefoot.errors.names import alembic
from surefoot.errors.temporary import MET
from surefoot.run import events
from surefoot.run.events import Event, Listen
from surefoot.run.report import AppliedRevision, PlannedRevision, named, nothing_done
from surefoot.terminal.cells import cut, width
from surefoot.terminal.kind import draws
from surefoot.wording import counted, duration

# Seconds between two lines about work that goes on: on a terminal, and elsewhere.
PROGRESS_S = {True: 2.0, False: 30.0}
_VERBS = {
    "upgrade": ("APPLY", "applied"),
    "downgrade": ("REVERT", "reverted"),
    "stamp": ("STAMP", "stamped"),
}


def narrated(say: Callable[[str], None], *, columns: Callable[[], int] = lambda: 0) -> Listen:
    """A listener that calls `say` with each line of the narration of a run.

    The titles of revisions are cut so that their lines fit into so many `columns`; 0 cuts nothing.

    Example:
        await upgrade(target, "head", listen=narrated(print))
    """

    running = ""

    def listen(event: Event) -> None:
        nonlocal running
        if isinstance(event, events.RevisionStarted):
            running = event.revision.revision
        for line in lines(event, running, columns()):
            say(line)

    return listen


def trying(say: Callable[[str], None], chain: Sequence[str] = ()) -> Listen:
    """A listener that narrates the runs on a scratch database, where they take a moment.

    A revision has its place in the chain, or in its run where no chain is given.
    """
    told_s, every_s = time.monotonic(), PROGRESS_S[draws()]

    def listen(event: Event) -> None:
        nonlocal told_s
        if isinstance(event, events.RevisionDone) and time.monotonic() - told_s >= every_s:
            told_s = time.monotonic()
            verb = "reverted" if event.revision.direction == "downgrade" else "run"
            place = f"{event.number} of {event.total}"
            if event.revision.revision in chain:
                place = f"{chain.index(event.revision.revision) + 1} of {len(chain)}"
            say(f"  {event.revision.revision} {verb} on the scratch database ({place})")

    return listen


def lines(event: Event, running: str = "", columns: int = 0) -> Iterator[str]:
    """The lines of one event, each without a line feed; `running` is the revision that runs."""
    match event:
        case events.Started():
            yield _started(event)
        case events.RevisionDone(revision, number, total):
            took = duration(revision.duration_s)
            yield f"{label(revision, number, total, columns - width(took) - 2)}  {took}"
        case events.Squashed() | events.Finished():
            yield _squashed(event) if isinstance(event, events.Squashed) else _finished(event)
        case events.AheadAccepted() | events.Adopted():
            yield _found(event)
        case events.MutexBusy():
            yield from _mutex_busy(event)
        case events.StatementWaiting(running_s, blockers):
            yield f"{_of(running)}waiting for {duration(running_s)}, for:"
            yield from (f"    {blocker}" for blocker in blockers)
        case events.StatementRunning():
            yield f"{_of(running)}{_running(event)}"
        case events.Blocked():
            yield from _blocked(event)
        case events.ServicesWaiting(code, message):
            yield f"WAIT [{code}]  {message}"
        case events.Warned(code, message):
            yield f"WARNING [{code}]  {message}"
        case events.BackupStarted(command):
            yield f"BACKUP  {command}"
        case events.NotMeasured(reason):
            yield f"NOTE  the schema was not measured: {reason}"


def label(
    revision: AppliedRevision | PlannedRevision, number: int, total: int, columns: int
) -> str:
    """The place, id and title of a revision, in at most so many columns, if that is above 0."""
    # A stamp has no title.
    text = "  ".join(filter(None, (f"  {number} of {total}", revision.revision, revision.title)))
    return cut(text, columns) if columns > 0 else text


def _started(event: events.Started) -> str:
    verb, _ = _VERBS[event.plan[0].direction]
    return (
        f"{verb}  {event.database}: {counted(len(event.plan), 'revision')}, "
        f"{named(event.before)} to {named(event.plan[-1].after)}"
    )


def _squashed(event: events.Squashed) -> str:
    count, took = counted(event.count, "revision"), duration(event.duration_s)
    rows = ", without rows" if event.without_rows else ""
    return f"SQUASH  {event.database}: {count} as one, base to {event.revision}{rows}  {took}"


def _finished(event: events.Finished) -> str:
    report, took = event.report, duration(event.report.duration_s)
    if not report.steps:
        return nothing_done(report, event.heads)
    direction = report.steps[-1].direction
    _, done = _VERBS[direction]
    rest = "The schema is untouched."
    if direction != "stamp":
        again, opposite = ("Undo", "downgrade") if direction == "upgrade" else ("Redo", "upgrade")
        rest = f"{again}: {alembic()} {opposite} {event.back}"
        if event.back is None:
            rest = f"It was at {named(report.before)}"
    return f"OK  {len(report.steps)} {done} in {took}. {rest}"


def _found(event: events.AheadAccepted | events.Adopted) -> str:
    found = named(event.found)
    if isinstance(event, events.Adopted):
        count = counted(event.count, "revision")
        return f"ADOPT  {event.database}: the ledger begins at {found}, with {count} as adopted"
    return (
        f"OK  {event.database} is ahead of this build: {found} leaves what "
        f"{named(event.expected)} needs. Nothing to do."
    )


def _mutex_busy(event: events.MutexBusy) -> Iterator[str]:
    yield (
        f"WAIT [mutex-held]  another migration is at work; {duration(event.waited_s)} so far, "
        f"gives up at {duration(event.limit_s)}"
    )
    if (holder := event.holder) is not None:
        since = holder.connected_s
        connected = f"connected for {duration(since)}, " if since is not None else ""
        yield f"  holder: {holder}, {connected}on: {holder.query}"
    yield "  Ctrl-C is safe: this run has changed nothing"


def _of(running: str) -> str:
    return f"  {running}  " if running else "  "


def _running(event: events.StatementRunning) -> str:
    text = f"{duration(event.running_s)} so far"
    return text if event.progress is None else f"{text}: {event.progress}"


def _blocked(event: events.Blocked) -> Iterator[str]:
    met = MET[event.cause] + (" in time" if event.cause == "lock timeout" else "")
    left = "its step is repeated" if event.is_outside_transaction else "nothing of it is kept"
    yield f"BLOCKED [lock-blocked]  {event.unit} {met}; {left}"
    yield from (f"  by: {blocker}" for blocker in event.blockers)
    if event.retry_in_s is not None:
        ended = ", or once they have ended" if event.blockers else ""
        yield f"  attempt {event.attempt + 1} in {duration(event.retry_in_s)}{ended}"
