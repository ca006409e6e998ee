"""The state of the schema as metrics for Prometheus.

They come from the watch: a scrape does not wait for the database and works while it is away.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from surefoot.startup.backfills import STATES, SeenBackfill
from surefoot.startup.check import State
from surefoot.startup.watch import Watch


def exposition(watch: Watch, now: datetime, accept: str, *, prefix: str) -> tuple[bytes, str]:
    """The metrics in the format that `accept` prefers, and that format's media type."""
    registry = CollectorRegistry()
    registry.register(_Collected(list(metrics(watch, now, prefix))))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def metrics(watch: Watch, now: datetime, prefix: str) -> Iterator[Metric]:
    """The metrics, named `prefix`_…; always the same series, so that an alert never lacks one."""
    verdict = watch.verdict

    def gauge(name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(f"{prefix}_{name}", text, value=value)

    ready = verdict.error is None
    yield gauge("schema_ready", "Whether this build can serve on the schema.", ready)
    states = GaugeMetricFamily(
        f"{prefix}_schema_state", "1 for the state that the schema is in.", labels=["state"]
    )
    changes = CounterMetricFamily(
        f"{prefix}_schema_verdict_changes",
        "How often the state of the schema changed, by the new state.",
        labels=["state"],
    )
    for state in get_args(State):
        states.add_metric([state], state == verdict.state)
        changes.add_metric([state], watch.changes[state])
    yield states
    yield changes
    lacks, unknown = len(verdict.pending), len(verdict.ahead)
    yield gauge(
        "schema_pending_revisions", "Revisions of this build that the database lacks.", lacks
    )
    yield gauge(
        "schema_ahead_revisions",
        "Revisions of the database that this build does not know.",
        unknown,
    )
    yield InfoMetricFamily(
        f"{prefix}_schema",
        "The revision that the database is at, and the one that this build needs.",
        value={
            "database": verdict.database,
            "current": verdict.current or "",
            "expected": verdict.expected,
        },
    )
    age_s = (now - watch.checked_at).total_seconds()
    yield gauge("schema_check_age_seconds", "Seconds since the schema was checked last.", age_s)
    yield from _of_backfills(watch.backfills or (), prefix)
    seen = "Whether migrations can see this service; 0 behind a pooler."
    yield gauge("service_announced", seen, watch.announced)


def _of_backfills(backfills: Sequence[SeenBackfill], prefix: str) -> Iterator[Metric]:
    """The same families always, with a sample for each backfill that has begun."""

    def gauge(name: str, text: str, value: Callable[[SeenBackfill], float]) -> Metric:
        found = GaugeMetricFamily(f"{prefix}_backfill_{name}", text, labels=["backfill"])
        for each in backfills:
            found.add_metric([each.name], value(each))
        return found

    rows = CounterMetricFamily(
        f"{prefix}_backfill_rows_changed",
        "Rows that its batches have changed, in all processes.",
        labels=["backfill"],
    )
    states = GaugeMetricFamily(
        f"{prefix}_backfill_state",
        "1 for the state that the backfill is in.",
        labels=["backfill", "state"],
    )
    for each in backfills:
        rows.add_metric([each.name], each.changed)
        for state in STATES:
            states.add_metric([each.name, state], state == each.state)
    yield rows
    yield states
    yield gauge("rows_failed", "Rows that could not be changed.", lambda each: each.failed)
    yield gauge("lap", "The number of the walk over the table.", lambda each: each.lap)
    yield gauge("lap_share", "The part of the lap that is walked.", lambda each: each.share)
    yield gauge("sessions", "Sessions at work.", lambda each: each.sessions)
    waits = "1 while no batch begins, for a reason."
    yield gauge("waits", waits, lambda each: each.waits is not None)
