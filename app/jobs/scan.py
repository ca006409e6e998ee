"""scan() writes every regular file below a folder into the catalogue.

    walk, in a thread --batches--> WRITERS tasks, a connection each --> PostgreSQL

1. A batch goes into a staging table by COPY and from there into `files` by one upsert, in one
   transaction. An interrupted scan leaves whole batches, and the next scan completes them.
   Media types that are new to the scan are added to `media_types` before.
2. While one writer waits for the server, the other fetches the next batch. The walk, the encoding
   and the server work at the same time, and reading stays close to writing.
3. At the end, files that the walk did not see are marked missing. Files below a folder that could
   not be read or was not entered stay unchanged.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.models import File
from app.errors import JobImpossible
from app.jobs.names import listed, on_disk
from app.jobs.walk import Found, Tally, walk
from app.jobs.work import Work

# Two keep two cores busy; a third adds nothing.
WRITERS = 2

# The name has a version: a pooler may give the session to the next release, with other columns.
_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS staged_files_1 (
    path text COLLATE "C", size_bytes bigint, modified_us bigint, mode integer, media_type text
) ON COMMIT DELETE ROWS
"""
# Rows that a stopped worker has locked must not hold up the one that takes its job over. A worker
# that lost its job neither writes what it saw before nor marks files missing.
_BE_BRIEF = "SELECT set_config('idle_in_transaction_session_timeout', :limit, true)"
# Ordered by path, so two scans of the same files cannot deadlock. A folder that changes while it is
# read may list a name twice. A content hash is removed when size or time show a change. The clock
# of the server may go back during a scan.
_UPSERT = """
INSERT INTO files (
    volume_id, path, size_bytes, modified_at, mode, media_type, media_type_id, last_seen_at
)
SELECT DISTINCT ON (path) CAST(:volume_id AS bigint), path, size_bytes,
       timestamptz 'epoch' + modified_us * interval '1 microsecond', mode, media_type,
       media_types.id, greatest(now(), :began)
FROM staged_files_1
LEFT JOIN media_types ON media_types.name = staged_files_1.media_type
WHERE EXISTS (SELECT FROM jobs WHERE id = :job_id AND worker = :worker AND status = 'RUNNING')
ORDER BY path
ON CONFLICT (volume_id, path) DO UPDATE
SET size_bytes = excluded.size_bytes, modified_at = excluded.modified_at, mode = excluded.mode,
    media_type = excluded.media_type, media_type_id = excluded.media_type_id,
    last_seen_at = excluded.last_seen_at, missing_since = NULL,
    content_sha256 = CASE
        WHEN (files.size_bytes, files.modified_at) = (excluded.size_bytes, excluded.modified_at)
        THEN files.content_sha256
    END
"""
# In a transaction of its own, which locks no file: others that add types wait for its end. The lock
# is that of the trigger set_media_type_id.
_LOCK_TYPES = "SELECT pg_advisory_xact_lock('media_types'::regclass::bigint)"
_ADD_TYPES = """
INSERT INTO media_types (name)
SELECT name FROM unnest(CAST(:names AS text[])) AS found (name)
ON CONFLICT (name) DO NOTHING
"""
# `unseen` is sorted, and each path in it ends with a slash: the last one that is not after a file
# is the only one that the file can be below.
_MARK_MISSING = """
UPDATE files SET missing_since = now()
WHERE volume_id = :volume_id AND last_seen_at < :began AND missing_since IS NULL
  AND path >= :first AND (CAST(:after AS text) IS NULL OR path < :after)
  AND starts_with(
      path || '/',
      (CAST(:unseen AS text[]))[width_bucket(path || '/', CAST(:unseen AS text[]))]
  ) IS NOT TRUE
  AND EXISTS (SELECT FROM jobs WHERE id = :job_id AND worker = :worker AND status = 'RUNNING')
"""
_SCANNED = """
UPDATE volumes SET scanned_at = now() WHERE id = :volume_id
  AND EXISTS (SELECT FROM jobs WHERE id = :job_id AND worker = :worker AND status = 'RUNNING')
"""


