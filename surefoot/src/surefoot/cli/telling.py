"""A run of revisions, told on stderr and, where that was asked for, as JSON on stdout."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from surefoot.cli import output
from surefoot.cli.project import on_target, project
from surefoot.run.events import Event, Finished, Listen, StatementSeen
from surefoot.run.report import Report
from surefoot.run.telling import kept_estimates, telling
from surefoot.target import Target


def told(run: Callable[[Target, Listen], Awaitable[Report]], *, json_: bool = False) -> Report:
    """The report of a run on the database that is migrated. On failure: as `on_target`."""

    async def listened(target: Target) -> Report:
        url = target.engine.url
        with telling(output.narrate, lambda: kept_estimates(project(), url)) as tell:

            def listen(event: Event) -> None:
                if json_:
                    answer_event(event)
                tell(event)

            return await run(target, listen)

    return on_target(listened)


def answer_event(event: Event) -> None:
    """Answer with an event. The end is left to the report, and looks to whoever draws them."""
    if not isinstance(event, (Finished, StatementSeen)):
        output.answer_line(output.event_name(event), asdict(event))
