"""The backfill of the catalogue's chain, while services scan a folder.

0008  the release before media_types   | has catalogued the folder, and much more
0010  expand                           | a service scans; `vegafs backfill run` fills the rest
0014  what requires the backfill       | refused until it is complete; the service goes on
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.db.session import session_factory
from app.keys import repository as keys
from harness.databases import Database, engine, execute, value
from tests.support.builds import Build, build
from tests.support.project import run
from tests.support.service import plant, served_by

pytestmark = pytest.mark.slow

NAME = "files_media_type"
EXPANDED = "0010"
FILES, OTHERS = 3000, 40_000
ENDINGS = ("txt", "json", "jpg", "tar.gz", "unknown")
# As that release's scan writes rows.
OLD_UPSERT = """
INSERT INTO files (volume_id, path, size_bytes, modified_at, mode, media_type)
SELECT id, {path}, 1, now(), 420, {media_type} FROM volumes, generate_series(1, {rows}) AS n
WHERE volumes.name = '{volume}'
ON CONFLICT (volume_id, path) DO UPDATE SET media_type = excluded.media_type
"""
OLD_ROWS = f"""
INSERT INTO volumes (name, root) VALUES ('data', '{{root}}'), ('elsewhere', '/elsewhere');
{OLD_UPSERT.format(path="n || '.txt'", media_type="'text/plain'", rows=FILES, volume="data")};
{
    OLD_UPSERT.format(
        path="n || '.x'",
        media_type="CASE WHEN n % 3 > 0 THEN 'application/x-' || n % 50 END",
        rows=OTHERS,
        volume="elsewhere",
    )
}
"""
WRONG = """
SELECT count(*) FROM files LEFT JOIN media_types ON media_types.id = media_type_id
WHERE media_type IS DISTINCT FROM media_types.name
"""
AT = "SELECT version_num FROM alembic_version"


@dataclass
class Service:
    """A service of the expanded schema, and who scans by it."""

    client: httpx.AsyncClient
    root: Path
    scans: int = 0

    async def scan(self) -> None:
        """One scan of the folder, in which a file is new, one is gone, and one is another type."""
        plant(self.root, f"new/{self.scans}.svg")
        (self.root / f"{self.scans + 1}.txt").unlink(missing_ok=True)
        asked = {"operation": "scan", "volume": "data"}
        queued = await self.client.post("/api/v1/jobs", json=asked)
        assert queued.status_code == 201, queued.text
        while (job := await self._job(queued))["status"] in ("PENDING", "RUNNING"):
            await asyncio.sleep(0.05)
        assert job["status"] == "COMPLETED", job
        self.scans += 1

    async def _job(self, queued: httpx.Response) -> dict[str, object]:
        answer = await self.client.get(queued.headers["location"])
        return dict(answer.json())


@pytest.fixture
def expanded(tmp_path: Path) -> Iterator[Build]:
    """This build without the revisions that require the backfill, and those after them."""
    with build(tmp_path / "expanded") as made:
        for path in made.versions.glob("0*.py"):
            if path.name[:4] > EXPANDED:
                path.unlink()
        made.lock()
        yield made


@asynccontextmanager
async def serving(of: Build, database: Database, root: Path) -> AsyncIterator[Service]:
    """A process that serves and scans."""
    async with engine(database.access, "app") as made, session_factory(made).begin() as session:
        key = await keys.create(session, "scans")
    environment = {
        "DATABASE_URL": database.url,
        "VEGAFS_VOLUMES": f"data={root}",
        "VEGAFS_SCAN_BATCH_ROWS": "100",
        "VEGAFS_WORKER_POLL_S": "0.05",
    }
    with served_by(of.forks, **environment) as process:
        url = await asyncio.to_thread(process.wait_until_it_serves)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            yield Service(client, root)
        assert await asyncio.to_thread(process.stop) == 0


async def upgrade(database: Database, to: str) -> tuple[int, str]:
    """The exit code of `alembic upgrade`, and its lines."""
    result = await asyncio.to_thread(run, "alembic", "upgrade", to, DATABASE_URL=database.url)
    return result.code, result.err


async def test_the_rows_are_filled_while_services_scan(
    empty_database: Database, expanded: Build, root: Path
) -> None:
    """Not one row is left without its type, and no scan fails."""
    database = empty_database
    plant(root, *(f"{n}.{ENDINGS[n % len(ENDINGS)]}" for n in range(FILES)))
    assert (await upgrade(database, "0008"))[0] == 0
    await execute(database.url, OLD_ROWS.format(root=root))
    assert (await upgrade(database, EXPANDED))[0] == 0
    code, said = await upgrade(database, "head")
    assert (code, "requires the backfill files_media_type, and it has not run" in said) == (3, True)

    async with serving(expanded, database, root) as service:
        await service.scan()
        # The older release is there as well, and finds a type that nobody had.
        await execute(
            database.url,
            OLD_UPSERT.format(path="'old.new'", media_type="'a/new'", rows=1, volume="data"),
        )
        ran = ("vegafs", "backfill", "run", NAME, "--execute", "--workers", "2")
        running = expanded.forks.start(
            *ran, "--max-rows-per-second", "5000", env={"DATABASE_URL": database.url}
        )
        await service.scan()
        await service.scan()
        code, said = await upgrade(database, "head")
        assert (code, "it is running, not complete" in said) == (3, True), said
        assert await value(database.url, AT) == EXPANDED
        scanned_beside = not running.has_ended
        assert scanned_beside, running.said
        faster = ("vegafs", "backfill", "resume", NAME, "--max-rows-per-second", "1000000")
        resumed = await asyncio.to_thread(run, *faster, DATABASE_URL=database.url)
        assert resumed.code == 0, resumed.err
        while not running.has_ended:
            await service.scan()
        assert running.wait().code == 0, running.said
        assert await value(database.url, WRONG) == 0

        code, said = await upgrade(database, "head")
        assert code == 0, said
        await service.scan()
    assert await value(database.url, WRONG) == 0
    rows = "SELECT count(*) FROM files WHERE media_type_id IS NOT NULL"
    assert await value(database.url, rows) == await value(
        database.url, "SELECT count(*) FROM files WHERE media_type IS NOT NULL"
    )
    again = await asyncio.to_thread(run, *ran, "--json", DATABASE_URL=database.url)
    done = json.loads(again.out.splitlines()[-1])
    assert (again.code, done["complete"], done["changed"]) == (0, True, 0), again
