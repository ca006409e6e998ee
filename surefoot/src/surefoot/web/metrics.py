"""The state of the schema as metrics for Prometheus.

They come from the watch: a scrape does not wait for the database and works while it is away.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from surefoot.startup.check import State
from surefoot.startup.watch import Watch
from surefoot.web.backfill_metrics import of_backfills


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
    since = min(watch.pending_since.values(), default=now)
    oldest = "Seconds for which this service has seen a revision pending, of the oldest one."
    yield gauge("schema_oldest_pending_seconds", oldest, (now - since).total_seconds())
    drifted = "Whether the schema differs from the revisions; NaN where that is not known."
    yield gauge("schema_drifted", drifted, math.nan if watch.agrees is None else not watch.agrees)
    broken_off, failed = watch.look.broken_off, "Revisions whose last run failed or did not end."
    yield gauge("schema_failed_revisions", failed, math.nan if broken_off is None else broken_off)
    age_s = (now - watch.checked_at).total_seconds()
    yield gauge("schema_check_age_seconds", "Seconds since the schema was checked last.", age_s)
    yield from of_backfills(watch.look.backfills or (), prefix)
    seen = "Whether migrations can see this service; 0 behind a pooler."
    yield gauge("service_announced", seen, watch.announced)
