"""Renders a drift as text."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from surefoot.catalog import SchemaObject, Value
from surefoot.differences.model import Deviation, Drift, Since
from surefoot.errors.names import command
from surefoot.wording import counted


def render(drift: Drift) -> str:
    """The whole text; the last line names the next step."""
    return "\n".join(_lines(drift))


def _lines(drift: Drift) -> Iterator[str]:
    if not drift.count:
        also = "" if drift.models is None else ", and so do the models"
        yield f"OK  {drift.database} matches its revisions up to {drift.revision}{also}."
        yield from _left_out(drift)
        return
    if drift.deviations:
        since = _since(drift.since)
        count = counted(len(drift.deviations), "difference")
        yield f"DRIFT  {drift.database}: {count} from {drift.revision}{since}"
        yield ""
        yield from listing(drift.deviations)
    if drift.models:
        if drift.deviations:
            yield ""
        count = counted(len(drift.models), "difference")
        yield f"MODELS  {count} of {drift.revision} from the models"
        yield ""
        for number, each in enumerate(drift.models, start=len(drift.deviations) + 1):
            yield from _deviation(number, each)
    yield ""
    if drift.note:
        yield f"Note:  {drift.note}"
        yield ""
    if drift.left_out:
        yield from _left_out(drift)
        yield ""
    yield f"{counted(drift.count, 'difference')}. Next: {_next(drift)}"


def _left_out(drift: Drift) -> Iterator[str]:
    if drift.left_out:
        yield f"Excluded by the project, and not compared:  {', '.join(drift.left_out)}"


def listing(deviations: Iterable[Deviation]) -> Iterator[str]:
    """The deviations, numbered, each with its repair."""
    for number, each in enumerate(deviations, start=1):
        yield from _deviation(number, each)
        yield from _repair(each)


def _next(drift: Drift) -> str:
    if not drift.deviations:
        return 'alembic revision --autogenerate -m "…"'
    if drift.note:
        return "name the schemas as the note says"
    fixes = "run the fixes, or write a revision for the intended changes"
    if drift.revision != "base":
        return fixes
    # The fixes drop all that is there.
    adopts = f"`{command()} ops adopt REV --reason …`"
    return f"{adopts}, where the objects are those of this project; else {fixes}"


def _since(since: Since) -> str:
    if since.after and since.before:
        return f", between the runs of {_at(since.after)} and {_at(since.before)}"
    if since.after:
        return f", since the run of {_at(since.after)}"
    return f", before the run of {_at(since.before)} ended" if since.before else ""


def _at(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _deviation(number: int, deviation: Deviation) -> Iterator[str]:
    count = len(deviation.members)
    with_it = f", with {counted(count, 'member')}" if count else ""
    yield f"{number:<2} {deviation.word}  {deviation.title}{with_it}"
    if deviation.word != "changed":
        return
    several = len(deviation.differences) > 1
    for each in deviation.differences:
        name = f"{each.attribute} " if several else ""
        yield from _lined(f"- expected {name}", _shown(each.expected))
        yield from _lined(f"+ found    {name}", _shown(each.found))


def _lined(label: str, text: str) -> Iterator[str]:
    first, *rest = text.splitlines() or [""]
    yield f"   {label}{first}"
    yield from (f"     {line}" for line in rest)


def _shown(value: Value | SchemaObject) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value)


def _repair(deviation: Deviation) -> Iterator[str]:
    repair = deviation.repair
    label = "fix, which drops data:" if repair.loses_data else "fix:"
    for statement in repair.sql:
        yield from _lined(f"{label} ", f"{statement};")
        label = "    "
    if repair.note:
        yield f"   note: {repair.note}"
