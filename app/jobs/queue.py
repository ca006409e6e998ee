"""The queue: the jobs table as workers use it.

    PENDING --take--> RUNNING --complete--> COMPLETED
       ^                 |------fail-------> FAILED       after too many attempts, or at once
       |---put_back------|
       '---fail----------'                                while attempts are left, for later

A worker holds a job by a lease that it renews. An expired lease belongs to a worker that died or
hangs, and another worker may take the job. Every change therefore names the worker and applies only
while that worker runs the job. A job that was cancelled or taken over stays so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, case, func, insert, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.models import Job, JobResult, JobStatus, Volume
from app.db.models.jobs import ACTIVE

_NO_WORKER: dict[str, Any] = {"worker": None, "lease_expires_at": None}
# A job that failed waits for some seconds, longer after each attempt: the reason may pass.
_RESTED = "(jobs.error IS NULL OR jobs.updated_at <= now() - jobs.attempts * interval '5 seconds')"
# A job without a worker: queued, or with an expired lease.
_FREE = or_(Job.status == JobStatus.PENDING, Job.lease_expires_at < func.now())


@dataclass(frozen=True)
class Lease:
    """A job that a worker holds."""

    job_id: int
    worker: str
    volume_id: int
    volume: str
    operation: str
    path: str
    parameters: dict[str, Any]
    attempt: int
    started_at: datetime


async def take(
    engine: AsyncEngine,
    worker: str,
    *,
    volumes: Collection[str],
    operations: Collection[str],
    lease_s: float,
    max_attempts: int,
) -> Lease | None:
    """Take the oldest free job for one of the operations on one of the volumes, if there is one.

    A free job that has used its last attempt fails here.
    """
    free = (
        select(Job.id)
        .join(Volume)
        .where(text(f"jobs.{ACTIVE}"), _FREE, text(_RESTED))
        .where(func.lower(Volume.name).in_([func.lower(name) for name in volumes]))
        .where(Job.operation.in_(operations))
        .order_by(Job.id)
        .with_for_update(of=Job, skip_locked=True)
    )
    exhausted = free.where(Job.attempts >= max_attempts)
    oldest = free.where(Job.attempts < max_attempts).limit(1)
    async with engine.begin() as connection:
        await connection.execute(
            update(Job)
            .where(Job.id.in_(exhausted))
            .values(
                status=JobStatus.FAILED,
                finished_at=func.now(),
                error=func.concat(
                    "gave up after ",
                    Job.attempts,
                    " attempts: ",
                    func.coalesce(Job.error, "each time the worker stopped answering"),
                ),
                **_NO_WORKER,
            )
        )
        taken = await connection.execute(
            update(Job)
            .where(Job.id == oldest.scalar_subquery(), Volume.id == Job.volume_id)
            .values(
                status=JobStatus.RUNNING,
                worker=worker,
                lease_expires_at=func.now() + timedelta(seconds=lease_s),
                attempts=Job.attempts + 1,
                started_at=func.now(),
                progress_done=0,
            )
            .returning(
                Job.id.label("job_id"),
                Job.worker,
                Job.volume_id,
                Volume.name.label("volume"),
                Job.operation,
                Job.path,
                Job.parameters,
                Job.attempts.label("attempt"),
                Job.started_at,
            )
        )
        row = taken.one_or_none()
    return Lease(**row._mapping) if row else None


async def renew(
    engine: AsyncEngine, lease: Lease, *, lease_s: float, done: int, total: int | None
) -> bool:
    """Extend the lease and record the progress; False if the worker no longer holds the job."""
    return await _change(
        engine,
        _held(lease).values(
            lease_expires_at=func.now() + timedelta(seconds=lease_s),
            progress_done=done,
            progress_total=total,
        ),
    )


async def put_back(engine: AsyncEngine, worker: str) -> int:
    """Return the worker's jobs to the queue, and return their number.

    An attempt that ends because its worker stops does not count.
    """
    async with engine.begin() as connection:
        given_back = await connection.execute(
            update(Job)
            .where(Job.worker == worker, Job.status == JobStatus.RUNNING, text(ACTIVE))
            .values(status=JobStatus.PENDING, attempts=Job.attempts - 1, **_NO_WORKER)
        )
    return given_back.rowcount


async def fail(
    engine: AsyncEngine, lease: Lease, reason: str, *, max_attempts: int, again: bool
) -> bool:
    """Record why the attempt failed. With `again` the job is retried while attempts are left."""
    final = Job.attempts >= (max_attempts if again else 0)
    return await _change(
        engine,
        _held(lease).values(
            # PostgreSQL infers no enum type for a literal inside CASE.
            status=case(
                (final, literal(JobStatus.FAILED, Job.status.type)),
                else_=literal(JobStatus.PENDING, Job.status.type),
            ),
            finished_at=case((final, func.now())),
            error=reason,
            **_NO_WORKER,
        ),
    )


async def complete(
    engine: AsyncEngine, lease: Lease, summary: dict[str, Any], *, done: int
) -> bool:
    """Complete the job with its result; False if the worker no longer holds it."""
    async with engine.begin() as connection:
        ended = await connection.execute(
            _held(lease).values(
                status=JobStatus.COMPLETED,
                finished_at=func.now(),
                progress_done=done,
                progress_total=done,
                error=None,
                **_NO_WORKER,
            )
        )
        if ended.rowcount == 0:
            return False
        await connection.execute(insert(JobResult).values(job_id=lease.job_id, summary=summary))
    return True


def _held(lease: Lease) -> Update:
    return update(Job).where(
        Job.id == lease.job_id,
        Job.worker == lease.worker,
        Job.status == JobStatus.RUNNING,
    )


async def _change(engine: AsyncEngine, statement: Update) -> bool:
    async with engine.begin() as connection:
        return (await connection.execute(statement)).rowcount == 1
