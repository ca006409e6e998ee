"""Readiness says whether a service can serve on its schema, as its watch found it last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from surefoot.startup.backfills import SeenBackfill
from surefoot.startup.watch import Watch


@dataclass(frozen=True)
class Readiness:
    """Whether the service can serve, and the help if it cannot."""

    status: Literal["ready", "not-ready"]
    # at-head, ahead, or the code of the error that keeps the service from serving.
    code: str
    summary: str
    current: str | None
    expected: str
    # Revisions of this build that the database lacks.
    pending: tuple[str, ...]
    # Revisions of the database that this build does not have.
    ahead: tuple[str, ...]
    # Whether the schema differs from revisions.lock at the database's revision; None where that is
    # not known. Drift does not make a service unready.
    drift: bool | None
    # The backfills that have begun; None where that is not known. They do not make it unready.
    backfills: tuple[SeenBackfill, ...] | None
    checked_at: datetime
    fix: str | None

    @classmethod
    def of(cls, watch: Watch) -> Readiness:
        """The readiness by the watch's last check. On failure: RuntimeError before the first."""
        verdict = watch.verdict
        error = verdict.error
        return cls(
            status="not-ready" if error else "ready",
            code=error.code if error else "ahead" if verdict.ahead else "at-head",
            summary=str(verdict),
            current=verdict.current,
            expected=verdict.expected,
            pending=verdict.pending,
            ahead=tuple(stranger.id for stranger in verdict.ahead),
            drift=None if watch.agrees is None else not watch.agrees,
            backfills=None if watch.look.backfills is None else tuple(watch.look.backfills),
            checked_at=watch.checked_at,
            fix=error.help if error else None,
        )
