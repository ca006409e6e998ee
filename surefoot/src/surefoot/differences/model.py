"""Drift is the difference between a database and its revisions; Deviation is one object of it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from surefoot.catalog import Difference, Key
from surefoot.frozen import dataclass

Word = Literal["missing", "unexpected", "changed"]


@dataclass(frozen=True)
class Repair:
    """The statements that repair an object, to be run in order and one by one."""

    sql: tuple[str, ...] = ()
    # Whether rows or values are lost for good.
    loses_data: bool = False
    # A warning, or the reason why there is no statement.
    note: str | None = None


@dataclass(frozen=True)
class Deviation:
    """One object that differs, with its members where it is missing or unexpected."""

    key: Key
    word: Word
    differences: tuple[Difference, ...]
    repair: Repair
    # Objects that were dropped or created with it.
    members: tuple[Key, ...] = ()

    @property
    def title(self) -> str:
        """The subject: `index ix_jobs_queue`, `default of column jobs.status`."""
        name = f"{self.key.kind} {self.key.name}"
        parts = [str(each.attribute) for each in self.differences]
        return f"{' and '.join(parts)} of {name}" if self.word == "changed" else name

    def as_json(self) -> Mapping[str, Any]:
        changes = self.differences if self.word == "changed" else ()
        return {
            "word": self.word,
            "kind": self.key.kind,
            "name": self.key.name,
            "changes": [
                {"attribute": each.attribute, "expected": each.expected, "found": each.found}
                for each in changes
            ],
            "members": [{"kind": each.kind, "name": each.name} for each in self.members],
            **asdict(self.repair),
        }


@dataclass(frozen=True)
class Since:
    """The time of a drift: after the end of one run, before the end of another."""

    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class Drift:
    """The deviations of a database from its revisions, and of the models from head."""

    database: str
    revision: str
    deviations: tuple[Deviation, ...]
    since: Since = Since()
    # Deviations of the models from the revisions; None where they were not compared.
    models: tuple[Deviation, ...] | None = None
    # The reason why relations are not where they are compared.
    note: str | None = None
    # Tables that are there, that no revision creates and that the project excludes.
    left_out: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.deviations) + len(self.models or ())

    def as_json(self) -> Mapping[str, Any]:
        return {
            "schema_version": 1,
            "database": self.database,
            "revision": self.revision,
            "since": {name: at and at.isoformat() for name, at in asdict(self.since).items()},
            "differences": [each.as_json() for each in self.deviations],
            "models": None if self.models is None else [each.as_json() for each in self.models],
            "note": self.note,
            "left_out": [*self.left_out],
        }
