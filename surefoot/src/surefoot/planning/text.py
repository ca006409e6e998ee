"""A Forecast as text."""

from collections.abc import Iterator

from surefoot.chain.titles import title_of
from surefoot.linting.markdown import summary
from surefoot.planning import words
from surefoot.planning.estimate import Estimate
from surefoot.planning.plan import Forecast, PlannedRevision
from surefoot.planning.statements import PlannedStatement
from surefoot.planning.statistics import Statistics
from surefoot.planning.undo import Undo
from surefoot.trace.lock_modes import blocked
from surefoot.wording import counted


def render(forecast: Forecast) -> str:
    """The Forecast as text; its last line names the next command."""
    return "\n".join(_lines(forecast))


def _lines(forecast: Forecast) -> Iterator[str]:
    count = len(forecast.revisions)
    statements = sum(len(p.statements) for p in forecast.revisions)
    if not count:
        there = "is at head" if forecast.to is None else f"has {forecast.to}"
        yield f"OK  {forecast.target} {there}. Nothing to plan."
        return
    yield (
        f"PLAN  {forecast.target}: {counted(count, 'revision')}, "
        f"{counted(statements, 'statement')}, nothing run"
    )
    if forecast.copied:
        yield "  tried on a copy of its schema"
    if forecast.mismatch:
        yield f"  {forecast.mismatch}"
    if oldest := words.oldest_transaction(forecast.statistics):
        yield f"  {oldest}"
    for number, planned in enumerate(forecast.revisions, start=1):
        yield ""
        yield from _revision(planned, number, count, forecast.statistics)
    for finding in forecast.findings:
        yield ""
        yield finding.render()
    yield ""
    yield f"{summary(forecast.findings)}. Next: {words.next_command(forecast)}"


def _revision(
    planned: PlannedRevision, number: int, count: int, statistics: Statistics
) -> Iterator[str]:
    revision = planned.revision
    title = f"{number} of {count}  {revision.id}  {title_of(revision)}"
    yield f"{title} ({revision.phase}; undo: {words.UNDO[planned.undo.cost]})"
    for backfill in planned.backfills:
        yield f"  requires the backfill {backfill.name}: {words.backfill_state(backfill)}"
    for statement in planned.statements:
        yield f"  {words.sql(statement)}"
        yield from _effects(statement, statistics)
    yield from _undo(planned.undo, statistics)


def _undo(undo: Undo, statistics: Statistics) -> Iterator[str]:
    """The costs of the undo; nothing where it is free."""
    for each in words.losses(undo):
        yield f"  undo {each}"
    for statement in undo.work:
        yield f"  undo: {words.sql(statement)}"
        yield from _effects(statement, statistics)
    if undo.obstacle is not None:
        yield f"  undo: {undo.obstacle}"


def _effects(planned: PlannedStatement, statistics: Statistics) -> Iterator[str]:
    statement = planned.statement
    for lock in planned.locks:
        held = f", held {_about(lock.held)}" if statement.lock else ""
        name = statement.named(lock.index or lock.table)
        yield f"    {lock.mode} on {name}{held}: {blocked(lock.mode)}"
    for each in words.work(planned, statistics):
        yield f"    {each}"


def _about(held: Estimate | None) -> str:
    if held is None:
        return "for an unknown time (the sample rows say nothing of a statement under it)"
    return "for a moment" if held.is_a_moment else words.span(held)
