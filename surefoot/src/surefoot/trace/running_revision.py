"""RunningRevision is the revision whose function runs, as the Tracer follows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from surefoot.trace.executed_lines import ExecutedLines
from surefoot.trace.snapshot import Snapshot
from surefoot.trace.statement import Statement


@dataclass
class RunningRevision:
    """The revision whose function runs, or has run last."""

    revision: str
    lines: ExecutedLines
    number: int = 0
    # How often each line has sent a statement.
    sent: Counter[int] = field(default_factory=Counter)
    # The statements of a loop that are looked at together.
    repetition: Measured | None = None
    # Whether it has named the search path.
    moves: bool = False
    # When its last statement ended.
    ended_s: float | None = None
    # From before its first statement, with the relations that there were.
    first: Snapshot | None = None
    known: frozenset[int] = frozenset()

    def begins(self, before: Snapshot) -> None:
        """A statement follows; of interest is the first."""
        if self.first is None:
            self.first, self.known = before, frozenset(before.relations)


@dataclass
class Measured:
    """A statement that has not ended, or those of a loop up to now."""

    statement: Statement
    before: Snapshot
    seconds: float = 0.0
    idle_s: float = 0.0
    times: int = 0
    taken: dict[int, set[str]] = field(default_factory=dict)

    def took(self, seconds: float, times: int) -> None:
        """It, or one of them, has ended, or a message that runs it many times."""
        self.seconds, self.times = self.seconds + seconds, self.times + times
