"""RevisionPart is one change within one revision, with the turn of that revision."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple

from surefoot.autogenerate.change import Change

PROVEN = "Scans the existing rows; blocks neither reads nor writes."
REWRITE = (
    "This cannot be done without a rewrite of the table: run it where the table is small, or while "
    "nobody uses it."
)


class Turn(enum.IntEnum):
    """The order of the revisions of one change of the models.

    Up to LATE_VALIDATE nothing is dropped that a release could miss, except objects that block a
    change.
    """

    RENAME = 0  # before all else: the other parts use the new names
    VALUES = 1  # new values of enums, usable once committed
    BEFORE = 2  # objects that block the drop of an index
    UNINDEX = 3
    MAIN = 4  # catalog changes, and objects that are created together
    REWRITE = 5  # changes that need a rewrite
    INDEX = 6
    SWAP = 7  # old indexes, once the new ones are built
    KEYS = 8  # keys from these indexes, and foreign keys to them
    VALIDATE = 9
    PROMISE = 10  # NOT NULL for new rows
    PROVE = 11  # NOT NULL for existing rows
    REQUIRE = 12
    LATE_KEYS = 13  # keys on columns that must be NOT NULL first
    LATE_VALIDATE = 14
    CONTRACT = 15  # views, functions and triggers that are dropped
    COLUMNS = 16
    UNREFER = 17  # foreign keys of dropped tables
    TABLES = 18


class Allowance(NamedTuple):
    """A rule that a revision breaks, and the reason."""

    rule: str
    reason: str


@dataclass(frozen=True)
class RevisionPart:
    """A change in one revision. Parts of one turn and one group share a revision.

    `title` is the title of the revision where it does not get the developer's message; `about` is a
    note on its preconditions or consequences; `allow` are the rules that it cannot avoid breaking.
    """

    change: Change
    turn: Turn
    group: str = ""
    title: str = ""
    about: str = ""
    allow: tuple[Allowance, ...] = ()

    def at(self, turn: Turn) -> RevisionPart:
        """The part with another turn."""
        return replace(self, turn=turn)
