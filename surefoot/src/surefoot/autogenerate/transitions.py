"""Transitions: the effect of a revision on each object, as one action, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.change import Change
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import Note
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.kinds import Column, table_of


@dataclass(frozen=True)
class Transition:
    """An action on one object. A created object has no `before`, a dropped one no `after`."""

    action: str
    key: Key
    before: SchemaObject | None = None
    after: SchemaObject | None = None

    @property
    def table(self) -> str:
        """The table that the object belongs to, or the object itself."""
        if self.key.kind == "column":
            return self.key.name.rpartition(".")[0]
        return table_of(self.after or self.before) or self.key.name


def transitions(
    changes: Iterable[MigrateOperation], comparison: Comparison
) -> Iterator[Transition]:
    """The transitions of the changes, in order."""
    for change in changes:
        if isinstance(change, Change) and change.key is not None:
            yield _transition(comparison, change.action, change.key)
        elif isinstance(change, ops.OpContainer):
            for operation in change.ops:
                for transition in _of_operation(comparison, operation):
                    yield _as_left(transition, change)


def _transition(comparison: Comparison, action: str, key: Key) -> Transition:
    return Transition(
        action, key, comparison.followed.objects.get(key), comparison.models.objects.get(key)
    )


def _as_left(transition: Transition, change: MigrateOperation) -> Transition:
    """The drop of a column; its way back shows whether an earlier revision made it nullable."""
    back = change.undo[0] if isinstance(change, Change) and change.undo else None
    if transition.action != "drop" or not isinstance(back, ops.AddColumnOp):
        return transition
    if isinstance(transition.before, Column) and back.column.nullable:
        return replace(transition, before=replace(transition.before, not_null=False))
    return transition


def _added(comparison: Comparison, operation: ops.AddColumnOp) -> Transition:
    """A column as it is added: NOT NULL and the default may follow later."""
    column = operation.column
    transition = _transition(
        comparison, "make", Key("column", f"{operation.table_name}.{column.name}")
    )
    after = transition.after
    if not isinstance(after, Column):
        # Not in the catalog of the models: only Alembic found it.
        after = Column(
            table=str(operation.table_name), name=str(column.name), type=str(column.type),
            collation=None, not_null=False, default=None, generated=None, identity=None,
            comment=None,
        )  # fmt: skip
    if column.nullable:
        after = replace(after, not_null=False)
    if column.server_default is None:
        after = replace(after, default=None)
    return replace(transition, after=after)


def _of_operation(comparison: Comparison, operation: MigrateOperation) -> Iterator[Transition]:
    table = str(getattr(operation, "table_name", ""))
    if isinstance(operation, Note) or getattr(operation, "schema", None) is not None:
        return
    if isinstance(operation, ops.CreateTableOp | ops.DropTableOp):
        made = isinstance(operation, ops.CreateTableOp)
        yield _transition(comparison, "make" if made else "drop", Key("table", table))
    elif isinstance(operation, ops.AddColumnOp):
        yield _added(comparison, operation)
    elif isinstance(operation, ops.DropColumnOp):
        yield _transition(comparison, "drop", Key("column", f"{table}.{operation.column_name}"))
    elif isinstance(operation, ops.AlterColumnOp):
        key = Key("column", f"{table}.{operation.column_name}")
        if operation.modify_type is not None:
            yield _transition(comparison, "retype", key)
        if operation.modify_nullable is not None:
            yield _transition(
                comparison, "nullable" if operation.modify_nullable else "not null", key
            )
        if operation.modify_server_default is not False:
            yield _transition(comparison, "default", key)
        if operation.modify_comment is not False:
            yield _transition(comparison, "comment", key)
    elif isinstance(operation, ops.CreateTableCommentOp | ops.DropTableCommentOp):
        yield _transition(comparison, "comment", Key("table", table))
