"""Backfills on the page, in its JSON, in readiness and in the metrics."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from harness.backfills import Filling
from harness.databases import engine
from harness.runs import Launcher
from surefoot import Watch
from surefoot.backfill.control import pause, status
from surefoot.backfill.events import Held, Walked
from surefoot.backfill.files import named
from surefoot.backfill.job import Job
from surefoot.backfill.speed import Speed
from surefoot.errors import BackfillRowsFailed
from surefoot.web import overview_app


@asynccontextmanager
async def served(filling: Filling) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose watch has looked at the backfills."""
    access, build = filling.database.access, filling.project.build()
    async with engine(access, "observe") as made, engine(access, "watch") as watching:
        watch = Watch(watching, build)
        await watch.refresh()
        app = Starlette(routes=overview_app(watch, made, authorize=None).routes)
        transport = httpx.ASGITransport(app)
        async with watch.on(), httpx.AsyncClient(transport=transport, base_url="http://t") as it:
            while watch.look.backfills is None:
                await asyncio.sleep(0.02)
            yield it


async def shown(client: httpx.AsyncClient) -> tuple[Any, str, dict[tuple[str, ...], float]]:
    """The backfills in the JSON, the page, and the samples about backfills by name and labels."""
    seen = (await client.get("/migrations.json")).json()
    page = await client.get("/migrations")
    assert (page.status_code, "<script" in page.text) == (200, False)
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if "backfill" in sample.name
    }
    return seen["backfills"], page.text, samples


