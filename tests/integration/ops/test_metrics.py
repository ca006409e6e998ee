"""/metrics: what Prometheus reads."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.db.session import session_factory
from harness.databases import Database
from tests.support.service import application, asked, asking
from tests.support.settings import engine, settings_of
from tests.support.sites import IDS, revert


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
