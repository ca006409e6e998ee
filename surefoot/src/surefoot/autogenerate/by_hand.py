"""The changes that no statement makes: a person makes them, in steps that are listed."""

import sys
from typing import Any

from alembic.operations import ops

from surefoot.autogenerate.rendering import Note


class ByHand(Note):
    """A change that no statement makes, with the steps for a person; no revision is written."""

    def __init__(self, change: str, *steps: str) -> None:
        super().__init__(f"Not written: {change}.")
        self.change, self.steps = change, steps

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("by hand", self.change)

    def told(self) -> str:
        listed = (f"  {number}. {each}" for number, each in enumerate(self.steps, 1))
        asked = "no revision is written for it. By hand, while the service runs:"
        return "\n".join((f"{self.change}; {asked}", *listed))


def leave_out(operations: ops.UpgradeOps) -> None:
    """Tell the changes that a person makes, and leave them out of the revisions."""
    given = [(each, op) for each in operations.ops for op in getattr(each, "ops", ())]
    by_hand = [(each, op) for each, op in given if isinstance(op, ByHand)]
    for each, op in by_hand:
        sys.stderr.write(f"?   {op.told()}\n")
        operations.ops.remove(each)
