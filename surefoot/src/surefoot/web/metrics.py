"""What the watch knows of the schema, as Prometheus reads it.

The database is not asked: a scrape is answered at once, and while the database is away too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from surefoot.startup.check import State
from surefoot.startup.watch import Watch


def exposition(watch: Watch, now: datetime, accept: str) -> tuple[bytes, str]:
    """The figures in the format that `accept` prefers, and that format's media type."""
    registry = CollectorRegistry()
    registry.register(_Figures(list(figures(watch, now))))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Figures(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def figures(watch: Watch, now: datetime) -> Iterator[Metric]:
    """One metric for each fact, always the same ones, so that an alert never lacks a series."""
    verdict = watch.verdict
    yield GaugeMetricFamily(
        "vegafs_schema_ready",
        "Whether this build can serve on the schema.",
        value=verdict.error is None,
    )
    states = GaugeMetricFamily(
        "vegafs_schema_state", "1 for the state that the schema is in.", labels=["state"]
    )
    changes = CounterMetricFamily(
        "vegafs_schema_verdict_changes",
        "How often the verdict on the schema became another one, by its new state.",
        labels=["state"],
    )
    for state in get_args(State):
        states.add_metric([state], state == verdict.state)
        changes.add_metric([state], watch.changes[state])
    yield states
    yield changes
    yield GaugeMetricFamily(
        "vegafs_schema_pending_revisions",
        "Revisions of this build that the database lacks.",
        value=len(verdict.pending),
    )
    yield GaugeMetricFamily(
        "vegafs_schema_ahead_revisions",
        "Revisions of the database that this build does not know.",
        value=len(verdict.ahead),
    )
    yield InfoMetricFamily(
        "vegafs_schema",
        "The revision that the database is at, and the one that this build needs.",
        value={
            "database": verdict.database,
            "current": verdict.current or "",
            "expected": verdict.expected,
        },
    )
    yield GaugeMetricFamily(
        "vegafs_schema_check_age_seconds",
        "How long ago the schema was looked at last.",
        value=(now - watch.checked_at).total_seconds(),
    )
    yield GaugeMetricFamily(
        "vegafs_service_announced",
        "Whether migrations can see this service; not behind a pooler.",
        value=watch.announced,
    )
