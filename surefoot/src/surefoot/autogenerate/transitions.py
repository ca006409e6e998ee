"""Transitions: the action of a change on each object that it changes."""

from collections.abc import Iterator
from typing import NamedTuple

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.change import Change
from surefoot.catalog import Key


class Transition(NamedTuple):
    """An action on one object; see Change."""

    action: str
    key: Key

    @property
    def column_table(self) -> str:
        """The table of a column, or else the name of the object."""
        return self.key.name.rpartition(".")[0] if self.key.kind == "column" else self.key.name


def transitions(change: MigrateOperation) -> Iterator[Transition]:
    """The transitions of a change, in order."""
    if isinstance(change, Change) and change.key is not None:
        yield Transition(change.action, change.key)
    elif isinstance(change, ops.OpContainer):
        for operation in change.ops:
            if getattr(operation, "schema", None) is None:
                yield from _of_operation(operation)


def _of_operation(operation: MigrateOperation) -> Iterator[Transition]:
    table = str(getattr(operation, "table_name", ""))
    whole = Key("table", table)
    column = Key("column", f"{table}.{getattr(operation, 'column_name', '')}")
    match operation:
        case ops.CreateTableOp():
            yield Transition("make", whole)
        case ops.DropTableOp():
            yield Transition("drop", whole)
        case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            yield Transition("comment", whole)
        case ops.AddColumnOp():
            # NOT NULL may follow later.
            action = "begin" if operation.column.nullable else "make"
            yield Transition(action, Key("column", f"{table}.{operation.column.name}"))
        case ops.DropColumnOp():
            yield Transition("drop", column)
        case ops.AlterColumnOp():
            if operation.modify_type is not None:
                yield Transition("retype", column)
            if operation.modify_nullable is not None:
                yield Transition("nullable" if operation.modify_nullable else "not null", column)
            if operation.modify_server_default is not False:
                yield Transition("default", column)
            if operation.modify_comment is not False:
                yield Transition("comment", column)
