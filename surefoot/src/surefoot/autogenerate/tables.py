"""Creates, drops and changes tables: as the models declare them, and reversible."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage, Turn, rewriting
from surefoot.autogenerate.columns import column_changes
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.naming import temporary_name
from surefoot.autogenerate.object_operations import step
from surefoot.autogenerate.parents import parent_changes
from surefoot.autogenerate.rendering import ByHand, Call, sql
from surefoot.autogenerate.table_operations import create_table
from surefoot.catalog import Key
from surefoot.catalog.kinds import Attributes, Table
from surefoot.catalog.tables import without_index
from surefoot.quoting import quoted

_UNCHANGEABLE: Attributes = frozenset({"kind", "partition key"})


def table_changes(comparison: Comparison) -> list[Change]:
    kept = sorted(comparison.kept_tables)
    columns = [each for table in kept for each in column_changes(comparison, table)]
    # Of all tables the drops come last.
    columns.sort(key=lambda change: change.action == "drop")
    made = (_made(comparison, table) for table in comparison.tables_in_order)
    return [
        *chain.from_iterable(made),
        *columns,
        *(_dropped(comparison, table) for table in sorted(comparison.gone_tables)),
        *(change for table in kept for change in _changed(comparison, table)),
    ]


def _made(comparison: Comparison, name: str) -> Iterator[Change]:
    """Makes a table; what names an index is set once that is there."""
    models, key = comparison.models, Key("table", name)
    table = models.one(Table, key)
    if table.kind == "foreign table":
        yield Change(Stage.STATE, [_foreign(name)], [], "by hand", key)
        return
    make = create_table(models, name, comparison.inline[name])
    yield Change(Stage.TABLES, make, [Call("drop_table", name)], "make", key)
    if table != without_index(table):
        yield step(Stage.STATE, key, without_index(table), table, "change")


def _dropped(comparison: Comparison, name: str) -> Change:
    database, key = comparison.database, Key("table", name)
    drop: MigrateOperation = sql(f"DROP FOREIGN TABLE {quoted(name)}")
    make: list[MigrateOperation] = []
    if database.one(Table, key).kind != "foreign table":
        drop, make = Call("drop_table", name), create_table(database, name, comparison.inline[name])
    return Change(Stage.TABLES, [drop], make, "drop", key).at(Turn.TABLES, name)


def _changed(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that both sides have, apart from its columns."""
    key = Key("table", table)
    found, expected = comparison.database.one(Table, key), comparison.models.one(Table, key)
    different = changed(comparison, key)
    if different & _UNCHANGEABLE:
        yield Change(Stage.STATE, [_exchange(table, found, expected)], [], "by hand", key)
    if "inherits" in different:
        yield from parent_changes(comparison, table)
        found, different = replace(found, inherits=expected.inherits), different - {"inherits"}
    silent = replace(expected, comment=found.comment)
    if different - _UNCHANGEABLE - {"comment"}:
        change = step(Stage.STATE, key, found, silent, "change")
        change.about = rewriting(table) if "persistence" in different else ""
        yield change
    if "comment" in different:
        yield step(Stage.STATE, key, silent, expected, "comment")


def _foreign(table: str) -> ByHand:
    """The step to a foreign table: its server and its options are not compared."""
    return ByHand(
        f"the models declare the foreign table {table}, and the database has none",
        f"In a revision, create its server and {table} by the statements that the models run.",
    )


def _exchange(table: str, before: Table, after: Table) -> ByHand:
    """The steps to another kind of table, or another partition key."""
    was, wanted = (
        f"{each.kind}{f' by {each.partition_key}' if each.partition_key else ''}"
        for each in (before, after)
    )
    new, old = temporary_name(table), f"{table}_old"
    return ByHand(
        f"{table} is a {was}, and the models declare a {wanted}",
        f"In a revision, create {new} as the models declare {table}, with the partitions that its "
        "rows need.",
        "Deploy a release that writes each row to both tables.",
        "Copy the older rows in batches, outside of a revision.",
        f"In a contract revision, rename {table} to {old} and {new} to {table}, and let foreign "
        "keys, views and sequences follow.",
        f"In a later contract revision, drop {old}.",
    )
