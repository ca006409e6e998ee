"""Facts are what the steps of a revision come to: one word, one object, before and after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alembic.operations import MigrateOperation, ops

from app.migrate.proof.catalog import Attributes, Key
from app.migrate.review.autogenerate.comparison import Comparison
from app.migrate.review.autogenerate.steps import Note, Step

_MODIFIER = re.compile(r"^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?$")
_INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Fact:
    """What becomes of one object. Of one that is made there is no before, of a dropped no after."""

    word: str
    key: Key
    before: Attributes | None = None
    after: Attributes | None = None

    @property
    def table(self) -> str:
        """The table that the object belongs to, or the object itself."""
        attributes = self.after or self.before or {}
        return str(attributes.get("table") or self.key.name)


def facts(steps: Iterable[MigrateOperation], comparison: Comparison) -> Iterator[Fact]:
    """The facts of the steps, in their order."""
    for step in steps:
        if isinstance(step, Step) and step.key is not None:
            yield _fact(comparison, step.word, step.key)
        elif isinstance(step, ops.OpContainer):
            for operation in step.ops:
                yield from _of_operation(comparison, operation)


def is_widening(old: str, new: str) -> bool:
    """Whether a type takes every value of another, and stays what code takes it for."""
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(old) < _INTEGERS.index(new)
    return needs_no_rewrite(old, new)


def needs_no_rewrite(old: str, new: str) -> bool:
    """Whether PostgreSQL changes the type in its catalogue and leaves the rows alone."""
    before, after = _MODIFIER.match(old), _MODIFIER.match(new)
    if before is None or after is None:
        return old == new
    if before[1] == "character varying" and new in ("text", "character varying"):
        return True
    if before[1] != after[1] or before[4] != after[4] or before[3] != after[3]:
        return False
    return after[2] is None or (before[2] is not None and int(before[2]) <= int(after[2]))


def _fact(comparison: Comparison, word: str, key: Key) -> Fact:
    return Fact(word, key, comparison.followed.get(key), comparison.models.objects.get(key))


def _of_operation(comparison: Comparison, operation: MigrateOperation) -> Iterator[Fact]:
    table = str(getattr(operation, "table_name", ""))
    if isinstance(operation, Note) or getattr(operation, "schema", None) is not None:
        return
    if isinstance(operation, ops.CreateTableOp | ops.DropTableOp):
        made = isinstance(operation, ops.CreateTableOp)
        yield _fact(comparison, "make" if made else "drop", Key("table", table))
    elif isinstance(operation, ops.AddColumnOp):
        name = Key("column", f"{table}.{operation.column.name}")
        yield _fact(comparison, "make", name)
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
