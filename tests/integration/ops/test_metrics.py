"""/metrics: what Prometheus reads."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.db.session import session_factory
from harness.databases import Database, connect, execute
from surefoot import Watch
from surefoot.run.commands import upgrade
from surefoot.startup.looks import read_broken_off
from surefoot.target import Target
from surefoot.version_table import VersionTable
from tests.support.service import application, asked, asking
from tests.support.settings import engine, settings_of
from tests.support.sites import IDS, SCOPES, fail, revert


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service on a database of the test's own, in development."""
    settings = settings_of(database.url).model_copy(update={"environment": "development"})
    async with engine(settings, "app") as made:
        service = application(settings, made, session_factory(made))
        await service.state.watch.refresh()
        async with asking(service) as asks:
            yield asks


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    """Every sample by its name and the value of its one label."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        ".".join((sample.name, *list(sample.labels.values())[:1])): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_at_head_the_schema_is_ready(client: httpx.AsyncClient, database: Database) -> None:
    """Every state has its series, so that an alert never waits for one to appear."""
    found = await figures(client)
    assert found["vegafs_schema_ready"] == 1
    assert found["vegafs_schema_pending_revisions"] == 0
    assert found["vegafs_schema_ahead_revisions"] == 0
    assert found["vegafs_schema_state.current"] == 1
    assert sum(value for name, value in found.items() if "schema_state" in name) == 1
    assert found[f"vegafs_schema_info.{IDS[-1]}"] == 1
    assert 0 <= found["vegafs_schema_check_age_seconds"] < 60
    assert found["vegafs_schema_verdict_changes_total.behind"] == 0
    assert found["vegafs_service_announced"] == 0


async def test_a_downgrade_is_seen_in_the_figures(
    client: httpx.AsyncClient, database: Database
) -> None:
    """It is behind by two, and that was one change."""
    await revert(database, IDS[-3])
    watch = asked(client).state.watch
    for _ in range(2):
        await watch.refresh()
    found = await figures(client)
    assert found["vegafs_schema_ready"] == 0
    assert found["vegafs_schema_state.behind"] == 1
    assert found["vegafs_schema_pending_revisions"] == 2
    assert found["vegafs_schema_verdict_changes_total.behind"] == 1


async def test_a_scraper_may_ask_for_openmetrics(client: httpx.AsyncClient) -> None:
    """As Prometheus does."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = await client.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@asynccontextmanager
async def watched(client: httpx.AsyncClient) -> AsyncIterator[Watch]:
    """The watch of the service, on, after its first look and its first comparison."""
    watch: Watch = asked(client).state.watch
    async with watch.on():
        while watch.look.broken_off is None or watch.agrees is None:
            await asyncio.sleep(0.02)
        yield watch


async def test_what_was_not_looked_at_is_not_a_number(client: httpx.AsyncClient) -> None:
    """Before the watch is on nobody knows of drift and failed runs, and no alert takes it for 0."""
    found = await figures(client)
    assert math.isnan(found["vegafs_schema_drifted"])
    assert math.isnan(found["vegafs_schema_failed_revisions"])
    async with watched(client):
        found = await figures(client)
    assert found["vegafs_schema_drifted"] == found["vegafs_schema_failed_revisions"] == 0


@pytest.mark.slow
async def test_a_change_by_hand_is_seen_in_the_figures(
    client: httpx.AsyncClient, database: Database
) -> None:
    """By the comparison that the watch makes; a scrape does not make one."""
    async with watched(client) as watch:
        await execute(database.url, "ALTER TABLE jobs ADD COLUMN by_hand int")
        assert (await figures(client))["vegafs_schema_drifted"] == 0
        while watch.agrees:
            await watch.compared(1)
        assert (await figures(client))["vegafs_schema_drifted"] == 1


@pytest.mark.slow
async def test_a_run_that_failed_is_seen_in_the_figures(
    client: httpx.AsyncClient, database: Database
) -> None:
    """While nobody tries it again; and no longer, once the revision is applied."""
    await fail(database)
    async with watched(client) as watch:
        found = await figures(client)
        assert found["vegafs_schema_failed_revisions"] == 1
        assert found["vegafs_schema_oldest_pending_seconds"] >= 0
        first = watch.pending_since[SCOPES]
        await watch.refresh()
        assert watch.pending_since[SCOPES] == first
    async with engine(settings_of(database.url), "migrate") as made:
        await upgrade(Target.of(made), "head")
    async with watched(client) as watch:
        while watch.look.broken_off:
            await asyncio.sleep(0.02)
        found = await figures(client)
    assert found["vegafs_schema_failed_revisions"] == 0
    assert found["vegafs_schema_oldest_pending_seconds"] == 0


@pytest.mark.slow
async def test_a_run_at_work_has_not_failed(database: Database) -> None:
    """Its revision may be tried again, and a step that has begun may end."""
    await fail(database)
    async with engine(settings_of(database.url), "observe") as made, made.connect() as observing:
        assert await observing.run_sync(read_broken_off) == 1
        runner = await connect(database.url)
        await runner.execute(f"SELECT pg_advisory_lock({VersionTable().mutex_number})")
        assert await observing.run_sync(read_broken_off) == 0
        await runner.close()
