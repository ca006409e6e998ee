"""Report is what a run did, complete or partial; here is also how it reads on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1
_VERBS = {
    "upgrade": ("APPLY", "applied"),
    "downgrade": ("REVERT", "reverted"),
    "stamp": ("STAMP", "stamped"),
}


@dataclass(frozen=True)
class Step:
    """One revision that was applied, reverted or stamped."""

    revision: str
    title: str
    direction: str
    duration_s: float


@dataclass(frozen=True)
class Report:
    """What a run did to one database."""

    database: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Step, ...]
    duration_s: float

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object, with its figures exact."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


@dataclass(frozen=True)
class Planned:
    """A step that is about to run."""

    revision: str
    title: str
    direction: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Recorder:
    """What a run has done so far, told line by line to `say` and in the end as a Report."""

    def __init__(self, database: str, say: Callable[[str], None]) -> None:
        self.database = database
        self.plan: Sequence[Planned] = ()
        self.steps: list[Step] = []
        self.running: Planned | None = None
        self.before: tuple[str, ...] = ()
        self.after: tuple[str, ...] = ()
        self.verdict_told = False
        self._say = say
        self._started_s = self._step_started_s = time.monotonic()

    def begin(self, before: tuple[str, ...], plan: Sequence[Planned]) -> None:
        """The revisions that the database names, and what is about to run.

        It is called again for each further attempt, which has less to do.
        """
        self.running = None
        if self.steps or self.plan:
            return
        self.before = self.after = before
        self.plan = plan
        if plan:
            word, _ = _VERBS[plan[0].direction]
            noun = "revision" if len(plan) == 1 else "revisions"
            self._say(
                f"{word}  {self.database}: {len(plan)} {noun}, "
                f"{_names(before)} to {_names(plan[-1].after)}"
            )

    def start(self, planned: Planned) -> None:
        """A revision begins."""
        self.running = planned
        self._step_started_s = time.monotonic()

    def done(self) -> None:
        """The running revision is committed."""
        if self.running is None:
            raise RuntimeError("no revision is running")
        planned, self.running = self.running, None
        duration_s = time.monotonic() - self._step_started_s
        # A stamp has no title.
        label = "  ".join(filter(None, (planned.revision, planned.title)))
        self.steps.append(Step(planned.revision, planned.title, planned.direction, duration_s))
        self.after = planned.after
        self._say(f"  {len(self.steps)} of {len(self.plan)}  {label}  {duration(duration_s)}")

    def report(self) -> Report:
        """What was done, from the start of the run to now."""
        return Report(
            self.database,
            self.before,
            self.after,
            tuple(self.steps),
            time.monotonic() - self._started_s,
        )

    def end(self, heads: Collection[str]) -> None:
        """The last line of a run that reached its end, unless its verdict was told already."""
        if self.verdict_told:
            return
        took = duration(time.monotonic() - self._started_s)
        if not self.steps:
            at = "at head " if set(self.after) == set(heads) and heads else "at "
            self._say(f"OK  {self.database} is {at}{_names(self.after)}. Nothing to do. ({took})")
            return
        direction = self.steps[-1].direction
        _, done = _VERBS[direction]
        last = f"OK  {len(self.steps)} {done} in {took}."
        if direction == "upgrade":
            last += f" Undo: alembic downgrade {_names(self.before)}"
        elif direction == "downgrade":
            last += f" Redo: alembic upgrade {_names(self.before)}"
        else:
            last += " The schema is untouched."
        self._say(last)


def duration(seconds: float) -> str:
    """`0.3 s`, `3 min 12 s`, `1 h 04 min`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 0.1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _names(revisions: Sequence[str]) -> str:
    return ", ".join(sorted(revisions)) or "base"
