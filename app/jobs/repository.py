"""The queries of the API on the jobs table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.keyset import read_cursor, write_cursor
from app.db.models import Job, JobResult, JobStatus, Volume
from app.db.models.jobs import ACTIVE
from app.errors import JobActive, JobFinal, JobNotFound
from app.jobs.location import Location
from app.jobs.schemas import JobFilter, JobOut, JobPage, JobWithResult, Progress

_JOBS = select(Job, Volume.name.label("volume")).join(Volume)


async def create(
    session: AsyncSession, operation: str, location: Location, parameters: dict[str, Any]
) -> int:
    """Queue a job and return its id.

    On failure: JobActive if the same work is queued or running.
    """
    volume_id = await _volume_id(session, location)
    same = {"volume_id": volume_id, "operation": operation, "path": location.path}
    while True:
        active = await session.scalar(select(Job.id).filter_by(**same).where(text(ACTIVE)))
        if active is not None:
            raise JobActive(active, operation, location.volume, location.path)
        created: int | None = await session.scalar(
            upsert(Job)
            .values(**same, parameters=parameters)
            .on_conflict_do_nothing(
                index_elements=["volume_id", "operation", "path"], index_where=text(ACTIVE)
            )
            .returning(Job.id)
        )
        if created is not None:
            return created
        # Another request inserted the same job in between.


async def get(session: AsyncSession, job_id: int) -> JobWithResult:
    """A job with its result. On failure: JobNotFound."""
    statement = _JOBS.add_columns(JobResult.summary).outerjoin(JobResult).where(Job.id == job_id)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise JobNotFound(job_id)
    return JobWithResult(**_shown(row.Job, row.volume).model_dump(), result=row.summary)


async def find(session: AsyncSession, wanted: JobFilter) -> JobPage:
    """A page of jobs, newest first. On failure: CursorInvalid."""
    statement = _JOBS.order_by(Job.id.desc()).limit(wanted.limit + 1)
    if wanted.status is not None:
        statement = statement.where(Job.status == wanted.status)
    if wanted.operation is not None:
        statement = statement.where(Job.operation == wanted.operation)
    if wanted.volume is not None:
        statement = statement.where(func.lower(Volume.name) == func.lower(wanted.volume))
    if wanted.cursor is not None:
        (before,) = read_cursor(wanted.cursor, int)
        statement = statement.where(Job.id < before)
    rows = (await session.execute(statement)).all()
    page = [_shown(row.Job, row.volume) for row in rows[: wanted.limit]]
    more = len(rows) > wanted.limit
    return JobPage(jobs=page, next=write_cursor(page[-1].id) if more else None)


async def cancel(session: AsyncSession, job_id: int) -> None:
    """Cancel a job that has not ended. On failure: JobNotFound, JobFinal."""
    cancelled = await session.scalar(
        update(Job)
        .where(Job.id == job_id, text(ACTIVE))
        .values(
            status=JobStatus.CANCELLED,
            finished_at=func.now(),
            worker=None,
            lease_expires_at=None,
        )
        .returning(Job.id)
    )
    if cancelled is not None:
        return
    status = await session.scalar(select(Job.status).where(Job.id == job_id))
    if status is None:
        raise JobNotFound(job_id)
    raise JobFinal(job_id, status.value)


async def _volume_id(session: AsyncSession, location: Location) -> int:
    """The id of a configured volume, which is inserted at its first use."""
    by_name = select(Volume).where(func.lower(Volume.name) == func.lower(location.volume))
    volume = await session.scalar(by_name)
    if volume is None:
        await session.execute(
            upsert(Volume).values(name=location.volume, root=location.root).on_conflict_do_nothing()
        )
        volume = (await session.scalars(by_name)).one()
    # The root may have moved; the next scan reads the new one.
    volume.root = location.root
    await session.flush()
    return volume.id


def _shown(job: Job, volume: str) -> JobOut:
    progress = Progress(done=job.progress_done, total=job.progress_total)
    other = {"volume": volume, "progress": progress}
    same = {name: getattr(job, name) for name in JobOut.model_fields if name not in other}
    return JobOut(**other, **same)
