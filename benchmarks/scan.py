"""Measures a scan end to end: from the queue through the walk into the catalogue with its indexes.

    python benchmarks/scan.py [FOLDER]        /usr by default

It runs on an embedded server of its own, as durable as the one of `vegafs dev`, with the schema
that the revisions make. The peer, in the same run, is the same walk with the way that comes first
to mind: SQLAlchemy's executemany of the same upsert. Each of them fills an empty catalogue and
then scans what it has filled. The files are read once before, so that no disk is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import anyio.to_thread
from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import create_engine
from app.db.models import File, Volume
from app.db.session import session_factory
from app.jobs import repository
from app.jobs.location import Location
from app.jobs.walk import Tally, walk
from app.jobs.worker import Worker
from app.settings import Settings
from surefoot.embedded import EmbeddedServer
from surefoot.run.commands import upgrade
from surefoot.target import Target

TARGET_FILES_PER_S = 20_000
VOLUME = "benchmark"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


async def scan(engine: AsyncEngine, settings: Settings) -> None:
    """A scan as a request queues it and a worker does it."""
    root = str(settings.volumes[VOLUME])
    async with session_factory(engine).begin() as session:
        job_id = await repository.create(session, "scan", Location(VOLUME, root, ""), {})
    await Worker(engine, settings).work_once()
    async with session_factory(engine)() as session:
        job = await repository.get(session, job_id)
    if job.result is None:
        raise SystemExit(f"the scan is {job.status.value}: {job.error}")


async def peer(engine: AsyncEngine, settings: Settings) -> None:
    """The same walk and the same upsert, row by row, by SQLAlchemy's executemany."""
    rows = insert(File)
    upsert = rows.on_conflict_do_update(
        index_elements=["volume_id", "path"],
        set_={
            **{name: rows.excluded[name] for name in ("size_bytes", "modified_at", "mode")},
            "media_type": rows.excluded.media_type,
            "last_seen_at": func.now(),
            "missing_since": None,
        },
    )
    async with session_factory(engine).begin() as session:
        root = settings.volumes[VOLUME]
        volume_id = await session.scalar(select(Volume.id).where(Volume.name == VOLUME))
    batches = walk(
        os.fsencode(root),
        b"",
        Tally(),
        batch_rows=settings.scan_batch_rows,
        stop=threading.Event(),
    )
    while found := await anyio.to_thread.run_sync(next, batches, None):
        values = [
            {
                "volume_id": volume_id,
                "path": file.path,
                "size_bytes": file.size_bytes,
                "modified_at": EPOCH + timedelta(microseconds=file.modified_us),
                "mode": file.mode,
                "media_type": file.media_type,
            }
            for file in found
        ]
        async with engine.begin() as connection:
            await connection.execute(upsert, values)


async def measure(
    name: str,
    run: Callable[[AsyncEngine, Settings], Awaitable[None]],
    engine: AsyncEngine,
    settings: Settings,
) -> float:
    """The seconds of a run, printed with its files."""
    started_s = time.perf_counter()
    await run(engine, settings)
    took_s = time.perf_counter() - started_s
    async with engine.connect() as connection:
        files = await connection.scalar(select(func.count()).select_from(File)) or 0
    print(f"{name:<28}{files:>10,} files{took_s:>9.2f} s{files / took_s:>10,.0f} files/s")
    return took_s


async def compare(settings: Settings) -> bool:
    """Both ways, first into an empty catalogue and then again; True where the target is met."""
    migrator = create_engine(settings, "migrate")
    await upgrade(Target.of(migrator), "head")
    await migrator.dispose()
    engine = create_engine(settings, "app")
    async with session_factory(engine).begin() as session:
        session.add(Volume(name=VOLUME, root=str(settings.volumes[VOLUME])))
    seconds = {}
    for name, run in (("scan", scan), ("peer: executemany", peer)):
        async with engine.begin() as connection:
            await connection.execute(text("TRUNCATE files"))
        for round_name in ("first", "again"):
            seconds[name, round_name] = await measure(
                f"{name}, {round_name}", run, engine, settings
            )
    async with engine.connect() as connection:
        files = await connection.scalar(select(func.count()).select_from(File)) or 0
    await engine.dispose()
    for round_name in ("first", "again"):
        ratio = seconds["peer: executemany", round_name] / seconds["scan", round_name]
        print(f"ratio, {round_name}: {ratio:.1f} times the peer's files per second")
    reached = files / seconds["scan", "first"]
    met = reached >= TARGET_FILES_PER_S
    print(f"target {TARGET_FILES_PER_S:,} files/s: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("/usr"))
    folder = parser.parse_args().folder.resolve()
    read = sum(
        len(batch)
        for batch in walk(
            os.fsencode(folder), b"", Tally(), batch_rows=10_000, stop=threading.Event()
        )
    )
    print(f"{folder}: {read:,} regular files, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="vegafs-benchmark-") as directory:
        server = EmbeddedServer(Path(directory) / "server", remove_at_end=True)
        with server.use() as running:
            settings = Settings(database_url=SecretStr(running.url()), volumes={VOLUME: folder})
            return 0 if asyncio.run(compare(settings)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
