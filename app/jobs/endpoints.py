"""/jobs: queue, list, show and cancel jobs."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.keyset import BIGINT_MAX
from app.db.session import request_session
from app.jobs import repository
from app.jobs.location import locate
from app.jobs.schemas import AnyNewJob, JobFilter, JobPage, JobWithResult

router = APIRouter(prefix="/jobs", tags=["jobs"])

# "function": the transaction ends before the answer is sent.
Session = Annotated[AsyncSession, Depends(request_session, scope="function")]
JobId = Annotated[int, Path(ge=1, le=BIGINT_MAX, description="The id of the job.")]
NO_SUCH_JOB = {"description": "There is no such job (`job-not-found`)."}


@router.post(
    "",
    summary="Queue a job",
    status_code=status.HTTP_201_CREATED,
    responses={
        201: {
            "headers": {
                "Location": {"description": "The job.", "schema": {"type": "string"}},
            }
        },
        409: {"description": "The same work is queued or running (`job-active`, with `job_id`)."},
    },
)
async def create_job(
    request: Request, response: Response, session: Session, wanted: AnyNewJob
) -> JobWithResult:
    """Queue a scan or a summary of a folder. A worker starts it within a second or so.

    Name the folder by an absolute `path` below the root of a configured volume, by `volume` and a
    relative `path`, or by `volume` alone for the whole volume.
    """
    location = await anyio.to_thread.run_sync(
        locate, request.app.state.settings.volumes, wanted.volume, wanted.path or ""
    )
    job_id = await repository.create(
        session, wanted.operation, location, wanted.parameters.model_dump()
    )
    response.headers["Location"] = str(request.app.url_path_for("get_job", job_id=job_id))
    return await repository.get(session, job_id)


@router.get("", summary="List jobs")
async def list_jobs(session: Session, wanted: Annotated[JobFilter, Query()]) -> JobPage:
    """Jobs, newest first."""
    return await repository.find(session, wanted)


@router.get("/{job_id}", summary="Show a job", responses={404: NO_SUCH_JOB})
async def get_job(session: Session, job_id: JobId) -> JobWithResult:
    """A job: its state, its progress and, if it is COMPLETED, its result."""
    return await repository.get(session, job_id)


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    responses={404: NO_SUCH_JOB, 409: {"description": "The job has ended (`job-final`)."}},
)
async def cancel_job(session: Session, job_id: JobId) -> JobWithResult:
    """Cancel a job that is PENDING or RUNNING. Its worker stops within a second or so.

    Files that a cancelled scan has written stay in the catalogue; none is marked missing.
    """
    await repository.cancel(session, job_id)
    return await repository.get(session, job_id)
