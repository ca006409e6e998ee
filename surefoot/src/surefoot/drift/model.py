"""Drift is what a database has become beside what its revisions give; Deviation is one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from surefoot.catalog import Difference, Key


@dataclass(frozen=True)
class Repair:
    """What would bring an object back: statements in their order, each by itself."""

    sql: tuple[str, ...] = ()
    # Rows or values that nothing brings back go with it.
    loses_data: bool = False
    # What to know before, or why there is no statement.
    note: str | None = None


@dataclass(frozen=True)
class Deviation:
    """One object that is not as expected, with what belongs to it where all of it is."""

    key: Key
    word: Literal["missing", "unexpected", "changed"]
    differences: tuple[Difference, ...]
    repair: Repair
    # The names of what it took along or brought.
    members: tuple[Key, ...] = ()

    @property
    def title(self) -> str:
        """What it is about: `index ix_jobs_queue`, `default of column jobs.status`."""
        name = f"{self.key.kind} {self.key.name}"
        parts = [str(each.attribute) for each in self.differences]
        return f"{' and '.join(parts)} of {name}" if self.word == "changed" else name

    def as_json(self) -> Mapping[str, Any]:
        """The deviation as one JSON object."""
        changes = self.differences if self.word == "changed" else ()
        return {
            "word": self.word,
            "kind": self.key.kind,
            "name": self.key.name,
            "changes": [
                {
                    "attribute": each.attribute,
                    "expected": each.expected,
                    "found": each.found,
                }
                for each in changes
            ],
            "members": [{"kind": each.kind, "name": each.name} for each in self.members],
            **asdict(self.repair),
        }


@dataclass(frozen=True)
class Since:
    """When a database drifted: after the end of one run, and before that of another."""

    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class Drift:
    """One database beside what the revisions up to its own give, and the models beside head."""

    database: str
    revision: str
    deviations: tuple[Deviation, ...]
    since: Since = Since()
    # What the models say and the revisions do not give; None where nobody looked.
    models: tuple[Deviation, ...] | None = None

    @property
    def count(self) -> int:
        """How many places differ."""
        return len(self.deviations) + len(self.models or ())

    def as_json(self) -> Mapping[str, Any]:
        """The drift as one JSON object."""
        return {
            "schema_version": 1,
            "database": self.database,
            "revision": self.revision,
            "since": {
                "after": self.since.after.isoformat() if self.since.after else None,
                "before": self.since.before.isoformat() if self.since.before else None,
            },
            "differences": [each.as_json() for each in self.deviations],
            "models": None if self.models is None else [each.as_json() for each in self.models],
        }
