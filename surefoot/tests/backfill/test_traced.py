"""OpenTelemetry gets a span and counts of each process that runs a backfill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from harness.backfills import Filling
from surefoot.errors import BackfillRowsFailed


class Told:
    """The spans and the figures since it was made."""

    def __init__(self, spans: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._spans, self._reader = spans, reader

    @property
    def span(self) -> ReadableSpan:
        """The only one."""
        (span,) = self._spans.get_finished_spans()
        return span

    @property
    def points(self) -> dict[str, Any]:
        """The only point of each figure."""
        found = self._reader.get_metrics_data()
        assert found is not None
        scopes = [scope for each in found.resource_metrics for scope in each.scope_metrics]
        points = {m.name: list(m.data.data_points) for scope in scopes for m in scope.metrics}
        assert {len(each) for each in points.values()} == {1}
        return {name: each for name, (each,) in points.items()}


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


@pytest.mark.slow
async def test_a_run(filling: Filling, told: Told) -> None:
    """Its laps are events, and its rows are counted as they are changed."""
    filling.widen()
    await filling.run()
    about = {"db.namespace": filling.database.name, "surefoot.backfill": "wide"}
    assert (told.span.name, told.span.status.is_unset) == ("backfill: wide", True)
    assert told.span.attributes == {"db.system.name": "postgresql", **about}
    laps = [(each.name, dict(each.attributes or {})) for each in told.span.events]
    assert laps == [
        ("lap done", {"surefoot.lap": 1, "surefoot.rows": 1000, "surefoot.rows.skipped": 0}),
    ]
    points = told.points
    assert (points["surefoot.backfill.rows"].value, "surefoot.backfill.failed_rows" in points) == (
        1000,
        False,
    )
    assert points["surefoot.backfill.rows"].attributes == about
    ended = points["surefoot.backfill.duration"]
    assert (ended.count, ended.attributes) == (1, {**about, "surefoot.outcome": "ok"})


@pytest.mark.slow
async def test_rows_that_fail(filling: Filling, told: Told) -> None:
    """The error's code is told, and not its text."""
    filling.widen()
    await filling.connection.execute("ALTER TABLE files ADD CHECK (wide < 998)")
    with pytest.raises(BackfillRowsFailed) as raised:
        await filling.run()
    assert (told.span.attributes or {})["error.type"] == raised.value.code
    assert told.span.status.description == raised.value.code
    points = told.points
    assert points["surefoot.backfill.failed_rows"].value == 2
    assert points["surefoot.backfill.rows"].value == 998
    outcome = points["surefoot.backfill.duration"].attributes["surefoot.outcome"]
    assert outcome == raised.value.code
