"""Volumes and the files in them.

`volume_id` leads the primary key, every unique key and every foreign key of `files`, and nothing
refers to a file. The table can therefore be distributed or partitioned by volume with these keys.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, identity, now


class Volume(Base):
    """A named root: a folder of one machine that is scanned into the catalogue."""

    __tablename__ = "volumes"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("root LIKE '/%'", name="root_absolute"),
        Index("uq_volumes_lower_name", func.lower(text("name")), unique=True),
        {"comment": "A named root that is scanned into the catalogue"},
    )

    id: Mapped[identity]
    name: Mapped[str]
    root: Mapped[str] = mapped_column(comment="Absolute path; file paths are relative to it")
    created_at: Mapped[now]
    scanned_at: Mapped[datetime | None] = mapped_column(
        comment="When the last complete scan of the whole volume ended"
    )


class MediaType(Base):
    """A media type that a file has, or had."""

    __tablename__ = "media_types"
    __table_args__ = (
        UniqueConstraint("name"),
        {"comment": "The media types of files"},
    )

    id: Mapped[identity]
    name: Mapped[str]


class File(Base):
    """A regular file as its last scan saw it."""

    __tablename__ = "files"
    __table_args__ = (
        # The order of the listing and its pages; collation C compares bytes and finds prefixes.
        UniqueConstraint("volume_id", "path"),
        CheckConstraint("size_bytes >= 0", name="size_not_negative"),
        CheckConstraint("octet_length(content_sha256) = 32", name="sha256_length"),
        CheckConstraint("path <> '' AND path NOT LIKE '/%'", name="path_relative"),
        Index(
            "ix_files_volume_id_name_pattern",
            "volume_id",
            "name",
            postgresql_ops={"name": "text_pattern_ops"},
        ),
        Index(
            "ix_files_attributes",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
        # Whoever reads media_type_id sees every type.
        CheckConstraint("media_type IS NULL OR media_type_id IS NOT NULL", name="media_type_known"),
        Index("ix_files_volume_id_media_type_size_bytes", "volume_id", "media_type", "size_bytes"),
        Index(
            "ix_files_media_type_id_volume_id_size_bytes",
            "media_type_id",
            "volume_id",
            "size_bytes",
        ),
        {"comment": "A regular file, as its last scan saw it"},
    )

    volume_id: Mapped[int] = mapped_column(
        ForeignKey("volumes.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    path: Mapped[str] = mapped_column(
        Text(collation="C"), comment="Relative to the volume's root, with forward slashes"
    )
    name: Mapped[str] = mapped_column(
        Computed(r"regexp_replace(path, '^.*/', '')", persisted=True),
        comment="The last part of the path",
    )
    size_bytes: Mapped[int]
    modified_at: Mapped[datetime]
    mode: Mapped[int] = mapped_column(Integer, comment="POSIX permission bits")
    # The release before media_types reads it, and writes it alone: a trigger sets media_type_id.
    media_type: Mapped[str | None]
    content_sha256: Mapped[bytes | None] = mapped_column(BYTEA)
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    first_seen_at: Mapped[now]
    last_seen_at: Mapped[now]
    missing_since: Mapped[datetime | None] = mapped_column(
        comment="When a scan first found the file gone; null while it is there"
    )
    media_type_id: Mapped[int | None] = mapped_column(
        ForeignKey("media_types.id"), comment="The row of media_type in media_types"
    )
