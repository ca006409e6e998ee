"""OpenTelemetry gets spans of runs and of the start-up check."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.main import create_app
from harness.databases import Database, connect, engine, execute
from surefoot.connect.limits import Limits
from surefoot.errors import DatabaseBehind, UpgradeFailed
from surefoot.run.commands import upgrade
from surefoot.target import Target
from tests.support.settings import settings_of
from tests.support.sites import revert

# The revision that changes api_keys, and those before it.
HEAD, FORMER, START = "0008", "0007", "0006"


class Told:
    """The spans since it was made."""

    def __init__(self, spans: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._spans, self._reader = spans, reader

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order in which they began."""
        return sorted(self._spans.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> ReadableSpan:
        """The one of that name."""
        (span,) = (span for span in self.spans if span.name == name)
        return span

    @property
    def points(self) -> dict[str, list[Any]]:
        """The points of each figure."""
        found = self._reader.get_metrics_data()
        assert found is not None
        scopes = [scope for each in found.resource_metrics for scope in each.scope_metrics]
        return {m.name: list(m.data.data_points) for scope in scopes for m in scope.metrics}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """An SDK that keeps everything in memory, as the process's own."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    # A process sets its providers once; tests come after one another.
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    yield Told(exporter, reader)
    tracers.shutdown()
    meters.shutdown()


@pytest.fixture
async def target(database: Database) -> AsyncIterator[Target]:
    """A database two revisions before that."""
    await revert(database, START)
    async with engine(database.access, "migrate") as made:
        yield Target.of(made)


@pytest.mark.slow
async def test_an_upgrade_is_a_span_with_one_for_each_revision(target: Target, told: Told) -> None:
    """Its parent is the caller's; how long everything took is counted as well."""
    with trace.get_tracer("test").start_as_current_span("release"):
        await upgrade(target, HEAD)
    names = ["release", "run: upgrade", f"revision {FORMER}", f"revision {HEAD}"]
    assert [span.name for span in told.spans] == names
    release, run, *revisions = told.spans
    assert run.parent == release.get_span_context()
    assert [span.parent for span in revisions] == [run.get_span_context()] * 2
    assert run.attributes == {
        "db.system.name": "postgresql",
        "db.namespace": target.name,
        "surefoot.command": "upgrade",
    }
    assert all(span.status.is_unset for span in told.spans)
    points = told.points
    assert points["surefoot.run.duration"][0].attributes["surefoot.outcome"] == "ok"
    assert points["surefoot.revision.duration"][0].count == 2


@pytest.mark.slow
async def test_a_failure_is_told_by_its_code_alone(
    target: Target, told: Told, database: Database
) -> None:
    """The text of an error may quote rows."""
    await execute(database.url, "ALTER TABLE api_keys ADD COLUMN scopes int")
    with pytest.raises(UpgradeFailed):
        await upgrade(target, HEAD)
    for name in ("run: upgrade", f"revision {HEAD}"):
        span = told.named(name)
        assert (span.attributes or {})["error.type"] == "run-failed"
        assert span.status.status_code is trace.StatusCode.ERROR
        assert not span.events
    assert told.named(f"revision {FORMER}").status.is_unset


@pytest.mark.slow
async def test_a_lock_that_was_not_had_is_an_event(
    target: Target, told: Told, database: Database
) -> None:
    """The attempt that met it is a span of its own, and so is the one that got the lock."""
    report = await connect(database.url)
    await report.execute("BEGIN; SELECT count(*) FROM api_keys")
    hasty = replace(target, limits=Limits(lock_timeout_s=0.2, retry_first_s=0.1))
    run = asyncio.create_task(upgrade(hasty, HEAD))
    while not any(span.name == f"revision {HEAD}" for span in told.spans):
        assert not run.done(), run.result()
        await asyncio.sleep(0.05)
    await report.close()
    await run
    first, *_, last = (span for span in told.spans if span.name == f"revision {HEAD}")
    assert [event.name for event in first.events] == ["lock blocked"]
    assert (first.attributes or {})["error.type"] == "lock-blocked"
    assert last.status.is_unset
    (retries,) = told.points["surefoot.lock.retries"]
    assert retries.value >= 1
    assert retries.attributes["surefoot.unit"] == HEAD


@pytest.mark.slow
async def test_waiting_for_the_mutex_is_a_span(
    target: Target, told: Told, database: Database
) -> None:
    """From the first try that did not get it."""
    report = await connect(database.url)
    await report.execute("BEGIN; SELECT count(*) FROM api_keys")
    runs = [asyncio.create_task(upgrade(target, HEAD)) for _ in range(2)]
    await asyncio.sleep(0.5)
    await report.close()
    await asyncio.gather(*runs)
    wait = told.named("wait for the mutex")
    assert wait.status.is_unset
    (point,) = told.points["surefoot.mutex.wait"]
    assert point.count == 1
    assert point.sum > 0


@pytest.mark.slow
async def test_a_service_that_starts_tells_what_it_found(told: Told, database: Database) -> None:
    """The state where it serves, the error's code where it does not."""
    settings = settings_of(database.url).model_copy(
        update={"startup_schema": "refuse", "worker": False}
    )
    service = create_app(settings)
    async with service.router.lifespan_context(service):
        pass
    await revert(database, FORMER)
    service = create_app(settings)
    with pytest.raises(DatabaseBehind):
        async with service.router.lifespan_context(service):
            pass
    served, refused = (span for span in told.spans if span.name == "schema check at start")
    assert (served.attributes or {})["surefoot.schema.state"] == "current"
    assert (refused.attributes or {})["error.type"] == "database-behind"


def test_without_the_api_a_run_is_as_it_was() -> None:
    """Every call does nothing, and loads nothing, where the process has not loaded it."""
    script = (
        "import sys\n"
        "from surefoot.telemetry import *\n"
        "told = Telemetry('d')\n"
        "with told.run('upgrade'), startup_check() as tell:\n"
        "    told.mutex_waits(); told.mutex_ends(); told.revision_starts('1', 'upgrade')\n"
        "    told.lock_blocked('1', 1); told.revision_ends(); tell('current')\n"
        "verdict_changed('d', 'current')\n"
        "print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
