"""The catalogue's queries for the API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.keyset import read_cursor, write_cursor
from app.db.models import File, MediaType, Volume
from app.errors import VolumeUnknown
from app.files.schemas import FileFilter, FileOut, FilePage, VolumeList, VolumeOut


async def find(
    session: AsyncSession, wanted: FileFilter, configured: Mapping[str, Path]
) -> FilePage:
    """A page of files, in the order of volume and path.

    On failure: VolumeUnknown where the volume is neither catalogued nor configured,
    CursorInvalid.
    """
    statement = (
        select(File, MediaType.name.label("media_type"))
        .outerjoin(MediaType, MediaType.id == File.media_type_id)
        .order_by(File.volume_id, File.path)
        .limit(wanted.limit + 1)
    )
    if wanted.volume is not None:
        volume_id = await _volume_id(session, wanted.volume, configured)
        if volume_id is None:
            return FilePage(files=[], next=None)
        statement = statement.where(File.volume_id == volume_id)
    if wanted.prefix:
        statement = statement.where(File.path.like(_begins_with(wanted.prefix)))
    if wanted.name:
        statement = statement.where(File.name.like(_begins_with(wanted.name)))
    if wanted.media_type is not None:
        of_name = select(MediaType.id).where(MediaType.name == wanted.media_type)
        statement = statement.where(File.media_type_id == of_name.scalar_subquery())
    if wanted.size_min is not None:
        statement = statement.where(File.size_bytes >= wanted.size_min)
    if wanted.size_max is not None:
        statement = statement.where(File.size_bytes <= wanted.size_max)
    if wanted.missing is not None:
        gone = File.missing_since.is_not(None)
        statement = statement.where(gone if wanted.missing else ~gone)
    if wanted.cursor is not None:
        after = read_cursor(wanted.cursor, int, str)
        statement = statement.where(tuple_(File.volume_id, File.path) > tuple(after))
    rows = (await session.execute(statement)).all()
    page = rows[: wanted.limit]
    names = await _names(session, {row.File.volume_id for row in page})
    more = len(rows) > wanted.limit
    return FilePage(
        files=[_shown(row.File, names[row.File.volume_id], row.media_type) for row in page],
        next=write_cursor(page[-1].File.volume_id, page[-1].File.path) if more else None,
    )


async def volumes(session: AsyncSession, configured: Mapping[str, Path]) -> VolumeList:
    """Every volume that is configured or catalogued."""
    # Not from the view volume_usage: sizes of sparse files can add up to more than a bigint.
    rows = await session.execute(
        select(
            Volume,
            func.count(File.id).label("file_count"),
            func.coalesce(func.sum(File.size_bytes), 0).label("size_bytes"),
            func.max(File.last_seen_at).label("last_seen_at"),
        )
        .outerjoin(File, (File.volume_id == Volume.id) & File.missing_since.is_(None))
        .group_by(Volume.id)
    )
    unused = {name.lower(): name for name in configured}
    found = [
        VolumeOut(
            name=row.Volume.name,
            root=row.Volume.root,
            configured=unused.pop(row.Volume.name.lower(), None) is not None,
            file_count=row.file_count,
            size_bytes=int(row.size_bytes),
            last_seen_at=row.last_seen_at,
            scanned_at=row.Volume.scanned_at,
        )
        for row in rows
    ]
    found += [
        VolumeOut(
            name=name,
            root=os.fsencode(configured[name].absolute()).decode("utf-8", "backslashreplace"),
            configured=True,
            file_count=0,
            size_bytes=0,
            last_seen_at=None,
            scanned_at=None,
        )
        for name in unused.values()
    ]
    return VolumeList(volumes=sorted(found, key=lambda volume: volume.name))


async def _volume_id(
    session: AsyncSession, name: str, configured: Mapping[str, Path]
) -> int | None:
    """The catalogued volume of that name; None where it is configured and was never used."""
    volume_id: int | None = await session.scalar(
        select(Volume.id).where(func.lower(Volume.name) == func.lower(name))
    )
    if volume_id is None and name.lower() not in {known.lower() for known in configured}:
        catalogued = await session.scalars(select(Volume.name))
        raise VolumeUnknown(name, sorted({*catalogued, *configured}))
    return volume_id


async def _names(session: AsyncSession, volume_ids: set[int]) -> dict[int, str]:
    rows = await session.execute(
        select(Volume.id, Volume.name).where(Volume.id.in_(sorted(volume_ids)))
    )
    return {row.id: row.name for row in rows}


def _begins_with(prefix: str) -> str:
    """A LIKE pattern: a constant one, from which the planner reads a range of the index."""
    for special in ("\\", "%", "_"):
        prefix = prefix.replace(special, f"\\{special}")
    return f"{prefix}%"


def _shown(file: File, volume: str, media_type: str | None) -> FileOut:
    other = {
        "volume": volume,
        "mode": f"{file.mode:04o}",
        "media_type": media_type,
        "content_sha256": file.content_sha256.hex() if file.content_sha256 else None,
    }
    same = {name: getattr(file, name) for name in FileOut.model_fields if name not in other}
    return FileOut(**other, **same)
