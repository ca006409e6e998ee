"""Spans and metrics of runs, of backfills and of the start-up check, for OpenTelemetry.

    run: upgrade -+- wait for the mutex
                  |- revision 0007, with an event for each lock timeout
                  '- revision 0008
    backfill: jobs_priority, with an event for each lap, and whenever it has to wait

Only OpenTelemetry's API is used, where the process has loaded it: it installs the SDK that samples
and exports. Everywhere else every call here returns at once, and nothing is imported. An error is
recorded by its code, because its text may quote rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from surefoot.errors import SurefootError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

NAME = "surefoot"
Attributes = Mapping[str, str | int | float | bool]


class Telemetry:
    """The spans and metrics of one run."""

    def __init__(self, database: str) -> None:
        self._database = {"db.namespace": database}
        # The wait for the mutex or the attempt at a revision that goes on, and its histogram.
        self._part: tuple[Span, float, str, str] | None = None

    @contextmanager
    def run(self, command: str) -> Iterator[None]:
        """A run that lasts as long as the block; spans within it are its children."""
        about = {**self._database, "surefoot.command": command}
        text = "How long runs took, waits included."
        with _timed(f"run: {command}", "surefoot.run.duration", text, about):
            try:
                yield
            except BaseException as error:
                self._end(_code(error))
                raise

    def mutex_waits(self) -> None:
        """Another run holds the mutex; called at each try."""
        if self._part is None:
            text = "How long runs waited for the mutex."
            self._begin("wait for the mutex", "surefoot.mutex.wait", text)

    def mutex_ends(self) -> None:
        """The wait is over: this run has the mutex, or nothing is left to do."""
        self._end("ok")

    def revision_starts(self, revision: str, direction: str) -> None:
        """An attempt at a revision begins; one that was open got no lock."""
        self._end("lock-blocked")
        self._begin(
            f"revision {revision}",
            "surefoot.revision.duration",
            "How long attempts at revisions took.",
            {"surefoot.revision": revision, "surefoot.direction": direction},
        )

    def revision_ends(self) -> None:
        """It is committed."""
        self._end("ok")

    def lock_blocked(self, unit: str, attempt: int) -> None:
        """A lock timeout or a deadlock ended an attempt."""
        if (trace := _api("trace")) is not None:
            span = self._part[0] if self._part else trace.get_current_span()
            span.add_event("lock blocked", {"surefoot.unit": unit, "surefoot.attempt": attempt})
            text = "How often a lock timeout or a deadlock ended an attempt."
            _count("surefoot.lock.retries", text, {**self._database, "surefoot.unit": unit})

    def _begin(self, name: str, metric: str, text: str, about: Attributes | None = None) -> None:
        if (trace := _api("trace")) is not None:
            span = trace.get_tracer(NAME).start_span(name, attributes=about)
            self._part = span, time.monotonic(), metric, text

    def _end(self, outcome: str) -> None:
        if self._part is None:
            return
        (span, since_s, metric, text), self._part = self._part, None
        if outcome != "ok":
            _fail(span, outcome)
        span.end()
        _record(metric, text, since_s, self._database, outcome)


class BackfillTelemetry:
    """The span and the metrics of one process that runs a backfill."""

    def __init__(self, database: str, backfill: str) -> None:
        self._about = {"db.namespace": database, "surefoot.backfill": backfill}

    @contextmanager
    def run(self) -> Iterator[None]:
        """The process works on it as long as the block lasts."""
        name, text = self._about["surefoot.backfill"], "How long processes worked on backfills."
        with _timed(f"backfill: {name}", "surefoot.backfill.duration", text, self._about):
            yield

    def changed(self, rows: int) -> None:
        """A batch of this process has changed so many rows."""
        _count("surefoot.backfill.rows", "Rows that were changed.", self._about, rows)

    def failed(self) -> None:
        """A row could not be changed."""
        text = "Rows that could not be changed."
        _count("surefoot.backfill.failed_rows", text, self._about)

    def lap_ends(self, lap: int, changed: int, skipped: int) -> None:
        """A walk over the table has ended."""
        about = {"surefoot.lap": lap, "surefoot.rows": changed, "surefoot.rows.skipped": skipped}
        _event("lap done", about)

    def held(self, reason: str | None) -> None:
        """No batch begins, for a reason; None: they begin again."""
        _event("goes on" if reason is None else "waits", {"surefoot.reason": reason or ""})


@contextmanager
def startup_check() -> Iterator[Callable[[str], None]]:
    """A span for the start-up check; the block calls the function that it gets with the state."""
    if _api("trace") is None:
        yield lambda _: None
        return
    with _span("schema check at start") as span:
        try:
            yield lambda state: span.set_attribute("surefoot.schema.state", state)
        except BaseException as error:
            _fail(span, _code(error))
            raise


def verdict_changed(database: str, state: str) -> None:
    """A running service found its schema in a new state, or in its first."""
    about = {"db.namespace": database, "surefoot.schema.state": state}
    _count("surefoot.schema.verdicts", "How often the state of the schema changed.", about)


def _api(part: str) -> Any:
    """That module of OpenTelemetry's API; None where the process has not loaded it."""
    return sys.modules.get(f"opentelemetry.{part}")


@contextmanager
def _timed(name: str, metric: str, text: str, about: Attributes) -> Iterator[None]:
    """A span as long as the block, and a histogram of how long blocks take, by outcome."""
    if _api("trace") is None:
        yield
        return
    began_s, outcome = time.monotonic(), "ok"
    with _span(name, {"db.system.name": "postgresql", **about}) as span:
        try:
            yield
        except BaseException as error:
            outcome = _code(error)
            _fail(span, outcome)
            raise
        finally:
            _record(metric, text, began_s, about, outcome)


def _event(name: str, about: Attributes) -> None:
    """An event of the current span."""
    if (trace := _api("trace")) is not None:
        trace.get_current_span().add_event(name, about)


def _span(name: str, about: Attributes | None = None) -> AbstractContextManager[Span]:
    """A span that is the current one; an error is recorded by `_fail` alone."""
    made: AbstractContextManager[Span] = (
        _api("trace")
        .get_tracer(NAME)
        .start_as_current_span(
            name, attributes=about, record_exception=False, set_status_on_exception=False
        )
    )
    return made


def _fail(span: Span, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(_api("trace").StatusCode.ERROR, code)


def _record(name: str, text: str, since_s: float, about: Attributes, outcome: str) -> None:
    if (metrics := _api("metrics")) is not None:
        histogram = metrics.get_meter(NAME).create_histogram(name, "s", text)
        histogram.record(time.monotonic() - since_s, {**about, "surefoot.outcome": outcome})


def _count(name: str, text: str, about: Attributes, by: int = 1) -> None:
    if (metrics := _api("metrics")) is not None:
        metrics.get_meter(NAME).create_counter(name, "1", text).add(by, about)


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, SurefootError) else type(error).__name__
