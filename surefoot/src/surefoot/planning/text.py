"""A Forecast as text."""

from collections.abc import Iterator, Mapping

from surefoot.chain.revisions import heads
from surefoot.errors import names
from surefoot.planning.backfills import RequiredBackfill
from surefoot.planning.estimate import Estimate
from surefoot.planning.plan import Forecast, PlannedRevision
from surefoot.planning.statements import PlannedStatement
from surefoot.planning.statistics import Statistics
from surefoot.planning.undo import Cost, Undo
from surefoot.rules.findings import Finding
from surefoot.trace.expected_rows import MANY_ROWS
from surefoot.trace.lock_modes import blocked
from surefoot.wording import counted, duration, roughly, size

WIDTH = 72
UNDO: Mapping[Cost, str] = {
    "free": "free",
    "work": "takes time",
    "data": "data is lost",
    "impossible": "impossible",
    "unknown": "not tried",
}


def render(forecast: Forecast) -> str:
    """The Forecast as text; its last line names the next command."""
    return "\n".join(_lines(forecast))


def _lines(forecast: Forecast) -> Iterator[str]:
    count = len(forecast.revisions)
    statements = sum(len(p.statements) for p in forecast.revisions)
    if not count:
        yield f"OK  {forecast.target} is at head. Nothing to plan."
        return
    yield (
        f"PLAN  {forecast.target}: {counted(count, 'revision')}, "
        f"{counted(statements, 'statement')}, nothing run"
    )
    if forecast.copied:
        yield "  tried on a copy of its schema"
    if forecast.mismatch:
        yield f"  {forecast.mismatch}"
    oldest = forecast.statistics.oldest
    if oldest is not None and oldest.age_s >= 1:
        yield (
            f"  oldest open transaction: {duration(oldest.age_s)}, {oldest.application} "
            f"(pid {oldest.pid})"
        )
    for number, planned in enumerate(forecast.revisions, start=1):
        yield ""
        yield from _revision(planned, number, count, forecast.statistics)
    for finding in forecast.findings:
        yield ""
        yield finding.render()
    yield ""
    yield f"{summary(forecast.findings)}. Next: {_next(forecast)}"


def summary(findings: tuple[Finding, ...]) -> str:
    """The number of findings of each level."""
    errors = sum(finding.level == "error" for finding in findings)
    return f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}"


def _next(forecast: Forecast) -> str:
    errors = [finding for finding in forecast.findings if finding.level == "error"]
    if errors:
        return f"{names.command()} explain {errors[0].rule}"
    pending = [each.revision for each in forecast.revisions]
    beside = set(forecast.before).difference(down for each in pending for down in each.down)
    return f"alembic upgrade {names.goal(heads(pending) | beside)}"


def _revision(
    planned: PlannedRevision, number: int, count: int, statistics: Statistics
) -> Iterator[str]:
    revision = planned.revision
    title = f"{number} of {count}  {revision.id}  {revision.slug.replace('_', ' ')}"
    yield f"{title} ({revision.phase}; undo: {UNDO[planned.undo.cost]})"
    for backfill in planned.backfills:
        yield f"  requires the backfill {backfill.name}: {_state(backfill)}"
    for statement in planned.statements:
        yield f"  {_sql(statement)}"
        yield from _effects(statement, statistics)
    yield from _undo(planned.undo, statistics)


def _state(backfill: RequiredBackfill) -> str:
    if backfill.rows is None:
        return f"{backfill.state}, it runs after {backfill.after}"
    about = "" if backfill.is_counted else "about "
    return f"{backfill.state}, {about}{roughly(backfill.rows, 'row')} to do"


def _undo(undo: Undo, statistics: Statistics) -> Iterator[str]:
    """The costs of the undo; nothing where it is free."""
    if undo.not_restored:
        yield f"  undo does not restore {', '.join(undo.not_restored)}"
    if undo.dropped:
        yield f"  undo drops the data in {', '.join(undo.dropped)}"
    for statement in undo.work:
        yield f"  undo: {_sql(statement)}"
        yield from _effects(statement, statistics)
    if undo.obstacle is not None:
        yield f"  undo: {undo.obstacle}"


def _sql(planned: PlannedStatement) -> str:
    sql = " ".join(planned.statement.sql[: WIDTH * 10].split())
    short = sql if len(sql) <= WIDTH else sql[: WIDTH - 1] + "…"
    times = planned.statement.times
    return f"{short}  ({times} like this)" if times > 1 else short


def _effects(planned: PlannedStatement, statistics: Statistics) -> Iterator[str]:
    statement = planned.statement
    for lock in planned.locks:
        held = f", held {_about(lock.held)}" if statement.lock else ""
        name = statement.named(lock.index or lock.table)
        yield f"    {lock.mode} on {name}{held}: {blocked(lock.mode)}"
    for table in sorted(statement.rewrites):
        yield f"    rewrites {table}{_size(statistics, table)}"
    for table in sorted(statement.scans - statement.rewrites):
        yield f"    scans {table}{_size(statistics, table)}"
    for table in sorted(statement.changes_rows):
        yield f"    changes rows of {table}{_size(statistics, table)}"
    for each in statement.expected:
        if each.action != "read" or each.rows > MANY_ROWS:
            rows = f"{roughly(each.rows, 'row')} of {each.table}"
            yield f"    expects to {each.action} {rows}, by {each.by}"
    if statement.not_seen:
        yield f"    not seen on the target, because {statement.not_seen}"
    if statement.error:
        yield f"    FAILS with SQLSTATE {statement.error}"


def _about(held: Estimate | None) -> str:
    if held is None:
        return "for an unknown time (a statement under it met no sample rows)"
    if held.is_a_moment:
        return "for a moment"
    low, high = duration(held.low_s), duration(held.high_s)
    return f"~{low}" if low == high else f"~{low} to {high}"


def _size(statistics: Statistics, table: str) -> str:
    found = statistics.tables.get(table)
    if found is None:
        return ""
    busy = f", {found.writes_per_s:.0f} writes/s" if found.writes_per_s >= 1 else ""
    is_loose = found.dead_rows > found.rows / 10
    dead = f", {roughly(found.dead_rows, 'dead row')}" if is_loose else ""
    return f": {roughly(found.rows, 'row')}, {size(found.bytes)}{dead}{busy}"
