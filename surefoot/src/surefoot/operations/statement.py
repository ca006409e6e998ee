"""StatementOperation is an operation that sends plain statements, so `--sql` writes the same."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic.operations import MigrateOperation, Operations

from surefoot.quoting import in_schema, quoted

_Kind = TypeVar("_Kind", bound=type[MigrateOperation])
# The functions `op.<name>` of these operations.
_OURS: dict[str, Any] = {}


def operation(name: str) -> Callable[[_Kind], _Kind]:
    """Register a class as `op.<name>`, with the arguments and the docstring of the class."""

    def register(kind: _Kind) -> _Kind:
        def invoke(cls: Any, /, operations: Operations, *arguments: Any, **options: Any) -> None:
            operations.invoke(getattr(cls, "called", cls)(*arguments, **options))

        invoke.__name__, invoke.__doc__ = name, kind.__doc__
        setattr(kind, name, classmethod(invoke))
        Operations.register_operation(name)(kind)
        _OURS[name] = vars(Operations)[name]
        return kind

    return register


def take_names() -> None:
    """Let each `op.<name>` be the operation of this library, also where another has taken the name.

    alembic-postgresql-enum registers `op.add_enum_value` too, whenever env.py or a file imports it.
    """
    for name, ours in _OURS.items():
        setattr(Operations, name, ours)


@dataclass(eq=False)
class StatementOperation(MigrateOperation):
    """An operation that is one statement, or a few; `schema` is that of the objects it names."""

    schema: str | None = field(default=None, kw_only=True)

    def whole(self, name: str) -> str:
        """A name in the schema, as SQL writes it."""
        return quoted(in_schema(self.schema, name))

    def sql(self) -> str:
        raise NotImplementedError

    def statements(self) -> Iterable[str]:
        """Each is sent by itself."""
        return (self.sql(),)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The entry in the list that `alembic check` prints."""
        return ("execute", self.sql())


@Operations.implementation_for(StatementOperation)
def _run(operations: Operations, operation: StatementOperation) -> None:
    # SQLAlchemy would take a colon in the statement for a parameter.
    for statement in operation.statements():
        operations.execute(sa.text(statement.replace(":", r"\:")))
