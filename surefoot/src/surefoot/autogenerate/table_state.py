"""Changes the persistence, options and row security of tables, and notes other differences."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.rendering import Note, sql
from surefoot.catalog import Key, alterations
from surefoot.catalog.kinds import Attribute, Attributes, Table

_STATE: Attributes = frozenset({"persistence", "options", "row security"})
_UNCHANGEABLE: tuple[Attribute, ...] = ("kind", "partition key", "inherits")


def states(comparison: Comparison, operations: Iterable[MigrateOperation]) -> Iterator[Change]:
    """The changes of all tables. Alembic compares their comments."""
    for operation in operations:
        if isinstance(operation, ops.CreateTableOp) and operation.schema is None:
            key = Key("table", str(operation.table_name))
            expected = comparison.models.one(Table, key)
            made = plain(expected)
            # create_table writes only these.
            if "postgresql_with" in operation.kw:
                made = replace(made, options=expected.options)
            if "UNLOGGED" in (operation.prefixes or ()):
                made = replace(made, persistence=expected.persistence)
            if written := state(made, expected):
                yield Change(Stage.STATE, written, [], "change", key)
    for table in sorted(comparison.kept_tables):
        key = Key("table", table)
        found, expected = comparison.database.one(Table, key), comparison.models.one(Table, key)
        different = changed(comparison, key)
        for name in _UNCHANGEABLE:
            if name in different:
                before, after = (each.attributes()[name] for each in (found, expected))
                words = f"{name} of {table} is {before} and not {after}"
                yield Change(Stage.STATE, [Note(f"Not written: {words}.")], [])
        if different & _STATE:
            do, undo = state(found, expected), state(expected, found)
            yield Change(Stage.STATE, do, undo, "change", key)


def plain(table: Table) -> Table:
    """The table as CREATE TABLE without a clause makes it."""
    return replace(table, persistence="permanent", options=None, row_security=None)


def state(before: Table, after: Table) -> list[MigrateOperation]:
    """The statements that take a table from one state to another."""
    return [sql(statement) for statement in alterations.table(before, after)]
