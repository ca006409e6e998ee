"""What a table is beside its columns: options, persistence, row security, and what nobody wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.steps import Note, Stage, Step, sql
from surefoot.catalog import Attributes, Key, alterations

PLAIN_TABLE: Attributes = {"persistence": "permanent", "options": None, "row security": None}
_UNCHANGEABLE = ("kind", "partition key", "inherits")


def states(comparison: Comparison, operations: Iterable[MigrateOperation]) -> Iterator[Step]:
    """The steps of all tables. Their comments are Alembic's."""
    for operation in operations:
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            key = Key("table", str(operation.table_name))
            expected = comparison.models.objects[key]
            made = dict(PLAIN_TABLE)
            # Only these are written where the table is.
            if "postgresql_with" in operation.kw:
                made["options"] = expected["options"]
            if "UNLOGGED" in (operation.prefixes or ()):
                made["persistence"] = expected["persistence"]
            if written := state(key.name, made, expected):
                yield Step(Stage.STATE, written, [], "change", key)
    for table in sorted(comparison.kept_tables):
        key = Key("table", table)
        found, expected = comparison.database.objects[key], comparison.models.objects[key]
        different = changed(comparison, key)
        for name in _UNCHANGEABLE:
            if name in different:
                words = f"{name} of {table} is {found[name]} and not {expected[name]}"
                yield Step(Stage.STATE, [Note(f"Not written: {words}.")], [])
        if different & set(PLAIN_TABLE):
            do, undo = state(table, found, expected), state(table, expected, found)
            yield Step(Stage.STATE, do, undo, "change", key)


def state(table: str, before: Attributes, after: Attributes) -> list[MigrateOperation]:
    """The statements that take a table from one state to another."""
    return [sql(statement) for statement in alterations.table(table, before, after)]
