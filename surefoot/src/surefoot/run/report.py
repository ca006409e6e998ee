"""Report is the record of a run, complete or partial."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from surefoot.errors.names import goal
from surefoot.wording import duration

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PlannedRevision:
    """A revision that is about to be applied, reverted or stamped."""

    revision: str
    title: str
    direction: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class AppliedRevision:
    """A revision that was applied, reverted or stamped."""

    revision: str
    title: str
    direction: str
    duration_s: float


@dataclass(frozen=True)
class Report:
    """The revisions that a run applied to one database, and where the database was and is.

    Durations are seconds. An error that stops a run part-way names the same revisions.

    Example:
        report = await upgrade(target, "head")
        print([step.revision for step in report.steps], report.after, report.as_json())
    """

    database: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[AppliedRevision, ...]
    duration_s: float

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object, with its figures exact."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def nothing_done(report: Report, heads: Collection[str]) -> str:
    """The line about a run without a step; `heads` are the newest revisions of this build."""
    at = f"at {goal(heads)} " if heads and {*heads} == {*report.after} else "at "
    took = duration(report.duration_s)
    return f"OK  {report.database} is {at}{named(report.after)}. Nothing to do. ({took})"


def named(revisions: Iterable[str]) -> str:
    """Revisions for a line; without any it is base."""
    return ", ".join(sorted(revisions)) or "base"
