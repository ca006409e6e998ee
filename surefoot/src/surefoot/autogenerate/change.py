"""Change is one change and its way back, each made of Alembic's own operations.

Changes are put in order once, for the upgrade. The downgrade takes each back, in reverse order: it
passes through the same states.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.drafts import Draft
from surefoot.catalog import Key

PROVEN = "Scans the existing rows; blocks neither reads nor writes."
# The end of each sentence about a change that keeps everybody waiting.
WINDOW = "run it where the table is small, or while nobody uses it."


# The key of operations that concern no known object.
UNNAMED = Key("", "")


def rewriting(name: str, what: str = "changed") -> str:
    """The sentence about a change of a table or a column that rewrites the table."""
    return f"{name} cannot be {what} without a rewrite of the table: {WINDOW}"


class Stage(enum.IntEnum):
    """The order of changes in an upgrade."""

    DROP = 1  # objects that need tables, or block a change of one
    TYPES = 2  # objects that tables need: types, sequences, functions
    AWAY = 3  # defaults and generated columns that block a later change
    ENUMS = 4  # types that are replaced under the tables that use them, and what needs these
    TABLES = 5
    CREATE = 6  # objects that need tables
    STATE = 7  # changes in place, once everything exists
    CLEAN = 8  # objects that no table needs any more


class Turn(enum.IntEnum):
    """The order of the revisions of one change of the models.

    Up to LATE_VALIDATE nothing is dropped that a release could miss, except objects that block a
    change.
    """

    EXTENSION = -1  # before all else: an operator may have to create it
    RENAME = 0  # before the rest, which uses the new names
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
    LATE_INDEX = 13  # indexes and keys on columns that must be filled or NOT NULL first
    LATE_KEYS = 14
    LATE_VALIDATE = 15
    CONTRACT = 16  # what is dropped and blocks no other change
    LATE_UNINDEX = 17
    COLUMNS = 18
    UNREFER = 19  # foreign keys of dropped tables
    TABLES = 20


class Change(ops.OpContainer):
    """One change. `ops` does it, `undo` takes it back, both in the order in which they run.

    `action` is done to the object `key`: make, drop, change, or remake for an object that is
    dropped and created again because of another one. Alembic's operations have no action.
    """

    # Whether it has its place among the revisions: it is not divided further.
    is_placed = False
    turn = Turn.MAIN
    # Changes of one turn and one group share a revision.
    group = ""
    # The title of the revision where it does not get the developer's message.
    title = ""
    # A note on preconditions or consequences.
    about = ""
    # For the drop of a foreign key: the key whose exchange it waits for.
    until: Key | None = None
    # The columns that it adds empty, or that have to be filled before it.
    fills: Sequence[Draft] = ()

    def __init__(
        self,
        stage: Stage,
        do: Sequence[MigrateOperation],
        undo: Sequence[MigrateOperation],
        action: str = "",
        key: Key = UNNAMED,
    ) -> None:
        super().__init__(do)
        self.stage = stage
        self.undo = list(undo)
        self.action = action
        self.key = key

    def at(self, turn: Turn, group: str = "", title: str = "", about: str = "") -> Change:
        """The change with its place among the revisions."""
        self.turn, self.group, self.title, self.about = turn, group, title, about
        self.is_placed = True
        return self

    def reverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.stage, self.undo, self.ops)


def in_one(stage: Stage, steps: Sequence[Change], action: str, key: Key) -> Change:
    """One change of several steps; the way back takes the last one back first."""
    do = [each for step in steps for each in step.ops]
    undo = [each for step in reversed(steps) for each in step.undo]
    return Change(stage, do, undo, action, key)
