"""StatementOperation is an operation that sends one plain statement, so `--sql` writes the same."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import MigrateOperation, Operations


class StatementOperation(MigrateOperation):
    """An operation that is one statement."""

    def sql(self) -> str:
        """The statement."""
        raise NotImplementedError

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The entry in the list that `alembic check` prints."""
        return ("execute", self.sql())


@Operations.implementation_for(StatementOperation)
def _run(operations: Operations, operation: StatementOperation) -> None:
    # SQLAlchemy would take a colon in the statement for a parameter.
    operations.execute(sa.text(operation.sql().replace(":", r"\:")))
