"""Jobs and their results."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Enum, ForeignKey, Index, Integer, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, identity, now


class JobStatus(str, enum.Enum):
    """The state of a job. The last three are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ACTIVE = "status IN ('PENDING', 'RUNNING')"


class Job(Base):
    """Work on a volume: a worker takes it, renews its lease and finishes it."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("operation <> ''", name="operation_not_empty"),
        CheckConstraint("progress_done >= 0", name="progress_not_negative"),
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        CheckConstraint("(worker IS NULL) = (lease_expires_at IS NULL)", name="lease_has_worker"),
        # The same work is never queued twice.
        Index(
            "uq_jobs_active",
            "volume_id",
            "operation",
            "path",
            unique=True,
            postgresql_where=text(ACTIVE),
        ),
        # Workers search this index. It is small, because finished jobs are not in it.
        Index("ix_jobs_queue", "id", postgresql_where=text(ACTIVE)),
        Index(None, "volume_id"),
        Index("ix_jobs_parameters", "parameters", postgresql_using="gin"),
        {"comment": "Work on a volume"},
    )

    id: Mapped[identity]
    volume_id: Mapped[int] = mapped_column(ForeignKey("volumes.id", ondelete="CASCADE"))
    operation: Mapped[str] = mapped_column(comment="scan or summarize")
    path: Mapped[str] = mapped_column(
        server_default=text("''"), comment="The part of the volume to work on; empty for all of it"
    )
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    status: Mapped[JobStatus] = mapped_column(
        Enum(JobStatus, name="job_status"), server_default=JobStatus.PENDING.value
    )
    progress_done: Mapped[int] = mapped_column(
        server_default=text("0"), comment="Files worked on so far"
    )
    progress_total: Mapped[int | None] = mapped_column(
        comment="Files expected, where a former scan tells"
    )
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    error: Mapped[str | None]
    worker: Mapped[str | None] = mapped_column(comment="Who works on it: host, process, start")
    lease_expires_at: Mapped[datetime | None]
    created_at: Mapped[now]
    updated_at: Mapped[now] = mapped_column(comment="Kept by the trigger jobs_updated_at")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    duration_s: Mapped[float | None] = mapped_column(
        Numeric(12, 3, asdecimal=False),
        Computed("EXTRACT(epoch FROM finished_at - started_at)", persisted=True),
    )


class JobResult(Base):
    """The result of a completed job."""

    __tablename__ = "job_results"
    __table_args__ = ({"comment": "What a completed job found"},)

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    summary: Mapped[dict[str, Any]]
    created_at: Mapped[now]
