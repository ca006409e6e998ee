"""The words for the parts of a Forecast, which its text and its Markdown share."""

from collections.abc import Iterator, Mapping

from surefoot.chain.revisions import heads
from surefoot.errors import names
from surefoot.planning.backfills import RequiredBackfill
from surefoot.planning.estimate import Estimate
from surefoot.planning.plan import Forecast
from surefoot.planning.statements import PlannedStatement
from surefoot.planning.statistics import Statistics
from surefoot.planning.undo import Cost, Undo
from surefoot.trace.expected_rows import MANY_ROWS
from surefoot.wording import duration, roughly, size

WIDTH = 72
UNDO: Mapping[Cost, str] = {
    "free": "free",
    "work": "takes time",
    "data": "data is lost",
    "impossible": "impossible",
    "unknown": "not tried",
}


def next_command(forecast: Forecast) -> str:
    """The command that helps next."""
    errors = [finding for finding in forecast.findings if finding.level == "error"]
    if errors:
        return f"{names.command()} explain {errors[0].rule}"
    if forecast.to is not None:
        return f"{names.alembic()} upgrade {forecast.to}"
    pending = [each.revision for each in forecast.revisions]
    beside = set(forecast.before).difference(down for each in pending for down in each.down)
    return f"{names.alembic()} upgrade {names.goal(heads(pending) | beside)}"


def oldest_transaction(statistics: Statistics) -> str | None:
    """The oldest open transaction, where it is old enough to wait for."""
    oldest = statistics.oldest
    if oldest is None or oldest.age_s < 1:
        return None
    age = duration(oldest.age_s)
    return f"oldest open transaction: {age}, {oldest.application} (pid {oldest.pid})"


def backfill_state(backfill: RequiredBackfill) -> str:
    """How far a backfill is that a revision requires."""
    if backfill.rows is None:
        return f"{backfill.state}, it runs after {backfill.after}"
    about = "" if backfill.is_counted else "about "
    return f"{backfill.state}, {about}{roughly(backfill.rows, 'row')} to do"


def losses(undo: Undo) -> list[str]:
    """The data that an undo costs: what it does, and does not do."""
    found = []
    if undo.not_restored:
        found.append(f"does not restore {', '.join(undo.not_restored)}")
    if undo.dropped:
        found.append(f"drops the data in {', '.join(undo.dropped)}")
    return found


def sql(planned: PlannedStatement) -> str:
    """The beginning of a statement, in one line."""
    found = " ".join(planned.statement.sql[: WIDTH * 10].split())
    short = found if len(found) <= WIDTH else found[: WIDTH - 1] + "…"
    times = planned.statement.times
    return f"{short}  ({times} like this)" if times > 1 else short


def work(planned: PlannedStatement, statistics: Statistics) -> Iterator[str]:
    """The effects of a statement beside its locks, a line each."""
    statement = planned.statement
    for table in sorted(statement.rewrites):
        yield f"rewrites {table}{_size(statistics, table)}"
    for table in sorted(statement.scans - statement.rewrites):
        yield f"scans {table}{_size(statistics, table)}"
    for table in sorted(statement.changes_rows):
        yield f"changes rows of {table}{_size(statistics, table)}"
    for each in statement.expected:
        if each.action != "read" or each.rows > MANY_ROWS:
            rows = f"{roughly(each.rows, 'row')} of {each.table}"
            yield f"expects to {each.action} {rows}, by {each.by}"
    if statement.not_seen:
        yield f"not seen on the target, because {statement.not_seen}"
    if statement.error:
        yield f"FAILS with SQLSTATE {statement.error}"


def span(estimate: Estimate) -> str:
    """A range of durations."""
    if estimate.is_a_moment:
        return "a moment"
    low, high = duration(max(estimate.low_s, 0.01)), duration(estimate.high_s)
    return f"~{low}" if low == high else f"~{low} to {high}"


def _size(statistics: Statistics, table: str) -> str:
    found = statistics.tables.get(table)
    if found is None:
        return ""
    busy = f", {found.writes_per_s:.0f} writes/s" if found.writes_per_s >= 1 else ""
    is_loose = found.dead_rows > found.rows / 10
    dead = f", {roughly(found.dead_rows, 'dead row')}" if is_loose else ""
    return f": {roughly(found.rows, 'row')}, {size(found.bytes)}{dead}{busy}"
