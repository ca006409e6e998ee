"""telling() tells a person of a run, on stderr: drawn on a terminal, in plain lines elsewhere.

event -+- a terminal:  Progress, drawn again and again, and the lines that stay -> Screen
       '- elsewhere:   the lines of the narration
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surefoot.run.events import Blocked, Event, Listen, StatementRunning
from surefoot.run.narration import narrated
from surefoot.terminal.kind import draws

if TYPE_CHECKING:
    from sqlalchemy import URL

    from surefoot.project import Project
    from surefoot.run.estimates import Estimates

ESTIMATES = "estimates.json"


@contextmanager
def telling(
    say: Callable[[str], None], estimates: Callable[[], Estimates] | None = None
) -> Iterator[Listen]:
    """A listener for the events of a run, for the block. `say` writes a line to stderr.

    `estimates` is asked where there is a terminal alone.
    """
    if not draws():
        yield narrated(say)
        return
    from surefoot.run.estimates import Estimates as NoEstimates  # noqa: PLC0415 - on a terminal alone
    from surefoot.run.progress import Progress  # noqa: PLC0415 - as above
    from surefoot.terminal.screen import Screen  # noqa: PLC0415 - as above

    progress = Progress(estimates() if estimates else NoEstimates())
    with Screen(progress.lines) as screen:
        narrate = narrated(screen.say, columns=lambda: screen.columns)

        attempts = Attempts()

        def listen(event: Event) -> None:
            progress.hear(event)
            # The drawn lines say that it runs, and count the attempts.
            if not (isinstance(event, StatementRunning) or attempts.repeat(event)):
                narrate(event)

        yield listen


class Attempts:
    """Those that ended without their lock."""

    def __init__(self) -> None:
        self._met: object = None

    def repeat(self, event: Event) -> bool:
        """Whether another attempt follows, and this one met the same as the one before."""
        if not isinstance(event, Blocked):
            return False
        by = [(each.pid, each.transaction) for each in event.blockers]
        before, self._met = self._met, (event.unit, event.cause, by)
        return before == self._met and event.retry_in_s is not None


def kept_estimates(project: Project, url: URL) -> Estimates:
    """The durations that `plan` has found on this machine for a database and these files."""
    from surefoot.run.estimates import kept  # noqa: PLC0415 - on a terminal alone
    from surefoot.scratch.kept_server import cache  # noqa: PLC0415 - as above

    checksums: Mapping[str, str] = {each.id: each.sha256 for each in project.locked()}
    return kept(cache() / ESTIMATES, url, checksums)
