"""StatementOperation is an operation that sends one plain statement, so `--sql` writes the same."""

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.operations import MigrateOperation, Operations

_Kind = TypeVar("_Kind", bound=type[MigrateOperation])


def operation(name: str) -> Callable[[_Kind], _Kind]:
    """Register a class as `op.<name>`, with the arguments and the docstring of the class."""

    def register(kind: _Kind) -> _Kind:
        def invoke(cls: Any, /, operations: Operations, *arguments: Any, **options: Any) -> None:
            operations.invoke(cls(*arguments, **options))

        invoke.__name__, invoke.__doc__ = name, kind.__doc__
        setattr(kind, name, classmethod(invoke))
        Operations.register_operation(name)(kind)
        return kind

    return register


class StatementOperation(MigrateOperation):
    """An operation that is one statement."""

    def sql(self) -> str:
        raise NotImplementedError

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The entry in the list that `alembic check` prints."""
        return ("execute", self.sql())


@Operations.implementation_for(StatementOperation)
def _run(operations: Operations, operation: StatementOperation) -> None:
    # SQLAlchemy would take a colon in the statement for a parameter.
    operations.execute(sa.text(operation.sql().replace(":", r"\:")))
