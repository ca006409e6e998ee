"""Work is what an operation is given: the job, the database, and a place for its progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from app.jobs.queue import Lease
from app.settings import Settings


@dataclass
class Progress:
    """How many files are done, and how many there were at the last scan."""

    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class Work:
    """One attempt at a job."""

    engine: AsyncEngine
    settings: Settings
    lease: Lease
    progress: Progress = field(default_factory=Progress)
