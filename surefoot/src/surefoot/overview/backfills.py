"""The backfills of an overview, and the notices about them. Pure functions."""

from collections.abc import Iterator, Sequence
from shlex import quote

from surefoot.overview.model import Notice, ShownBackfill, Unread
from surefoot.startup.backfills import SeenBackfill
from surefoot.wording import counted

# The command of each state of a backfill.
_NEXT = {
    "running": "pause {}",
    "interrupted": "run {} --execute",
    "paused": "resume {}",
    "failed": "retry-failed {} --execute",
}


def shown_backfills(
    found: Sequence[SeenBackfill] | Unread, command: str
) -> tuple[ShownBackfill, ...] | Unread:
    """The unfinished ones first, each with the command of the project that helps next."""
    if isinstance(found, Unread):
        return found
    shown = (
        ShownBackfill(
            **vars(each), command=verb and f"{command} backfill {verb.format(quote(each.name))}"
        )
        for each in found
        for verb in [_NEXT.get(each.state)]
    )
    return tuple(sorted(shown, key=lambda each: each.state == "complete"))


def unfinished_backfills(found: Sequence[SeenBackfill] | Unread, command: str) -> Iterator[Notice]:
    """A notice for each that has failed rows, or that nobody works on."""
    for each in () if isinstance(found, Unread) else found:
        name = quote(each.name)
        if each.state == "failed":
            yield Notice(
                "backfill-rows-failed",
                f"the backfill {each.name} has ended, and {counted(each.failed, 'row')} of "
                f"{each.table} could not be changed",
                f"`{command} backfill status {name}` shows the errors",
            )
        elif each.state == "interrupted":
            yield Notice(
                "interrupted",
                f"the backfill {each.name} is not complete, and no process is at work on it",
                f"`{command} backfill run {name} --execute` goes on where its last batch committed",
            )
