"""Pages of files while the catalogue changes."""

import asyncio
import random
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import delete, insert

from app.db.engine import create_engine
from app.db.models import File, Volume
from app.db.session import session_factory
from app.files import repository
from app.files.schemas import FileFilter
from harness.databases import Database
from tests.support.service import with_volumes
from tests.support.settings import settings_of

KEPT = 600


@pytest.mark.slow
async def test_what_is_there_all_the_while_is_listed_exactly_once(database: Database) -> None:
    """While others insert and delete before, behind and at the cursor."""
    settings = with_volumes(settings_of(database.url))
    engine = create_engine(settings, "app")
    sessions = session_factory(engine)
    chance = random.Random(1)
    async with sessions.begin() as session:
        volumes = [Volume(name=name, root="/") for name in "ab"]
        session.add_all(volumes)
        await session.flush()
        ids = [volume.id for volume in volumes]

    def row(kind: str) -> dict[str, Any]:
        return {
            "volume_id": chance.choice(ids),
            "path": f"{chance.random():.12f}-{kind}",
            "size_bytes": 1,
            "modified_at": datetime(2026, 11, 22, tzinfo=timezone.utc),
            "mode": 0o644,
        }

    def rows(count: int, kind: str) -> list[dict[str, Any]]:
        return [row(kind) for _ in range(count)]

    kept = rows(KEPT, "kept")
    async with engine.begin() as connection:
        await connection.execute(insert(File), kept)
        await connection.execute(insert(File), rows(KEPT, "gone"))
    over = asyncio.Event()
    written = 0

    async def write() -> None:
        nonlocal written
        while not over.is_set():
            async with engine.begin() as connection:
                await connection.execute(insert(File), rows(20, "new"))
                await connection.execute(
                    delete(File).where(
                        File.path.like(f"0.{chance.randrange(100):02}%"),
                        ~File.path.like("%-kept"),
                    )
                )
            written += 20

    writers = [asyncio.create_task(write()) for _ in range(2)]
    found: list[tuple[str, str]] = []
    cursor = None
    while True:
        async with sessions() as session:
            page = await repository.find(session, FileFilter(limit=17, cursor=cursor), {})
        found += [(file.volume, file.path) for file in page.files]
        cursor = page.next
        if cursor is None:
            break
    over.set()
    await asyncio.gather(*writers)
    await engine.dispose()
    assert written > 100
    assert len(found) == len(set(found))
    assert found == sorted(found)
    names = dict(zip(ids, "ab", strict=True))
    expected = {(names[each["volume_id"]], each["path"]) for each in kept}
    assert expected == {each for each in found if each[1].endswith("-kept")}
