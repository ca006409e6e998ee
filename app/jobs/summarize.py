"""summarize() counts the catalogued files below a folder by media type, and lists the largest."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from app.db.models import File, MediaType
from app.jobs.work import Work

MAX_MEDIA_TYPES = 200


async def summarize(work: Work) -> dict[str, Any]:
    """Do the job and return its result. Missing files are counted separately."""
    below = [File.volume_id == work.lease.volume_id]
    if work.lease.path:
        # From "path/" up to but excluding "path0": 0 is the byte after the slash.
        below += [File.path >= f"{work.lease.path}/", File.path < f"{work.lease.path}0"]
    there = [*below, File.missing_since.is_(None)]
    files, size_bytes = func.count(), func.coalesce(func.sum(File.size_bytes), 0)
    async with work.engine.connect() as connection:
        # One snapshot for all queries, so the parts add up while a scan writes.
        await connection.execution_options(isolation_level="REPEATABLE READ")
        by_type = (
            await connection.execute(
                select(
                    MediaType.name.label("media_type"),
                    files.label("files"),
                    size_bytes.label("size_bytes"),
                )
                .select_from(File)
                .outerjoin(MediaType, MediaType.id == File.media_type_id)
                .where(*there)
                .group_by(MediaType.name)
                .order_by(size_bytes.desc(), MediaType.name)
            )
        ).all()
        missing = await connection.scalar(
            select(func.count()).where(*below, File.missing_since.is_not(None))
        )
        largest = (
            await connection.execute(
                select(File.path, File.size_bytes)
                .where(*there)
                .order_by(File.size_bytes.desc(), File.path)
                .limit(work.lease.parameters.get("largest", 20))
            )
        ).all()
    total = sum(row.files for row in by_type)
    work.progress.done = work.progress.total = total
    return {
        "files": total,
        "size_bytes": sum(int(row.size_bytes) for row in by_type),
        "missing": missing,
        "media_types": [
            {
                "media_type": row.media_type,
                "files": row.files,
                "size_bytes": int(row.size_bytes),
            }
            for row in by_type[:MAX_MEDIA_TYPES]
        ],
        "media_types_count": len(by_type),
        "largest": [dict(row._mapping) for row in largest],
    }