async def scan(work: Work) -> dict[str, Any]:
    """Do the job and return its result.

    On failure: JobImpossible if the folder cannot be opened; every error of the database.
    """
    began_s = time.monotonic()
    work.progress.total = await _expected(work)
    tally = await _walk_and_write(work)
    missing = await _mark_missing(work, tally)
    elapsed_s = time.monotonic() - began_s
    return {
        "files": tally.files,
        "size_bytes": tally.size_bytes,
        "directories": tally.directories,
        "missing": missing,
        "errors": tally.errors,
        "error_examples": tally.error_examples,
        "mounts_skipped": tally.mounts_skipped,
        "duration_s": round(elapsed_s, 3),
        "files_per_s": round(tally.files / elapsed_s),
    }


async def _walk_and_write(work: Work) -> Tally:
    tally, stop = Tally(), threading.Event()
    batches = walk(
        os.fsencode(_root(work)),
        on_disk(work.lease.path),
        tally,
        batch_rows=work.settings.scan_batch_rows,
        cross_mounts=bool(work.lease.parameters.get("cross_mounts")),
        stop=stop,
    )
    turn = anyio.Lock()
    known: set[str | None] = {None}

    async def write() -> None:
        while True:
            async with turn:
                rows = await anyio.to_thread.run_sync(_next, batches, work, abandon_on_cancel=True)
            if rows is None:
                return
            types = {row.media_type for row in rows} - known
            if types:
                await _add_types(work.engine, types)
                known.update(types)
            await _store(work, rows)
            work.progress.done += len(rows)

    try:
        async with anyio.create_task_group() as writers:
            for _ in range(WRITERS):
                writers.start_soon(write)
    finally:
        # An abandoned thread stops at its next file and closes its descriptors.
        stop.set()
    return tally


def _next(batches: Iterator[list[Found]], work: Work) -> list[Found] | None:
    try:
        return next(batches, None)
    except OSError as error:
        path = Path(listed(os.fsencode(_root(work)))) / work.lease.path
        raise JobImpossible(f"{path} cannot be read: {error.strerror}") from error


async def _add_types(engine: AsyncEngine, names: Collection[str | None]) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(_LOCK_TYPES))
        await connection.execute(text(_ADD_TYPES), {"names": list(names)})


async def _store(work: Work, rows: list[Found]) -> None:
    async with work.engine.begin() as connection:
        # First, and through SQLAlchemy, which begins the transaction; the driver alone would not.
        await connection.execute(text(_BE_BRIEF), _of(work))
        await connection.execute(text(_STAGE))
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table("staged_files_1", records=rows, columns=Found._fields)
        await connection.execute(text(_UPSERT), _of(work))


async def _mark_missing(work: Work, tally: Tally) -> int:
    first, after = _below(work.lease.path)
    unseen: list[str] = []
    for path in sorted(f"{path}/" for path in tally.unseen):
        if not unseen or not path.startswith(unseen[-1]):
            unseen.append(path)
    of_files = {**_of(work), "first": first, "after": after, "unseen": unseen}
    async with work.engine.begin() as connection:
        await connection.execute(text(_BE_BRIEF), of_files)
        marked = await connection.execute(text(_MARK_MISSING), of_files)
        if not work.lease.path:
            await connection.execute(text(_SCANNED), of_files)
    return marked.rowcount


def _of(work: Work) -> dict[str, Any]:
    """The values of the statements that change the catalogue."""
    lease = work.lease
    return {
        "volume_id": lease.volume_id,
        "job_id": lease.job_id,
        "worker": lease.worker,
        "began": lease.started_at,
        "limit": f"{max(1, round(work.settings.worker_lease_s * 1000))}ms",
    }


async def _expected(work: Work) -> int | None:
    """The number of files that the folder had at its last scan."""
    first, after = _below(work.lease.path)
    there = select(func.count()).where(
        File.volume_id == work.lease.volume_id, File.path >= first, File.missing_since.is_(None)
    )
    if after is not None:
        there = there.where(File.path < after)
    async with work.engine.connect() as connection:
        return await connection.scalar(there) or None


def _below(path: str) -> tuple[str, str | None]:
    """The half-open range of paths below a folder, compared as bytes."""
    return (f"{path}/", f"{path}0") if path else ("", None)


def _root(work: Work) -> Path:
    """The root that this process is configured with; the catalogue may name another machine's."""
    configured = {name.lower(): root for name, root in work.settings.volumes.items()}
    return configured[work.lease.volume.lower()].absolute()
