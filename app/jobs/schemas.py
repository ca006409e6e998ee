"""Job requests, jobs and filters as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.db.models import JobStatus

Operation = Literal["scan", "summarize"]
# PostgreSQL's text cannot hold a NUL, and no path does.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class ScanParameters(BaseModel):
    """Options of a scan."""

    model_config = ConfigDict(extra="forbid")

    cross_mounts: bool = Field(
        default=False,
        description="Also enter file systems that are mounted below the folder.",
    )


class SummarizeParameters(BaseModel):
    """Options of a summary."""

    model_config = ConfigDict(extra="forbid")

    largest: int = Field(default=20, ge=0, le=1000, description="Number of largest files to list.")


class NewJob(BaseModel):
    """Work on a volume, or on a folder below its root."""

    model_config = ConfigDict(extra="forbid")

    volume: Text | None = Field(
        default=None,
        description="The name of a configured volume. Without it, `path` is absolute.",
        examples=["usr"],
    )
    path: Text | None = Field(
        default=None,
        max_length=4096,
        description="A folder: relative to the volume's root, or absolute and below the root of "
        "a configured volume. Without it, the whole volume.",
        examples=["/usr/share"],
    )

    @model_validator(mode="after")
    def _names_a_folder(self) -> NewJob:
        if self.volume is None and not self.path:
            raise ValueError("name a `volume`, or an absolute `path`")
        return self


class NewScan(NewJob):
    """Walk the folder and write every regular file below it into the catalogue."""

    operation: Literal["scan"] = Field(examples=["scan"])
    parameters: ScanParameters = ScanParameters()


class NewSummary(NewJob):
    """Count the catalogued files below the folder by media type, and list the largest."""

    operation: Literal["summarize"] = Field(examples=["summarize"])
    parameters: SummarizeParameters = SummarizeParameters()


AnyNewJob = Annotated[NewScan | NewSummary, Field(discriminator="operation")]


class Progress(BaseModel):
    """Progress of a job, in files."""

    done: int
    total: int | None = Field(description="An estimate from the last scan; null if there was none.")


class JobOut(BaseModel):
    """A job."""

    id: int = Field(examples=[17])
    operation: str = Field(examples=["scan"])
    volume: str = Field(examples=["usr"])
    path: str = Field(
        description="Relative to the volume's root; empty for the whole volume.", examples=["share"]
    )
    parameters: dict[str, Any]
    status: JobStatus
    progress: Progress
    attempts: int = Field(description="Number of attempts that a worker has started.")
    error: str | None = Field(description="Why the last attempt failed.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = Field(description="When the last attempt started.")
    finished_at: datetime | None
    duration_s: float | None = Field(description="Seconds from the last start to the end.")


class JobWithResult(JobOut):
    """A job and its result."""

    result: dict[str, Any] | None = Field(
        description="The result of a completed job; its members depend on the operation.",
        examples=[
            {
                "files": 116811,
                "size_bytes": 5519750651,
                "directories": 15442,
                "missing": 0,
                "errors": 0,
                "error_examples": [],
                "mounts_skipped": 0,
                "duration_s": 2.9,
                "files_per_s": 40279,
            }
        ],
    )


class JobFilter(BaseModel):
    """Filters for the list of jobs."""

    model_config = ConfigDict(extra="forbid")

    status: JobStatus | None = Field(default=None, description="Only jobs in this state.")
    operation: Operation | None = Field(default=None, description="Only jobs with this operation.")
    volume: Text | None = Field(default=None, description="Only jobs on the volume of this name.")
    limit: int = Field(default=100, ge=1, le=1000, description="Maximum number of jobs.")
    cursor: str | None = Field(default=None, description="`next` of the previous page.")


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobOut]
    next: str | None = Field(
        description="The cursor of the next page; null on the last page.", examples=["WzE3XQ"]
    )