def text_of(page: str) -> str:
    """The words of the section about backfills."""
    section = re.search(r'<section aria-labelledby="backfills">(.*?)</section>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", section[1]).split()) if section else ""


@pytest.mark.slow
async def test_none_has_begun(filling: Filling) -> None:
    """Nothing is shown where the database has no tables for them."""
    async with served(filling) as client:
        backfills, page, samples = await shown(client)
        ready = (await client.get("/readyz")).json()
    assert (backfills, text_of(page), samples, ready["backfills"]) == ([], "", {}, [])


@pytest.mark.slow
async def test_one_that_runs(filling: Filling) -> None:
    """A bar with a label, rows, rate, time left, and the command that pauses it."""
    filling.widen(batch_rows=(10, 10))
    stop, going = asyncio.Event(), asyncio.Event()

    def moves(event: object) -> bool:
        if isinstance(event, Walked) and event.rows_per_s and event.left_s:
            going.set()
        return False

    running = asyncio.create_task(filling.run(stop=stop, until=moves, max_rows_per_second=40))
    await going.wait()
    async with served(filling) as client:
        (seen,), page, samples = await shown(client)
        (ready,) = (await client.get("/readyz")).json()["backfills"]
    stop.set()
    result = await running
    assert (seen["name"], seen["table"], seen["state"], seen["sessions"]) == (
        "wide",
        "files",
        "running",
        1,
    )
    assert 0 < seen["changed"] <= result.changed < 1000
    assert (seen["total"], seen["share"]) == (1000, seen["walked"] / 1000)
    assert (seen["rows_per_s"] > 0, seen["left_s"] > 0, seen["waits"]) == (True, True, None)
    assert seen["command"] == "surefoot backfill pause wide"
    assert re.search(
        r"running wide on files Lap 1: \d+ % of about 1,000 rows walked \d+ rows changed, \d+ a "
        r"second, about \S.* left of this lap\. Sessions at work: 1\. Began .* surefoot backfill",
        text_of(page),
    ), text_of(page)
    assert '<label for="backfill-1">' in page
    assert '<progress id="backfill-1" max="100"' in page
    assert ready["name"] == "wide"
    assert 0 < samples["surefoot_backfill_rows_changed_total", "wide"] <= result.changed
    assert samples["surefoot_backfill_state", "wide", "running"] == 1
    assert samples["surefoot_backfill_state", "wide", "complete"] == 0
    assert samples["surefoot_backfill_lap", "wide"] == 1
    assert 0 < samples["surefoot_backfill_lap_share", "wide"] < 1
    assert samples["surefoot_backfill_sessions", "wide"] == 1
    assert samples["surefoot_backfill_waits", "wide"] == 0


@pytest.mark.slow
async def test_interrupted_paused_and_complete(filling: Filling) -> None:
    """Each names the next command; those that are complete are folded away."""
    filling.widen(batch_rows=(10, 10))
    await filling.run(until=lambda event: isinstance(event, Walked), max_rows_per_second=10)
    access, project = filling.database.access, filling.project
    async with served(filling) as client:
        (seen,), page, _ = await shown(client)
        assert (seen["state"], seen["command"]) == (
            "interrupted",
            "surefoot backfill run wide --execute",
        )
        assert "no process is at work on it" in page
        await pause(named(project, "wide"), access, project, "ann@host")
        (seen,), page, _ = await shown(client)
        assert (seen["state"], seen["command"]) == ("paused", "surefoot backfill resume wide")
        assert "No batch begins: paused by ann@host" in text_of(page)
    await filling.connection.execute("UPDATE alembic_version_backfills SET state = 'running'")
    await filling.run(max_rows_per_second=1e6)
    async with served(filling) as client:
        (seen,), page, samples = await shown(client)
    assert (seen["state"], seen["share"], seen["command"]) == ("complete", 1, None)
    assert text_of(page).startswith("Backfills 1 complete complete wide on files: 1,000 rows")
    assert samples["surefoot_backfill_state", "wide", "complete"] == 1


@pytest.mark.slow
async def test_a_process_that_was_killed(filling: Filling, launcher: Launcher) -> None:
    """Its sessions end with it: the backfill is interrupted."""
    filling.widen(batch_rows=(10, 10))
    arguments = ("backfill", "run", "wide", "--execute", "--max-rows-per-second", "40")
    url, wide = filling.database.url, named(filling.project, "wide")
    run = await launcher.start(filling.chain, *arguments, url=url, program="surefoot")
    while await filling.left() == 1000:
        await asyncio.sleep(0.02)
    access, project = filling.database.access, filling.project
    assert (await status(wide, access, project)).state == "running"
    run.signal(signal.SIGKILL)
    await run.end()
    async with served(filling) as client:
        while (await shown(client))[0][0]["state"] != "interrupted":
            await asyncio.sleep(0.02)
    found = await status(wide, access, project)
    assert (found.state, found.sessions, found.processes) == ("interrupted", [], 0)


@pytest.mark.slow
async def test_rows_that_failed(filling: Filling) -> None:
    """They need attention."""
    filling.widen()
    await filling.connection.execute("ALTER TABLE files ADD CHECK (wide < 998)")
    with pytest.raises(BackfillRowsFailed):
        await filling.run()
    async with served(filling) as client:
        (seen,), page, samples = await shown(client)
    assert (seen["state"], seen["failed"]) == ("failed", 2)
    assert seen["command"] == "surefoot backfill retry-failed wide --execute"
    assert "2 rows could not be changed." in text_of(page)
    assert "2 rows of files could not be changed" in page
    assert samples["surefoot_backfill_rows_failed", "wide"] == 2


@pytest.mark.slow
async def test_why_no_batch_begins(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that waits keeps the reason in the database, where everybody reads it."""
    filling.widen(batch_rows=(10, 10))
    why, hold, stop = "replica eu-2 is 14 s behind", Job.hold, asyncio.Event()
    held = asyncio.Event()
    monkeypatch.setattr(Job, "hold", lambda job, reason: hold(job, reason or why))

    def waits(event: object) -> bool:
        if isinstance(event, Walked) and event.held:
            held.set()
        return False

    running = asyncio.create_task(filling.run(stop=stop, until=waits, max_rows_per_second=40))
    await held.wait()
    async with served(filling) as client:
        (seen,), page, _ = await shown(client)
    wide = named(filling.project, "wide")
    found = await status(wide, filling.database.access, filling.project)
    stop.set()
    await running
    assert Held("wide", why) in filling.told
    assert (seen["waits"], found.waits, seen["state"]) == (why, why, "running")
    assert f"No batch begins: {why}" in text_of(page)
    found = await status(wide, filling.database.access, filling.project)
    assert (found.state, found.waits, found.as_json()["held"]) == ("interrupted", None, None)


@pytest.mark.slow
async def test_tables_that_may_not_be_read(filling: Filling) -> None:
    """That part of the page says so; the watch does not know, and the service is ready."""
    filling.widen()
    await filling.run()
    await filling.connection.execute(
        "ALTER TABLE alembic_version_backfills RENAME COLUMN held TO elsewhere"
    )
    access = filling.database.access
    async with engine(access, "observe") as made, engine(access, "watch") as watching:
        watch = Watch(watching, filling.project.build())
        await watch.refresh()
        app = Starlette(routes=overview_app(watch, made, authorize=None).routes)
        transport = httpx.ASGITransport(app)
        async with watch.on(), httpx.AsyncClient(transport=transport, base_url="http://t") as it:
            await asyncio.sleep(0.3)
            page = (await it.get("/migrations")).text
            ready = (await it.get("/readyz")).json()
    assert "not read : " in text_of(page) or "not read: " in text_of(page)
    assert (ready["status"], ready["backfills"]) == ("ready", None)


def test_speed() -> None:
    """The rate of the last moments of one lap; unknown at first, and while nothing moves."""
    speed = Speed()
    assert speed.look(10.0, 1, 0, 0, 1000) == (None, None)
    assert speed.look(11.0, 1, 50, 100, 1000) == (50.0, 9.0)
    assert speed.look(12.0, 1, 100, 200, 1000) == (50.0, 8.0)
    assert speed.look(13.0, 2, 100, 0, 1000) == (None, None)
    assert speed.look(14.0, 2, 100, 0, 1000) == (0.0, None)
    # The table has more rows than the statistics say.
    assert speed.look(15.0, 2, 100, 1000, 1000) == (0.0, None)
