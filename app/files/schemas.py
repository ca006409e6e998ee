"""Files, volumes and filters as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.db.keyset import BIGINT_MAX

# PostgreSQL's text cannot hold a NUL, and no name does.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Size = Annotated[int, Field(ge=0, le=BIGINT_MAX)]


class FileFilter(BaseModel):
    """Filters for the list of files."""

    model_config = ConfigDict(extra="forbid")

    volume: Text | None = Field(
        default=None, description="Only files of the volume of this name.", examples=["usr"]
    )
    prefix: Text | None = Field(
        default=None,
        description="Only files whose path begins with this; end a folder with a slash.",
        examples=["share/doc/"],
    )
    name: Text | None = Field(
        default=None, description="Only files whose name begins with this.", examples=["READ"]
    )
    media_type: Text | None = Field(
        default=None, description="Only files of this media type.", examples=["text/plain"]
    )
    size_min: Size | None = Field(default=None, description="Minimum size in bytes.")
    size_max: Size | None = Field(default=None, description="Maximum size in bytes.")
    missing: bool | None = Field(
        default=None,
        description="Only files that the last scan did not find (true), or only those that it "
        "found (false).",
    )
    limit: int = Field(default=100, ge=1, le=1000, description="Maximum number of files.")
    cursor: str | None = Field(default=None, description="`next` of the previous page.")

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
        description="When a scan first found the file missing; null while it exists."
    )


class FilePage(BaseModel):
    """Files in the order of their volume and path."""

    files: list[FileOut]
    next: str | None = Field(
        description="The cursor of the next page; null on the last page.",
        examples=["WzEsInNoYXJlL2RvYy9iYXNoL1JFQURNRSJd"],
    )


class VolumeOut(BaseModel):
    """A volume, with the number and the size of its files."""

    name: str = Field(examples=["usr"])
    root: str = Field(examples=["/usr"])
    configured: bool = Field(
        description="Whether this service may scan it; false if it is only catalogued."
    )
    file_count: int = Field(description="Number of files that are not missing.", examples=[116811])
    size_bytes: int = Field(examples=[5519750651])
    last_seen_at: datetime | None = Field(description="When a scan last saw one of its files.")
    scanned_at: datetime | None = Field(description="When the last scan of the whole volume ended.")


class VolumeList(BaseModel):
    """Every volume that is configured or catalogued, by name."""

    volumes: list[VolumeOut]
