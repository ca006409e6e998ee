"""The states that a database may have after a fault, and the one that it has in the end.

before, after   as the undisturbed run has it at one of its revisions
resumable       but for what a step outside a transaction left, which the ledger knows to have begun
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.databases import Database, value
from harness.runs import Result
from harness.states import State
from soak.generator import Step
from surefoot.catalog import Difference, difference
from surefoot.ledger.table import Row, applied
from surefoot.run.locks import mutex

_TOLD = re.compile(r"^[A-Z]+ +\[[a-z-]+\]", re.MULTILINE)
BEGUN = ("started", "failed")
MUTEX = f"SELECT pg_try_advisory_lock({mutex.key()})"


class Wrong(Exception):
    """A state outside {before, after, resumable}, or an end that is not the undisturbed one."""


@dataclass(frozen=True)
class Journey:
    """A command, and every state that an undisturbed run of it comes to, the first one included."""

    start: int
    end: int
    steps: Sequence[Step]
    expected: Mapping[tuple[str, ...], State]
    points: Sequence[str] = field(default=(), repr=False)
    # Whether somebody dropped the ledger's table on the way.
    ledger_lost: bool = False

    @property
    def down(self) -> bool:
        return self.end < self.start

    @property
    def command(self) -> tuple[str, str]:
        """The words after `alembic`."""
        if self.down:
            return "downgrade", self.steps[self.end - 1].id if self.end else "base"
        return "upgrade", self.steps[self.end - 1].id

    @property
    def relative(self) -> tuple[str, str]:
        """The same, counted from where the database is."""
        return self.command[0], f"{self.end - self.start:+}"

    @property
    def path(self) -> list[Step]:
        """The revisions that run, in order."""
        if self.down:
            return list(reversed(self.steps[self.end : self.start]))
        return list(self.steps[self.start : self.end])

    @property
    def last(self) -> tuple[str, ...]:
        return self.heads(len(self.path))

    def heads(self, done: int) -> tuple[str, ...]:
        """Where the database says that it is after so many of the path."""
        at = self.start - done if self.down else self.start + done
        return (self.steps[at - 1].id,) if at else ()

    def __str__(self) -> str:
        return f"{' '.join(self.command)}, from {', '.join(self.heads(0)) or 'base'}"


def classify(left: State, journey: Journey) -> str:
    """`before`, `after` (the first revision, or more) or `resumable`. On failure: Wrong."""
    places = [journey.heads(done) for done in range(len(journey.path) + 1)]
    if left.heads not in places:
        raise Wrong(f"at {left.heads}, which is not on the way")
    done = places.index(left.heads)
    _check_ledger(left.ledger, journey, done)
    expected = journey.expected[left.heads]
    differs = difference(expected.catalog, left.catalog)
    if left.rows != expected.rows:
        raise Wrong(f"rows at {left.heads}: {_changed(expected.rows, left.rows)}")
    if not differs:
        return "after" if done else "before"
    listed = "\n".join(str(item) for item in differs)
    if done == len(journey.path):
        raise Wrong(f"recorded as finished, and is not:\n{listed}")
    step = journey.path[done]
    if not step.is_outside(down=journey.down):
        raise Wrong(f"{step.id} is half done:\n{listed}")
    last = left.ledger[-1] if left.ledger else None
    knows = last is not None and last.revision == step.id and last.outcome in BEGUN
    if not knows and not journey.ledger_lost:
        raise Wrong(f"{step.id} is half done, and the ledger does not know:\n{listed}")
    strange = [str(item) for item in differs if not _is_of(step, item)]
    if strange:
        raise Wrong(f"{step.id} is not alone in what is left:\n" + "\n".join(strange))
    return "resumable"


async def check_end(end: State, journey: Journey, database: Database) -> None:
    """On failure: Wrong, unless it is as if nothing had happened to the run."""
    if end.heads != journey.last:
        raise Wrong(f"ended at {end.heads} instead of {journey.last}")
    differs = end.differs(journey.expected[journey.last])
    if differs:
        raise Wrong(f"ended with another schema or other rows:\n{differs}")
    _check_ledger(end.ledger, journey, len(journey.path))
    if not await value(database.url, MUTEX):
        raise Wrong("the mutex is held")


def died_when_done(result: Result, number: int) -> bool:
    """Whether a signal ended a process whose run was over, and had said so.

    It has given the handlers back by then, and 128 + `number` is what a shell makes of it.
    """
    said = result.err.splitlines()
    return result.code == -number and bool(said) and said[-1].startswith("OK  ")


def check_result(result: Result, allowed: Sequence[int], journey: Journey) -> None:
    """On failure: Wrong, unless a run exited as it may, with words for people."""
    if result.code not in allowed:
        raise Wrong(f"{journey} exited with {result.code}, not {list(allowed)}:\n{result.err}")
    if "Traceback" in result.err:
        raise Wrong(f"{journey} printed a traceback:\n{result.err}")
    if "PendingRollbackError" in result.err:
        raise Wrong(f"{journey} failed for another reason than it says:\n{result.err}")
    if result.code > 0 and not _TOLD.search(result.err):
        raise Wrong(f"{journey} exited with {result.code} without a word:\n{result.err}")
    if result.code < 0 and result.code != -signal.SIGKILL:
        raise Wrong(f"{journey} died of {-result.code}")


def _check_ledger(rows: Sequence[Row], journey: Journey, done: int) -> None:
    """Each revision is recorded once, in order, and what is in force is what the heads stand for.

    A ledger that was lost begins again somewhere on the way.
    """
    # One run may have come to the start, or one for each revision: other rows differ in number.
    before = _applied(journey.expected[journey.heads(0)].ledger)
    wanted = [*before, *(step.id for step in journey.path[:done])]
    found = _applied(rows)
    if found != (wanted[len(wanted) - len(found) :] if journey.ledger_lost else wanted):
        raise Wrong(f"the ledger has {found} as applied instead of {wanted}")
    if rows or not journey.ledger_lost:
        at = journey.start - done if journey.down else journey.start + done
        check_in_force(rows, journey.steps[:at])


def check_in_force(rows: Sequence[Row], steps: Sequence[Step]) -> None:
    """On failure: Wrong, unless the ledger has these revisions in force, and no others."""
    in_force, wanted = sorted(applied(rows)), [step.id for step in steps]
    if in_force != wanted:
        raise Wrong(f"the ledger has {in_force} in force instead of {wanted}")


def _is_of(step: Step, item: Difference) -> bool:
    """Whether a difference is of the index or the partition that the step is about."""
    return re.search(rf"(?:^|\.){step.leaves}(?!\d)", item.name) is not None


def _changed(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    return ", ".join(names)


def _applied(rows: Sequence[Row]) -> list[str]:
    return [row.revision for row in rows if row.outcome == "applied"]
