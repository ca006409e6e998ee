"""lines() gives the text of an event, for a terminal or a log."""

from collections.abc import Callable, Iterator

from surefoot.errors.temporary import MET
from surefoot.run import events
from surefoot.run.events import Event, Listen
from surefoot.run.report import named, nothing_done
from surefoot.wording import counted, duration

_VERBS = {
    "upgrade": ("APPLY", "applied"),
    "downgrade": ("REVERT", "reverted"),
    "stamp": ("STAMP", "stamped"),
}


def narrated(say: Callable[[str], None]) -> Listen:
    """A listener that calls `say` with each line of the narration of a run.

    Example:
        await upgrade(target, "head", listen=narrated(print))
    """

    def listen(event: Event) -> None:
        for line in lines(event):
            say(line)

    return listen


def lines(event: Event) -> Iterator[str]:
    """The lines of one event, each without a line feed."""
    match event:
        case events.Started():
            yield _started(event)
        case events.RevisionDone(revision, number, total):
            # A stamp has no title.
            label = "  ".join(filter(None, (revision.revision, revision.title)))
            yield f"  {number} of {total}  {label}  {duration(revision.duration_s)}"
        case events.Squashed() | events.Finished():
            yield _squashed(event) if isinstance(event, events.Squashed) else _finished(event)
        case events.AheadAccepted() | events.Adopted():
            yield _found(event)
        case events.MutexBusy():
            yield from _mutex_busy(event)
        case events.StatementWaiting(running_s, blockers):
            yield f"  waiting for {duration(running_s)}, for:"
            yield from (f"    {blocker}" for blocker in blockers)
        case events.StatementRunning():
            yield _running(event)
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


def _started(event: events.Started) -> str:
    verb, _ = _VERBS[event.plan[0].direction]
    return (
        f"{verb}  {event.database}: {counted(len(event.plan), 'revision')}, "
        f"{named(event.before)} to {named(event.plan[-1].after)}"
    )


def _squashed(event: events.Squashed) -> str:
    count, took = counted(event.count, "revision"), duration(event.duration_s)
    return f"SQUASH  {event.database}: {count} as one, base to {event.revision}  {took}"


def _finished(event: events.Finished) -> str:
    report, took = event.report, duration(event.report.duration_s)
    if not report.steps:
        return nothing_done(report, event.heads)
    direction = report.steps[-1].direction
    _, done = _VERBS[direction]
    rest = "The schema is untouched."
    if direction != "stamp":
        again, opposite = ("Undo", "downgrade") if direction == "upgrade" else ("Redo", "upgrade")
        rest = f"{again}: alembic {opposite} {event.back}"
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


def _running(event: events.StatementRunning) -> str:
    text = f"  {duration(event.running_s)} so far"
    if (progress := event.progress) is None:
        return text
    share = f", {progress.share:.0%}" if progress.share is not None else ""
    return f"{text}: {progress.phase}{share}"


def _blocked(event: events.Blocked) -> Iterator[str]:
    met = MET[event.cause] + (" in time" if event.cause == "lock timeout" else "")
    left = "its step is repeated" if event.is_outside_transaction else "nothing of it is kept"
    yield f"BLOCKED [lock-blocked]  {event.unit} {met}; {left}"
    yield from (f"  by: {blocker}" for blocker in event.blockers)
    if event.retry_in_s is not None:
        ended = ", or once they have ended" if event.blockers else ""
        yield f"  attempt {event.attempt + 1} in {duration(event.retry_in_s)}{ended}"
