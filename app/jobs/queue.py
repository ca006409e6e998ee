"""The queue is the table of jobs as workers use it.

    PENDING --take--> RUNNING --complete--> COMPLETED
       ^                 |------fail-------> FAILED       after too many attempts, or at once
       |---put_back------|
       '---fail----------'                                otherwise it is tried again

A worker holds a job by a lease that it renews. A lease that ran out belongs to a worker that died
or hangs, and its job may be taken by another. So every change names the worker and counts only
while the job is still RUNNING in its hands: a job that was cancelled, or taken over, stays so.
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
# A job that nobody works on: queued, or left by a worker that no longer renews its lease.
_FREE = or_(Job.status == JobStatus.PENDING, Job.lease_expires_at < func.now())


@dataclass(frozen=True)
class Lease:
    """A job in the hands of a worker."""

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
    """The oldest free job that does one of the operations on one of the volumes, if there is one.

    A job that was left by its last allowed attempt fails here.
    """
    free = (
        select(Job.id)
        .join(Volume)
        .where(text(f"jobs.{ACTIVE}"), _FREE)
        .where(func.lower(Volume.name).in_([name.lower() for name in volumes]))
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
    """Hold the job for longer and note its progress; False where it is no longer held."""
    return await _change(
        engine,
        _held(lease).values(
            lease_expires_at=func.now() + timedelta(seconds=lease_s),
            progress_done=done,
            progress_total=total,
        ),
    )


async def put_back(engine: AsyncEngine, worker: str) -> int:
    """Give back what the worker holds as if it had not been taken, and say how many jobs it was.

    An attempt that ends because its worker is stopped does not count.
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
    """Note why the attempt failed. With `again` it is tried again while attempts are left."""
    final = Job.attempts >= (max_attempts if again else 0)
    return await _change(
        engine,
        _held(lease).values(
            # Inside CASE a value has no type of its own to PostgreSQL.
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
    """End the job with what it found; False where it is no longer held."""
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
