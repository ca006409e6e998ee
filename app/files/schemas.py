"""What a file and a volume are to those who ask, and how files are asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.db.keyset import BIGINT_MAX

# PostgreSQL's text cannot hold a NUL, and no name does.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Size = Annotated[int, Field(ge=0, le=BIGINT_MAX)]


class FileFilter(BaseModel):
    """Which files to list."""

    model_config = ConfigDict(extra="forbid")

    volume: Text | None = Field(
        default=None, description="Only files of the volume of this name.", examples=["usr"]
    )
    prefix: Text | None = Field(
        default=None,
        description="Only files whose path in their volume begins so; a folder ends with a slash.",
        examples=["share/doc/"],
    )
    name: Text | None = Field(
        default=None, description="Only files whose name begins so.", examples=["READ"]
    )
    media_type: Text | None = Field(
        default=None, description="Only files of this media type.", examples=["text/plain"]
    )
    size_min: Size | None = Field(default=None, description="Only files of so many bytes or more.")
    size_max: Size | None = Field(default=None, description="Only files of so many bytes or fewer.")
    missing: bool | None = Field(
        default=None,
        description="Only files that the last scan did not find (true), or only those that it "
        "did (false).",
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")
    cursor: str | None = Field(default=None, description="`next` of the page before.")

    @model_validator(mode="after")
    def _sizes_are_in_order(self) -> FileFilter:
        if None not in (self.size_min, self.size_max) and self.size_min > self.size_max:  # type: ignore[operator]
            raise ValueError("size_min is larger than size_max")
        return self


class FileOut(BaseModel):
    """A regular file as its last scan saw it."""

    volume: str = Field(examples=["usr"])
    path: str = Field(
        description="Relative to the volume's root. A byte that is not UTF-8 is written `\\xNN`.",
        examples=["share/doc/bash/README"],
    )
    name: str = Field(examples=["README"])
    size_bytes: int = Field(examples=[4132])
    modified_at: datetime
    mode: str = Field(description="POSIX permission bits, octal.", examples=["0644"])
    media_type: str | None = Field(examples=["text/plain"])
    content_sha256: str | None = Field(description="Hexadecimal; null until it is computed.")
    attributes: dict[str, Any]
    first_seen_at: datetime
    last_seen_at: datetime
    missing_since: datetime | None = Field(
        description="When a scan first found the file gone; null while it is there."
    )


class FilePage(BaseModel):
    """Files in the order of their volume and path."""

    files: list[FileOut]
    next: str | None = Field(
        description="The cursor of the next page; null on the last one.",
        examples=["WzEsInNoYXJlL2RvYy9iYXNoL1JFQURNRSJd"],
    )


class VolumeOut(BaseModel):
    """A volume and what the catalogue holds of it."""

    name: str = Field(examples=["usr"])
    root: str = Field(examples=["/usr"])
    configured: bool = Field(
        description="Whether this service may scan it; false for one that is only catalogued."
    )
    file_count: int = Field(description="Files that are there.", examples=[116811])
    size_bytes: int = Field(examples=[5519750651])
    last_seen_at: datetime | None = Field(description="When a scan last saw a file of it.")
    scanned_at: datetime | None = Field(description="When a scan of the whole volume last ended.")


class VolumeList(BaseModel):
    """Every volume that is configured or catalogued, by name."""

    volumes: list[VolumeOut]
