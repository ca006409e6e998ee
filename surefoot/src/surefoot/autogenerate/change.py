"""Change is one change and its way back, each made of Alembic's own operations.

They are put in order once, for the upgrade. The downgrade takes each back, in reverse order: it
passes through the same states.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.operations import MigrateOperation, ops
from alembic.util import to_list

from surefoot.catalog import Key


class Stage(enum.IntEnum):
    """The order of changes in an upgrade."""

    DROP = 1  # objects that need tables, or block a change of one
    TYPES = 2  # objects that tables need: types, sequences, functions
    AWAY = 3  # defaults and generated columns that block a later change
    ENUMS = 4  # types that are replaced under the tables that use them
    TABLES = 5
    CREATE = 6  # objects that need tables
    STATE = 7  # changes in place, once everything exists
    CLEAN = 8  # objects that no table needs any more


class Change(ops.OpContainer):
    """One change. `ops` does it, `undo` takes it back, both in the order in which they run.

    `action` is done to the object `key`: make, drop, change, or remake for an object that is
    dropped and created again because of another one. A change of Alembic's operations has neither.
    """

    def __init__(
        self,
        stage: Stage,
        do: Sequence[MigrateOperation],
        undo: Sequence[MigrateOperation],
        action: str = "",
        key: Key | None = None,
    ) -> None:
        super().__init__(do)
        self.stage = stage
        self.undo = list(undo)
        self.action = action
        self.key = key

    def reverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.stage, self.undo, self.ops)


@renderers.dispatch_for(Change)
def _render_change(context: AutogenContext, change: Change) -> list[str]:
    return [line for operation in change.ops for line in to_list(render_op(context, operation))]
