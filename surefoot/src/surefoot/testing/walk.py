"""Walk is the result of running a chain revision by revision."""

from __future__ import annotations

from dataclasses import dataclass, field

from surefoot.chain.revisions import Revision
from surefoot.errors import SurefootError


@dataclass
class Walk:
    """The revisions that a run along the chain reached, and the errors of those that failed."""

    reached: list[str] = field(default_factory=list)
    errors: dict[str, SurefootError] = field(default_factory=dict)

    def failed(self, revision: Revision, error: SurefootError) -> None:
        """Record the error of a revision; the first one counts."""
        self.errors.setdefault(revision.id, error)

    def check(self, revision: Revision) -> str | None:
        """None where the revision passed, else the reason why it was not tested.

        On failure: the error of the revision.
        """
        if revision.id in self.errors:
            raise self.errors[revision.id]
        if revision.id not in self.reached:
            stopped = next(reversed(self.errors), "a revision before it")
            return f"not reached: {stopped} failed"
        return None
