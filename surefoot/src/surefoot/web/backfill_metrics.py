"""The backfills of a database as metrics for Prometheus."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from surefoot.startup.backfills import STATES, SeenBackfill


def of_backfills(backfills: Sequence[SeenBackfill], prefix: str) -> Iterator[Metric]:
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
