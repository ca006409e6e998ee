"""Scans and summaries of real folders, done by a worker."""

import asyncio
import dataclasses
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.engine import create_engine
from app.db.models import File, JobStatus, Volume
from app.db.session import session_factory
from app.files.repository import find as find_files
from app.files.schemas import FileFilter
from app.jobs import queue, repository
from app.jobs import scan as scan_module
from app.jobs import walk as walk_module
from app.jobs.location import Location
from app.jobs.schemas import JobFilter, JobWithResult
from app.jobs.walk import Tally
from app.jobs.work import Work
from app.jobs.worker import Worker
from app.settings import Settings
from harness.databases import Database
from tests.support.service import plant, with_volumes
from tests.support.settings import settings_of


class Scanner:
    """A volume, a worker, and what the catalogue holds."""

    def __init__(self, engine: AsyncEngine, settings: Settings, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.worker = Worker(engine, settings)
        self.sessions = session_factory(engine)

    async def do(self, operation: str = "scan", path: str = "", **parameters: Any) -> JobWithResult:
        """Queue a job, let the worker do it, and show it."""
        location = Location("data", str(self.root), path)
        async with self.sessions.begin() as session:
            job_id = await repository.create(session, operation, location, parameters)
        assert await self.worker.work_once()
        async with self.sessions() as session:
            return await repository.get(session, job_id)

    async def completed(self, path: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of a scan."""
        job = await self.do("scan", path, **parameters)
        assert job.status is JobStatus.COMPLETED, job.error
        assert job.result is not None
        return job.result

    async def files(self) -> dict[str, File]:
        async with self.sessions() as session:
            return {file.path: file for file in await session.scalars(select(File))}

    async def missing(self) -> set[str]:
        return {path for path, file in (await self.files()).items() if file.missing_since}


@pytest.fixture
async def scanner(database: Database, root: Path) -> AsyncIterator[Scanner]:
    """On a database of its own: writers have connections, and times differ."""
    settings = with_volumes(settings_of(database.url), volumes={"data": root}, scan_batch_rows=7)
    engine = create_engine(settings, "app")
    yield Scanner(engine, settings, root)
    await engine.dispose()


@pytest.mark.slow
async def test_a_scan_catalogues_a_tree(scanner: Scanner, root: Path) -> None:
    """Every regular file with what the disk says of it, in several batches."""
    plant(root, *(f"folder{n % 5}/{n}.txt" for n in range(40)), "top.json")
    os.utime(root / "top.json", (1_600_000_000, 1_600_000_000.5))
    (root / "top.json").chmod(0o600)
    (root / "link").symlink_to("top.json")
    result = await scanner.completed()
    files = await scanner.files()
    size = sum(file.size_bytes for file in files.values())
    assert result.pop("duration_s") > 0
    assert result.pop("files_per_s") > 0
    assert result == {
        "files": 41,
        "size_bytes": size,
        "directories": 6,
        "missing": 0,
        "errors": 0,
        "error_examples": [],
        "mounts_skipped": 0,
    }
    assert set(files) == {*(f"folder{n % 5}/{n}.txt" for n in range(40)), "top.json"}
    top = files["top.json"]
    assert (top.name, top.size_bytes, top.mode, top.media_type) == (
        "top.json",
        8,
        0o600,
        "application/json",
    )
    assert top.modified_at.timestamp() == 1_600_000_000.5
    assert (top.attributes, top.missing_since) == ({}, None)
    assert top.first_seen_at == top.last_seen_at


async def test_the_job_shows_its_progress_and_its_end(scanner: Scanner, root: Path) -> None:
    """The estimate of a second scan is what the first one found."""
    plant(root, "a", "b", "c")
    first = await scanner.do()
    assert (first.progress.done, first.progress.total) == (3, 3)
    assert (first.status, first.attempts, first.error) == (JobStatus.COMPLETED, 1, None)
    assert first.started_at is not None
    assert first.finished_at is not None
    assert first.duration_s == pytest.approx(
        (first.finished_at - first.started_at).total_seconds(), abs=0.001
    )


@pytest.mark.slow
async def test_a_second_scan_keeps_the_first_sight_and_marks_what_is_gone(
    scanner: Scanner, root: Path
) -> None:
    """And what comes back is there again, with the date of its first sight."""
    plant(root, "stays", "changes", "goes", "folder/goes_too")
    await scanner.completed()
    before = await scanner.files()
    (root / "changes").write_bytes(b"longer than it was")
    (root / "goes").unlink()
    shutil.rmtree(root / "folder")
    plant(root, "comes")
    result = await scanner.completed()
    after = await scanner.files()
    assert (result["files"], result["missing"]) == (3, 2)
    assert await scanner.missing() == {"goes", "folder/goes_too"}
    assert after["changes"].size_bytes == 18
    for path in ("stays", "changes"):
        assert after[path].first_seen_at == before[path].first_seen_at
        assert after[path].last_seen_at > before[path].last_seen_at
        assert after[path].id == before[path].id
    assert after["goes"].last_seen_at == before["goes"].last_seen_at

    since = after["goes"].missing_since
    assert (await scanner.completed())["missing"] == 0
    assert (await scanner.files())["goes"].missing_since == since
    plant(root, "goes")
    await scanner.completed()
    again = (await scanner.files())["goes"]
    assert (again.missing_since, again.first_seen_at) == (None, before["goes"].first_seen_at)


@pytest.mark.slow
async def test_a_hash_goes_with_the_content_it_was_of(scanner: Scanner, root: Path) -> None:
    """A scan keeps it where neither size nor time of the file changed."""
    plant(root, "same", "longer", "touched")
    await scanner.completed()
    async with scanner.engine.begin() as connection:
        await connection.execute(update(File).values(content_sha256=bytes(32)))
    (root / "longer").write_bytes(b"longer than it was")
    os.utime(root / "touched", (1, 1))
    await scanner.completed()
    hashes = {path: file.content_sha256 for path, file in (await scanner.files()).items()}
    assert hashes == {"same": bytes(32), "longer": None, "touched": None}


@pytest.mark.slow
async def test_a_scan_of_a_part_leaves_the_rest_alone(scanner: Scanner, root: Path) -> None:
    """Also a folder whose name begins alike; and the volume does not count as scanned."""
    plant(root, "a/1", "a/2", "a-b/3", "a0/4", "ab", "b/5")
    await scanner.completed()
    for path in ("a/1", "a-b/3", "a0/4", "ab", "b/5"):
        (root / path).unlink()
    async with scanner.engine.begin() as connection:
        await connection.execute(update(Volume).values(scanned_at=None))
    result = await scanner.completed("a")
    assert (result["files"], result["missing"]) == (1, 1)
    assert await scanner.missing() == {"a/1"}
    async with scanner.engine.connect() as connection:
        assert await connection.scalar(select(Volume.scanned_at)) is None
    await scanner.completed()
    assert await scanner.missing() == {"a/1", "a-b/3", "a0/4", "ab", "b/5"}
    async with scanner.engine.connect() as connection:
        assert await connection.scalar(select(Volume.scanned_at)) is not None


async def test_what_could_not_be_looked_at_is_not_marked_missing(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be read now was read before; its files may well be there."""
    plant(root, "locked/a", "locked/deep/b", "locked_not/c", "open/d")
    await scanner.completed()
    shutil.rmtree(root / "locked_not")
    (root / "open/d").unlink()
    real = os.open

    def opening(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        if path == b"locked":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opening)
    result = await scanner.completed()
    assert (result["files"], result["missing"], result["errors"]) == (0, 2, 1)
    assert result["error_examples"] == [{"path": "locked", "reason": "Permission denied"}]
    assert await scanner.missing() == {"locked_not/c", "open/d"}


@pytest.mark.slow
async def test_names_that_are_not_utf8_are_catalogued(scanner: Scanner, root: Path) -> None:
    """Escaped, and a folder can be scanned under its escaped name."""
    (root / os.fsdecode(b"f\xff")).mkdir()
    (root / os.fsdecode(b"f\xff/\xe9.txt")).touch()
    assert (await scanner.completed())["files"] == 1
    assert set(await scanner.files()) == {r"f\xff/\xe9.txt"}
    assert (await scanner.completed(r"f\xff"))["files"] == 1
    file = (await scanner.files())[r"f\xff/\xe9.txt"]
    assert (file.name, file.media_type) == (r"\xe9.txt", "text/plain")


@pytest.mark.slow
async def test_a_name_that_a_folder_lists_twice_is_written_once(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As file systems may, of a folder that changes while it is read."""
    plant(root, "a", "b")
    real = walk_module._list

    def twice(*arguments: Any) -> Any:
        for found in real(*arguments):
            yield found
            yield found

    monkeypatch.setattr(walk_module, "_list", twice)
    await scanner.completed()
    assert set(await scanner.files()) == {"a", "b"}


@pytest.mark.sample(2)
@pytest.mark.parametrize("path", ["gone", ""])
async def test_a_folder_that_is_gone_fails_the_job_at_once(
    scanner: Scanner, root: Path, path: str
) -> None:
    """Trying again would not help, and nothing is marked missing."""
    plant(root, "gone/a", "b")
    await scanner.completed()
    shutil.rmtree(root / path)
    job = await scanner.do("scan", path)
    assert (job.status, job.attempts, job.result) == (JobStatus.FAILED, 1, None)
    assert job.error == f"{root / path} cannot be read: No such file or directory"
    assert await scanner.missing() == set()


@pytest.mark.slow
async def test_a_summary_adds_up(scanner: Scanner, root: Path) -> None:
    """By media type, largest first, without what is missing."""
    plant(root, "a/1.txt", "a/22.txt", "a/x.json", "a/gone", "b/other")
    await scanner.completed()
    (root / "a/gone").unlink()
    await scanner.completed()
    job = await scanner.do("summarize", "a", largest=2)
    assert job.result == {
        "files": 3,
        "size_bytes": 23,
        "missing": 1,
        "media_types": [
            {"media_type": "text/plain", "files": 2, "size_bytes": 15},
            {"media_type": "application/json", "files": 1, "size_bytes": 8},
        ],
        "media_types_count": 2,
        "largest": [
            {"path": "a/22.txt", "size_bytes": 8},
            {"path": "a/x.json", "size_bytes": 8},
        ],
    }
    whole = await scanner.do("summarize")
    assert whole.result is not None
    assert (whole.result["files"], whole.progress.done) == (4, 4)
    assert len(whole.result["largest"]) == 4


@pytest.mark.slow
async def test_an_empty_volume_is_scanned_and_summarized(scanner: Scanner) -> None:
    """Nothing is a result."""
    assert (await scanner.completed())["files"] == 0
    job = await scanner.do("summarize")
    assert job.result == {
        "files": 0,
        "size_bytes": 0,
        "missing": 0,
        "media_types": [],
        "media_types_count": 0,
        "largest": [],
    }


@pytest.mark.slow
async def test_overlapping_scans_do_not_lock_each_other_out(
    scanner: Scanner, root: Path, database: Database
) -> None:
    """Two workers, one on the volume and one on a folder of it, again and again."""
    plant(root, *(f"a/{n:03}" for n in range(120)))
    settings = with_volumes(settings_of(database.url), volumes={"data": root}, scan_batch_rows=50)
    workers = [Worker(scanner.engine, settings) for _ in range(2)]
    for _ in range(5):
        async with scanner.sessions.begin() as session:
            for path in ("", "a"):
                await repository.create(session, "scan", Location("data", str(root), path), {})
        await asyncio.gather(*(worker.work_once() for worker in workers))
    async with scanner.engine.connect() as connection:
        states = await connection.scalars(text("SELECT DISTINCT status::text FROM jobs"))
        assert states.all() == ["COMPLETED"]
    assert len(await scanner.files()) == 120
    assert await scanner.missing() == set()


async def test_a_scan_leaves_nothing_in_the_session_it_used(scanner: Scanner, root: Path) -> None:
    """The staging table is empty after every transaction."""
    plant(root, "a", "b")
    await scanner.completed()
    async with scanner.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM staged_files_1")) == 0


@pytest.mark.slow
async def test_the_name_of_a_volume_has_the_case_that_the_server_gives_it(
    scanner: Scanner, root: Path
) -> None:
    """Python makes two letters of this one; a server may make one of it, or leave it."""
    plant(root, "a")
    volumes = {"\u0130": root}
    scanner.worker.settings = with_volumes(scanner.worker.settings, volumes=volumes)
    async with scanner.sessions.begin() as session:
        await repository.create(session, "scan", Location("\u0130", str(root), ""), {})
    assert await scanner.worker.work_once()
    assert set(await scanner.files()) == {"a"}
    async with scanner.sessions() as session:
        wanted = JobFilter(volume="\u0130")
        assert len((await repository.find(session, wanted)).jobs) == 1
        files = await find_files(session, FileFilter(volume="\u0130"), volumes)
    assert [file.path for file in files.files] == ["a"]


@pytest.mark.slow
async def test_a_time_at_the_end_of_the_calendar_can_be_listed(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's arithmetic must not round it into the year 10000, which no datetime holds."""
    plant(root, "late")
    real = walk_module._list

    def later(*arguments: Any) -> Any:
        for found in real(*arguments):
            yield found._replace(modified_us=walk_module._LATEST_US)

    monkeypatch.setattr(walk_module, "_list", later)
    await scanner.completed()
    assert (await scanner.files())["late"].modified_at.year == 9999


@pytest.mark.slow
async def test_a_clock_that_goes_back_marks_nothing_missing(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the scan has seen is not marked missing, also where the clock goes back."""
    plant(root, "a", "b")
    real = queue.take

    async def ahead(*arguments: Any, **named: Any) -> Any:
        lease = await real(*arguments, **named)
        assert lease is not None
        return dataclasses.replace(lease, started_at=lease.started_at + timedelta(hours=1))

    monkeypatch.setattr(queue, "take", ahead)
    assert (await scanner.completed())["missing"] == 0
    assert await scanner.missing() == set()


@pytest.mark.slow
async def test_files_below_folders_that_could_not_be_read_stay(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of folders whose names begin alike, or are between them in the order, do not."""
    names = [f"u{number}" for number in range(200)]
    plant(root, *(f"{name}/deep/f" for name in names), "u1!/x", "u1/deep!/x", "u10x", "gone/f")
    await scanner.completed()
    real = walk_module._list

    def unread(fd: int, folder: bytes, folders: list[bytes], tally: Tally) -> Any:
        found = list(real(fd, folder, folders, tally))
        if folder.count(b"/") == 0 and folder and folder != b"u1!":
            # Read in part: what is below may be in the list, too.
            tally.skipped(folder.decode(), "Input/output error")
            tally.skipped(f"{folder.decode()}/deep", "Input/output error")
            return iter(())
        return iter(found)

    for path in ("gone", "u1!"):
        shutil.rmtree(root / path)
    (root / "u10x").unlink()
    monkeypatch.setattr(walk_module, "_list", unread)
    result = await scanner.completed()
    assert await scanner.missing() == {"gone/f", "u1!/x", "u10x"}
    assert (result["missing"], result["errors"]) == (3, 400)


@pytest.mark.slow
async def test_a_worker_that_lost_its_job_writes_nothing(
    scanner: Scanner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still, another has taken the job over, and what it saw is old."""
    plant(root, "a", "b")
    real = scan_module._store
    stored = asyncio.Event()

    async def late(work: Work, rows: list[walk_module.Found]) -> None:
        async with scanner.engine.begin() as connection:
            await connection.execute(text("UPDATE jobs SET worker = 'another'"))
        await real(work, rows)
        stored.set()

    monkeypatch.setattr(scan_module, "_store", late)
    async with scanner.sessions.begin() as session:
        await repository.create(session, "scan", Location("data", str(root), ""), {})
    assert await scanner.worker.work_once()
    assert stored.is_set()
    assert await scanner.files() == {}
    async with scanner.engine.connect() as connection:
        assert await connection.scalar(select(Volume.scanned_at)) is None


@pytest.mark.slow
async def test_a_worker_that_stands_still_does_not_stop_the_next(
    scanner: Scanner, root: Path
) -> None:
    """The server ends its transaction, and so its locks, when its lease has expired."""
    plant(root, "a")
    await scanner.completed()
    async with scanner.sessions.begin() as session:
        await repository.create(session, "scan", Location("data", str(root), ""), {})
    lease = await queue.take(
        scanner.engine,
        "stopped",
        volumes=["data"],
        operations=["scan"],
        lease_s=0.2,
        max_attempts=3,
    )
    assert lease is not None
    wrote = asyncio.Event()

    class Stopped:
        """An engine whose transactions do not come to their end."""

        @asynccontextmanager
        async def begin(self) -> AsyncIterator[AsyncConnection]:
            async with scanner.engine.begin() as connection:
                yield connection
                wrote.set()
                await asyncio.sleep(60)

    settings = with_volumes(scanner.worker.settings, worker_lease_s=0.2)
    work = Work(cast("AsyncEngine", Stopped()), settings, lease)
    rows = [walk_module.Found("a", 1, 0, 0, None)]
    stopped = asyncio.create_task(scan_module._store(work, rows))
    await wrote.wait()
    await asyncio.sleep(0.4)
    with anyio.fail_after(10):
        assert await scanner.worker.work_once()
    assert (await scanner.files())["a"].mode != 0
    stopped.cancel()
    await asyncio.wait([stopped])
