"""TracedSession reads Snapshots with prepared statements: planning takes longer than the rest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from sqlalchemy.util.concurrency import await_only

from surefoot.trace.snapshot import (
    ACTIVITY,
    SNAPSHOT,
    Activity,
    Snapshot,
    read_activity,
    read_snapshot,
)

# The question about a schema is planned anew once the answer has grown so many times.
GROWN = 2
_NAMES = itertools.count()


class TracedSession:
    """What a session is asked between two of its statements, inside a greenlet."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._prepared: dict[str, Any] = {}
        # The length of the last answer that came of a new plan.
        self._planned_for = 0

    def state(self) -> Snapshot:
        """What it sees of the schema and of itself, now."""
        document = self._ask(SNAPSHOT)
        if len(document) > GROWN * self._planned_for:
            # A plan for a few tables joins hundreds of them with each other, row by row.
            self._planned_for = len(document)
            del self._prepared[SNAPSHOT]
        return read_snapshot(document)

    def activity(self) -> Mapping[int, Activity]:
        """What it has read and written since the server last counted it."""
        return read_activity(self._ask(ACTIVITY))

    def _ask(self, question: str) -> Any:
        if question not in self._prepared:
            # With a name: the server forgets a statement without one at the next that has none.
            name = f"trace_{next(_NAMES)}"
            self._prepared[question] = await_only(self.driver.prepare(question, name=name))
        return await_only(self._prepared[question].fetchval())
