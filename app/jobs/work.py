"""Work is the argument of an operation: the job, the database and the progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from app.jobs.queue import Lease
from app.settings import Settings


@dataclass
class Progress:
    """The number of files done, and the number at the last scan."""

    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class Work:
    """One attempt at a job."""

    engine: AsyncEngine
    settings: Settings
    lease: Lease
    progress: Progress = field(default_factory=Progress)
