"""A Forecast as Markdown, for the summary of a job or a comment on a pull request."""

from collections.abc import Iterator, Sequence

from surefoot.chain.titles import title_of
from surefoot.errors import names
from surefoot.linting.markdown import shown as finding_shown
from surefoot.linting.markdown import summary
from surefoot.markup import block, code, fold, prose, table
from surefoot.planning import words
from surefoot.planning.estimate import Estimate
from surefoot.planning.plan import Forecast, PlannedRevision
from surefoot.planning.statements import PlannedLock, PlannedStatement
from surefoot.planning.statistics import Statistics
from surefoot.rules.findings import Finding
from surefoot.trace.lock_modes import waiting
from surefoot.wording import counted, short, size

# A comment on GitHub holds 65,536 characters.
LONGEST = 60_000
# Room for the lines that follow where something is left out.
ENDING = 500
# Of one statement: more of it is rows, which nobody reads.
LONGEST_SQL = 4_000
_HEADS = ("#", "Lock", "On", "Rows", "Size", "Held", "Who waits")


def markdown(forecast: Forecast) -> str:
    """The Forecast; without its SQL, or its last revisions, where it would be too long."""
    whole = "\n\n".join(_parts(forecast, with_sql=True))
    if len(whole) <= LONGEST:
        return whole
    first, *parts, last = _parts(forecast, with_sql=False)
    kept, left = [first], LONGEST - ENDING
    for number, part in enumerate(parts):
        left -= len(part) + 2
        if left < 0:
            kept.append(f"{counted(len(parts) - number, 'further part')} left out.")
            break
        kept.append(part)
    has_it = code(f"{names.command()} plan --json")
    said = f"The SQL is left out: a comment would be too long. {has_it} has it."
    return "\n\n".join([*kept, said, last])


def _parts(forecast: Forecast, *, with_sql: bool) -> Iterator[str]:
    count, target = len(forecast.revisions), code(forecast.target)
    if not count:
        yield f"### Plan: {target} is at head"
        yield "Nothing to apply."
        return
    yield f"### Plan: {counted(count, 'revision')} to apply to {target}"
    yield _head(forecast)
    left = list(forecast.findings)
    for number, planned in enumerate(forecast.revisions, start=1):
        own = [each for each in left if each.revision == planned.revision.id]
        left = [each for each in left if each not in own]
        yield f"#### {number} of {count}: {_title(planned)}"
        yield from _revision(planned, own, forecast.statistics)
        if with_sql and planned.statements:
            yield _sql(planned)
    yield from map(finding_shown, left)
    if forecast.stopped_by is not None:
        yield f"**Stopped on the scratch database:** {prose(forecast.stopped_by.message)}"
    yield f"Next: {code(words.next_command(forecast))}"


def _head(forecast: Forecast) -> str:
    at = ", ".join(map(code, forecast.before)) or "base"
    tried = "a copy of its schema" if forecast.copied else "a scratch database"
    said = f"**{summary(forecast.findings)}.** The database is at {at}; nothing ran on it."
    lines = [f"{said} Tried on {tried}."]
    if forecast.mismatch:
        lines.append(prose(forecast.mismatch))
    if oldest := words.oldest_transaction(forecast.statistics):
        said = f"{prose(oldest[:1].upper() + oldest[1:])}."
        lines.append(f"{said} A lock that waits for it keeps others waiting.")
    return "  \n".join(lines)


def _title(planned: PlannedRevision) -> str:
    revision = planned.revision
    return f"{code(revision.id)} {prose(title_of(revision))}".rstrip()


def _phase(planned: PlannedRevision) -> str:
    revision = planned.revision
    if revision.phase != "contract":
        return revision.phase
    needed = code(revision.requires_code or revision.id)
    return f"{revision.phase}, which needs code of {needed} or newer"


def _revision(
    planned: PlannedRevision, findings: Sequence[Finding], statistics: Statistics
) -> Iterator[str]:
    undo = planned.undo
    lost = [f"it {prose(each)}" for each in words.losses(undo)]
    facts = [
        f"Phase: {_phase(planned)}",
        f"Time: {_time([each.takes for each in planned.statements])}",
        f"Undo: {'; '.join([words.UNDO[undo.cost], *lost])}",
    ]
    if undo.obstacle is not None:
        facts.append(f"It cannot be undone: {prose(undo.obstacle)}")
    facts += [f"To undo it: {prose(each)}" for each in _works(undo.work, statistics)]
    facts += [
        f"Requires the backfill {code(each.name)}: {prose(words.backfill_state(each))}"
        for each in planned.backfills
    ]
    facts += [prose(each) for each in _works(planned.statements, statistics)]
    yield "\n".join(f"- {each}" for each in facts)
    locks = [
        _lock(number, each, lock, statistics)
        for number, each in enumerate(planned.statements, start=1)
        for lock in each.locks
    ]
    if locks:
        yield table(_HEADS, locks, numbers=("Rows", "Size"))
    yield from map(finding_shown, findings)


def _works(statements: Sequence[PlannedStatement], statistics: Statistics) -> Iterator[str]:
    for number, planned in enumerate(statements, start=1):
        for each in words.work(planned, statistics):
            yield f"statement {number} {each}"


def _lock(
    number: int, planned: PlannedStatement, lock: PlannedLock, statistics: Statistics
) -> Sequence[str]:
    found = statistics.tables.get(lock.table)
    held = "unknown" if lock.held is None else words.span(lock.held)
    return (
        str(number),
        lock.mode,
        code(planned.statement.named(lock.index or lock.table)),
        short(found.rows) if found else "",
        size(found.bytes) if found else "",
        held,
        waiting(lock.mode),
    )


def _time(estimates: Sequence[Estimate | None]) -> str:
    """The sum of the durations of the statements."""
    known = [each for each in estimates if each is not None]
    total = sum(known, Estimate(0.0, 0.0))
    if len(known) < len(estimates):
        unknown = counted(len(estimates) - len(known), "statement")
        return f"{words.span(total)} and {unknown} of unknown duration (no sample rows met)"
    return words.span(total)


def _sql(planned: PlannedRevision) -> str:
    lines = []
    for number, each in enumerate(planned.statements, start=1):
        statement, sql = each.statement, each.statement.sql.strip().rstrip(";")
        times = f", {statement.times} like this" if statement.times > 1 else ""
        lines.append(f"-- {number}, line {statement.line} of the file{times}")
        cut = (
            f" -- … {counted(len(sql) - LONGEST_SQL, 'character')} more"
            if len(sql) > LONGEST_SQL
            else ";"
        )
        lines.append(f"{sql[:LONGEST_SQL]}{cut}")
    return fold(
        f"SQL ({counted(len(planned.statements), 'statement')})", block("\n".join(lines), "sql")
    )
