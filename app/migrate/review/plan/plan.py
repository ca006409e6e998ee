"""A Forecast: what the pending revisions would do to one database, and for how long.

trace (on a scratch database) x figures (of the target, read only) -> Forecast
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.errors import VegafsError
from app.migrate.history.revisions import Revision
from app.migrate.review.findings import Finding
from app.migrate.review.lint import Linted
from app.migrate.review.plan.estimate import Estimate, estimate, worked_on
from app.migrate.review.plan.figures import Figures
from app.migrate.review.trace.locks import STRENGTH
from app.migrate.review.trace.statement import Statement


@dataclass(frozen=True)
class Lock:
    """A lock on one table: from its statement until the transaction ends."""

    table: str
    mode: str
    held: Estimate | None


@dataclass(frozen=True)
class Step:
    """One statement, and what it would do to the target."""

    statement: Statement
    locks: tuple[Lock, ...]
    takes: Estimate | None


@dataclass(frozen=True)
class Planned:
    """One pending revision."""

    revision: Revision
    steps: tuple[Step, ...]
    # Whether going back over it loses what it took away.
    loses_data: bool


@dataclass(frozen=True)
class Forecast:
    """The pending revisions of one database."""

    target: str
    database: str
    before: tuple[str, ...]
    revisions: tuple[Planned, ...]
    findings: tuple[Finding, ...]
    figures: Figures
    # What a revision failed with on the scratch database; those after it were not traced.
    stopped_by: VegafsError | None = None

    def as_json(self) -> Mapping[str, Any]:
        """The forecast as one JSON object."""
        return {
            "schema_version": 1,
            "target": self.target,
            "database": self.database,
            "at": list(self.before),
            "oldest_transaction": asdict(self.figures.oldest) if self.figures.oldest else None,
            "revisions": [_revision_json(p, self.figures) for p in self.revisions],
            "findings": [finding.as_json() for finding in self.findings],
            "stopped_by": self.stopped_by.as_json() if self.stopped_by else None,
        }


def forecast(
    target: str,
    database: str,
    before: Sequence[str],
    pending: Sequence[Revision],
    linted: Linted,
    figures: Figures,
) -> Forecast:
    """Join what was traced with the figures of the target."""
    planned = [
        Planned(revision, _steps(unit.statements, figures), _loses(unit.statements))
        for revision, unit in zip(pending, linted.units, strict=True)
    ]
    stopped = linted.trace.failure
    return Forecast(
        target, database, tuple(before), tuple(planned), linted.findings, figures, stopped
    )


def _steps(statements: Sequence[Statement], figures: Figures) -> tuple[Step, ...]:
    takes = [estimate(statement, figures) for statement in statements]
    steps = []
    for number, statement in enumerate(statements):
        rest = takes[number:] if statement.transactional else takes[number : number + 1]
        held = _sum(rest)
        locks = [
            Lock(relation, mode, held)
            for relation, mode in statement.locks.items()
            if relation not in statement.tables and mode != "ACCESS SHARE"
        ]
        locks.sort(key=lambda lock: -STRENGTH[lock.mode])
        steps.append(Step(statement, tuple(locks), takes[number]))
    return tuple(steps)


def _sum(estimates: Sequence[Estimate | None]) -> Estimate | None:
    total = Estimate(0.0, 0.0)
    for each in estimates:
        if each is None:
            return None
        total += each
    return total


def _loses(statements: Sequence[Statement]) -> bool:
    kinds = ("column_dropped", "dropped")
    lost = [e for s in statements for e in s.of(*kinds) if e.facts.get("kind", "r") in "rpm"]
    return bool(lost) or any(w.deleted or w.updated for s in statements for w in s.work.values())


def _revision_json(planned: Planned, figures: Figures) -> Mapping[str, Any]:
    return {
        "revision": planned.revision.id,
        "slug": planned.revision.slug,
        "phase": planned.revision.phase,
        "loses_data": planned.loses_data,
        "statements": [_step_json(step, figures) for step in planned.steps],
    }


def _step_json(step: Step, figures: Figures) -> Mapping[str, Any]:
    statement = step.statement
    tables = {lock.table for lock in step.locks} | worked_on(statement)
    return {
        "line": statement.line,
        "sql": statement.sql,
        "transactional": statement.transactional,
        "locks": [
            {"table": k.table, "mode": k.mode, "held": asdict(k.held) if k.held else None}
            for k in step.locks
        ],
        "scans": sorted(statement.scans),
        "rewrites": sorted(statement.rewrites),
        "takes": asdict(step.takes) if step.takes else None,
        "tables": {t: asdict(figures.tables[t]) for t in sorted(tables) if t in figures.tables},
    }
