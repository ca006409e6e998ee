"""Forecast is the effect of the pending revisions on one database, with durations.

trace (on a scratch database) x statistics (of the target, read only) -> Forecast
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from surefoot.chain.revisions import Revision
from surefoot.errors import SurefootError
from surefoot.linting.lint import Linted
from surefoot.planning.statements import PlannedStatement, steps
from surefoot.planning.statistics import Statistics
from surefoot.planning.undo import Undo, undos
from surefoot.rules.findings import Finding


@dataclass(frozen=True)
class PlannedRevision:
    """One pending revision."""

    revision: Revision
    steps: tuple[PlannedStatement, ...]
    undo: Undo


@dataclass(frozen=True)
class Forecast:
    """The pending revisions of one database."""

    target: str
    database: str
    before: tuple[str, ...]
    revisions: tuple[PlannedRevision, ...]
    findings: tuple[Finding, ...]
    statistics: Statistics
    # Whether the scratch database had a copy of the target's schema, or that of the revisions.
    copied: bool = False
    # The error of a revision on the scratch database; later revisions were not traced.
    stopped_by: SurefootError | None = None

    def as_json(self) -> Mapping[str, Any]:
        """The forecast as one JSON object."""
        return {
            "schema_version": 1,
            "target": self.target,
            "database": self.database,
            "at": list(self.before),
            "schema_of": "target" if self.copied else "revisions",
            "oldest_transaction": asdict(self.statistics.oldest)
            if self.statistics.oldest
            else None,
            "revisions": [_revision_json(p, self.statistics) for p in self.revisions],
            "findings": [finding.as_json() for finding in self.findings],
            "stopped_by": self.stopped_by.as_json() if self.stopped_by else None,
        }


def forecast(
    target: str,
    database: str,
    before: Sequence[str],
    pending: Sequence[Revision],
    linted: Linted,
    statistics: Statistics,
    *,
    copied: bool = False,
) -> Forecast:
    """Join the trace with the statistics of the target."""
    back = undos(pending, linted.trace, statistics)
    planned = [
        PlannedRevision(revision, steps(unit.statements, statistics), back[revision.id])
        for revision, unit in zip(pending, linted.units, strict=True)
    ]
    stopped = linted.trace.failure
    return Forecast(
        target,
        database,
        tuple(before),
        tuple(planned),
        linted.findings,
        statistics,
        copied,
        stopped,
    )


def _revision_json(planned: PlannedRevision, statistics: Statistics) -> Mapping[str, Any]:
    return {
        "revision": planned.revision.id,
        "slug": planned.revision.slug,
        "phase": planned.revision.phase,
        "undo": planned.undo.as_json(statistics),
        "statements": [step.as_json(statistics) for step in planned.steps],
    }
