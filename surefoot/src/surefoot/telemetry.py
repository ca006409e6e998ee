"""Spans and metrics of runs and of the start-up check, for OpenTelemetry.

    run: upgrade -+- wait for the mutex
                  |- revision 0007, with an event for each lock timeout
                  '- revision 0008

Only OpenTelemetry's API is used; the process installs the SDK that samples and exports. Without the
API (the extra `otel`) every call here returns at once. An error is recorded by its code, because
its text may quote rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surefoot.errors import SurefootError

try:
    from opentelemetry import metrics, trace
except ImportError:
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

if TYPE_CHECKING:
    from opentelemetry.trace import Span

NAME = "surefoot"
Attributes = Mapping[str, str | int | float | bool]


class Telemetry:
    """The spans and metrics of one run."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._revision: Span | None = None
        self._wait: Span | None = None
        self._since_s = 0.0

    @contextmanager
    def run(self, command: str) -> Iterator[None]:
        """A run that lasts as long as the block; spans within it are its children."""
        if not IS_INSTALLED:
            yield
            return
        began_s, outcome = time.monotonic(), "ok"
        about = {"db.namespace": self._database, "surefoot.command": command}
        with trace.get_tracer(NAME).start_as_current_span(
            f"run: {command}",
            attributes={"db.system.name": "postgresql", **about},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                outcome = _code(error)
                self._end_wait(outcome)
                self._end_revision(outcome)
                _fail(span, outcome)
                raise
            finally:
                _record(
                    "surefoot.run.duration",
                    "How long runs took, waits included.",
                    time.monotonic() - began_s,
                    {**about, "surefoot.outcome": outcome},
                )

    def mutex_waits(self) -> None:
        """Another run holds the mutex; called at each try."""
        if IS_INSTALLED and self._wait is None:
            self._wait = trace.get_tracer(NAME).start_span("wait for the mutex")
            self._since_s = time.monotonic()

    def mutex_ends(self) -> None:
        """The wait is over: this run has the mutex, or nothing is left to do."""
        self._end_wait("ok")

    def revision_starts(self, revision: str, direction: str) -> None:
        """An attempt at a revision begins; one that was open got no lock."""
        if not IS_INSTALLED:
            return
        self._end_revision("lock-blocked")
        self._revision = trace.get_tracer(NAME).start_span(
            f"revision {revision}",
            attributes={"surefoot.revision": revision, "surefoot.direction": direction},
        )
        self._since_s = time.monotonic()

    def revision_ends(self) -> None:
        """It is committed."""
        self._end_revision("ok")

    def lock_blocked(self, unit: str, attempt: int) -> None:
        """A lock timeout or a deadlock ended an attempt."""
        if not IS_INSTALLED:
            return
        attributes: Attributes = {"surefoot.unit": unit, "surefoot.attempt": attempt}
        (self._revision or trace.get_current_span()).add_event("lock blocked", attributes)
        metrics.get_meter(NAME).create_counter(
            "surefoot.lock.retries", "1", "How often a lock timeout or a deadlock ended an attempt."
        ).add(1, {"db.namespace": self._database, "surefoot.unit": unit})

    def _end_wait(self, outcome: str) -> None:
        self._end(self._wait, outcome, "surefoot.mutex.wait", "runs waited for the mutex")
        self._wait = None

    def _end_revision(self, outcome: str) -> None:
        name = "surefoot.revision.duration"
        self._end(self._revision, outcome, name, "attempts at revisions took")
        self._revision = None

    def _end(self, span: Span | None, outcome: str, name: str, subject: str) -> None:
        if span is None:
            return
        if outcome != "ok":
            _fail(span, outcome)
        span.end()
        attributes = {"db.namespace": self._database, "surefoot.outcome": outcome}
        _record(name, f"How long {subject}.", time.monotonic() - self._since_s, attributes)


@contextmanager
def startup_check() -> Iterator[Callable[[str], None]]:
    """A span for the start-up check; the block calls the function that it gets with the state."""
    if not IS_INSTALLED:
        yield lambda _: None
        return
    with trace.get_tracer(NAME).start_as_current_span(
        "schema check at start", record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield lambda state: span.set_attribute("surefoot.schema.state", state)
        except BaseException as error:
            _fail(span, _code(error))
            raise


def verdict_changed(database: str, state: str) -> None:
    """A running service found its schema in a new state, or in its first."""
    if IS_INSTALLED:
        metrics.get_meter(NAME).create_counter(
            "surefoot.schema.verdicts", "1", "How often the state of the schema changed."
        ).add(1, {"db.namespace": database, "surefoot.schema.state": state})


def _fail(span: Span, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(trace.StatusCode.ERROR, code)


def _record(name: str, description: str, seconds: float, attributes: Attributes) -> None:
    metrics.get_meter(NAME).create_histogram(name, "s", description).record(seconds, attributes)


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, SurefootError) else type(error).__name__
