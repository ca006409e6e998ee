"""Transitions: the effect of a revision on each object, as one action, before and after."""

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
    before, after = comparison.followed.objects.get(key), comparison.models.objects.get(key)
    return Transition(action, key, before, after)


def _as_left(transition: Transition, change: MigrateOperation) -> Transition:
    """The drop of a column; its way back shows whether an earlier revision made it nullable."""
    back, before = change.undo[:1] if isinstance(change, Change) else [], transition.before
    optional = any(isinstance(each, ops.AddColumnOp) and each.column.nullable for each in back)
    if transition.action != "drop" or not isinstance(before, Column) or not optional:
        return transition
    return replace(transition, before=replace(before, not_null=False))


def _added(comparison: Comparison, operation: ops.AddColumnOp) -> Transition:
    """A column as it is added: NOT NULL and the default may follow later."""
    column, table = operation.column, str(operation.table_name)
    transition = _transition(comparison, "make", Key("column", f"{table}.{column.name}"))
    after = transition.after
    if not isinstance(after, Column):
        # Not in the catalog of the models: only Alembic found it.
        none = dict.fromkeys(("collation", "default", "generated", "identity", "comment"))
        name, kind = str(column.name), str(column.type)
        after = Column(table=table, name=name, type=kind, not_null=False, **none)
    if column.nullable:
        after = replace(after, not_null=False)
    if column.server_default is None:
        after = replace(after, default=None)
    return replace(transition, after=after)


def _of_operation(comparison: Comparison, operation: MigrateOperation) -> Iterator[Transition]:
    table = str(getattr(operation, "table_name", ""))
    whole = Key("table", table)
    column = Key("column", f"{table}.{getattr(operation, 'column_name', '')}")
    found: list[tuple[str, Key]] = []
    if isinstance(operation, Note) or getattr(operation, "schema", None) is not None:
        return
    match operation:
        case ops.CreateTableOp():
            found = [("make", whole)]
        case ops.DropTableOp():
            found = [("drop", whole)]
        case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            found = [("comment", whole)]
        case ops.AddColumnOp():
            yield _added(comparison, operation)
        case ops.DropColumnOp():
            found = [("drop", column)]
        case ops.AlterColumnOp():
            differs = {
                "retype": operation.modify_type is not None,
                "nullable": operation.modify_nullable is True,
                "not null": operation.modify_nullable is False,
                "default": operation.modify_server_default is not False,
                "comment": operation.modify_comment is not False,
            }
            found = [(action, column) for action, is_so in differs.items() if is_so]
    for action, key in found:
        yield _transition(comparison, action, key)
