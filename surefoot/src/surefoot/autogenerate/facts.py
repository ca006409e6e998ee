"""Facts are what the steps of a revision come to: one word, one object, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.steps import Note, Step
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.kinds import Column, table_of


@dataclass(frozen=True)
class Fact:
    """What becomes of one object. Of one that is made there is no before, of a dropped no after."""

    word: str
    key: Key
    before: SchemaObject | None = None
    after: SchemaObject | None = None

    @property
    def table(self) -> str:
        """The table that the object belongs to, or the object itself."""
        if self.key.kind == "column":
            return self.key.name.rpartition(".")[0]
        return table_of(self.after or self.before) or self.key.name


def facts(steps: Iterable[MigrateOperation], comparison: Comparison) -> Iterator[Fact]:
    """The facts of the steps, in their order."""
    for step in steps:
        if isinstance(step, Step) and step.key is not None:
            yield _fact(comparison, step.word, step.key)
        elif isinstance(step, ops.OpContainer):
            for operation in step.ops:
                for fact in _of_operation(comparison, operation):
                    yield _as_left(fact, step)


def _fact(comparison: Comparison, word: str, key: Key) -> Fact:
    return Fact(word, key, comparison.followed.objects.get(key), comparison.models.objects.get(key))


def _as_left(fact: Fact, step: MigrateOperation) -> Fact:
    """A column that goes as an earlier revision has left it: its way back says so."""
    back = step.undo[0] if isinstance(step, Step) and step.undo else None
    if fact.word != "drop" or not isinstance(back, ops.AddColumnOp):
        return fact
    if isinstance(fact.before, Column) and back.column.nullable:
        return replace(fact, before=replace(fact.before, not_null=False))
    return fact


def _added(comparison: Comparison, operation: ops.AddColumnOp) -> Fact:
    """A column as it is added, which may be less than it is to become."""
    column = operation.column
    fact = _fact(comparison, "make", Key("column", f"{operation.table_name}.{column.name}"))
    after = fact.after
    if not isinstance(after, Column):
        # The models' schema does not have it: Alembic alone knows of it.
        after = Column(
            table=str(operation.table_name), name=str(column.name), type=str(column.type),
            collation=None, not_null=False, default=None, generated=None, identity=None,
            comment=None,
        )  # fmt: skip
    if column.nullable:
        after = replace(after, not_null=False)
    if column.server_default is None:
        after = replace(after, default=None)
    return replace(fact, after=after)


def _of_operation(comparison: Comparison, operation: MigrateOperation) -> Iterator[Fact]:
    table = str(getattr(operation, "table_name", ""))
    if isinstance(operation, Note) or getattr(operation, "schema", None) is not None:
        return
    if isinstance(operation, ops.CreateTableOp | ops.DropTableOp):
        made = isinstance(operation, ops.CreateTableOp)
        yield _fact(comparison, "make" if made else "drop", Key("table", table))
    elif isinstance(operation, ops.AddColumnOp):
        yield _added(comparison, operation)
    elif isinstance(operation, ops.DropColumnOp):
        yield _fact(comparison, "drop", Key("column", f"{table}.{operation.column_name}"))
    elif isinstance(operation, ops.AlterColumnOp):
        key = Key("column", f"{table}.{operation.column_name}")
        if operation.modify_type is not None:
            yield _fact(comparison, "retype", key)
        if operation.modify_nullable is not None:
            yield _fact(comparison, "nullable" if operation.modify_nullable else "not null", key)
        if operation.modify_server_default is not False:
            yield _fact(comparison, "default", key)
        if operation.modify_comment is not False:
            yield _fact(comparison, "comment", key)
    elif isinstance(operation, ops.CreateTableCommentOp | ops.DropTableCommentOp):
        yield _fact(comparison, "comment", Key("table", table))
