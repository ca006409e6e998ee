"""RevisionPart is what one change comes to in one revision, and when that revision has its turn."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

from surefoot.autogenerate.change import Change

PROVEN = "Reads the rows that were there before; readers and writers go on."
REWRITE = (
    "There is no way to this that writes no row: run it where the table is small, or while nobody "
    "uses it."
)


class Turn(enum.IntEnum):
    """The order of the revisions that one change of the models becomes.

    Up to LATE_VALIDATE nothing goes that a release could miss, but for what has to be out of the
    way of a change.
    """

    RENAME = 0  # what everything else is called
    VALUES = 1  # values of enums, which can be used once they are committed
    BEFORE = 2  # what stands in the way of an index that is dropped
    UNINDEX = 3
    MAIN = 4  # everything that is a change of the catalogue, and what is made together
    REWRITE = 5  # what PostgreSQL does only by writing every row
    INDEX = 6
    SWAP = 7  # indexes that others were built beside
    KEYS = 8  # keys of the indexes that were built, and what refers to them
    VALIDATE = 9
    PROMISE = 10  # no null from now on
    PROVE = 11  # nor before
    REQUIRE = 12
    LATE_KEYS = 13  # keys on columns that had to be NOT NULL first
    LATE_VALIDATE = 14
    CONTRACT = 15  # views, functions and triggers that go
    COLUMNS = 16
    UNREFER = 17  # references of tables that go
    TABLES = 18


class Allowance(NamedTuple):
    """A rule that a revision breaks all the same, and why."""

    rule: str
    reason: str


@dataclass(frozen=True)
class RevisionPart:
    """A change of one revision. Parts of one turn and one group share a revision.

    `title` is what the revision says that it does, where the developer's message says it of
    another; `about` is what has to happen before it runs, or what follows from it; `allow` is
    which rules it breaks because there is no other way.
    """

    change: Change
    turn: Turn
    group: str = ""
    title: str = ""
    about: str = ""
    allow: tuple[Allowance, ...] = ()

    def at(self, turn: Turn) -> RevisionPart:
        """The same at another turn."""
        return replace(self, turn=turn)
