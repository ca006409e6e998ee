"""Creates, drops and changes tables: as the models declare them, and reversible."""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import REWRITE, Change, Stage, Turn
from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.columns import column_changes
from surefoot.autogenerate.comparison import Comparison, changed, temporary_name
from surefoot.autogenerate.identities import identity
from surefoot.autogenerate.object_operations import step
from surefoot.autogenerate.rendering import ByHand, Call, sql
from surefoot.autogenerate.table_operations import add_column, create_table, drop_column
from surefoot.catalog import Catalog, Key, alterations
from surefoot.catalog.kinds import Attributes, Column, Table
from surefoot.quoting import quoted

_UNCHANGEABLE: Attributes = frozenset({"kind", "partition key"})
# The attributes that CREATE TABLE and ADD COLUMN leave out.
_OF_TABLE: Attributes = frozenset(
    {"options", "row security", "toast options", "cluster index", "replica identity"}
)
_OF_COLUMN: Attributes = frozenset({"storage", "compression", "statistics", "attribute options"})


def table_changes(comparison: Comparison) -> list[Change]:
    kept = sorted(comparison.kept_tables)
    columns = [each for table in kept for each in column_changes(comparison, table)]
    # Of all tables the drops come last.
    columns.sort(key=lambda change: change.action == "drop")
    before, after = _recreated(comparison)
    return [
        *(_create(comparison, table) for table in comparison.tables_in_order),
        *before,
        *_identities(comparison, leaving=True),
        *columns,
        *_identities(comparison, leaving=False),
        *after,
        *(_drop(comparison, table) for table in sorted(comparison.gone_tables)),
        *(change for table in kept for change in _changed(comparison, table)),
        *_settings(comparison),
    ]


def _create(comparison: Comparison, table: str) -> Change:
    make, drop = _made(comparison, comparison.models, table), [Call("drop_table", table)]
    return Change(Stage.TABLES, make, drop, "make", Key("table", table))


def _drop(comparison: Comparison, table: str) -> Change:
    make, drop = _made(comparison, comparison.database, table), [Call("drop_table", table)]
    change = Change(Stage.TABLES, drop, make, "drop", Key("table", table))
    return change.at(Turn.TABLES, table)


def _made(comparison: Comparison, catalog: Catalog, table: str) -> list[MigrateOperation]:
    """Creates a table of one side, with the settings that CREATE TABLE leaves out."""
    whole = catalog.one(Table, Key("table", table))
    made = create_table(catalog, table, comparison.inline[table])
    return [*made, *state(whole.without(_OF_TABLE), whole)]


def _recreated(comparison: Comparison) -> tuple[list[Change], list[Change]]:
    """Generated columns: dropped before the columns that they use change, and added after.

    One that becomes an ordinary column keeps its values; the way back drops and adds it.
    """
    before, after = [], []
    for key in sorted(comparison.diff.recreated_columns | comparison.diff.freed_columns):
        if comparison.is_inherited(key):
            continue
        found = comparison.database.one(Column, key)
        table, name, drop = quoted(found.table), quoted(found.name), drop_column(found)
        back = add_column(found, comparison.database)
        if key in comparison.diff.freed_columns:
            free = sql(f"ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION")
            before.append(Change(Stage.AWAY, [free], [drop, *back], "change", key))
        else:
            add = add_column(comparison.models.one(Column, key), comparison.models)
            before.append(Change(Stage.AWAY, [drop], back, "remake", key))
            made = Change(Stage.TABLES, add, [drop], "remake", key)
            after.append(made.at(Turn.MAIN))
    return before, after


def _identities(comparison: Comparison, *, leaving: bool) -> Iterator[Change]:
    """Identities: dropped before a default is set, and added after one is dropped.

    A sequence that is created may have the name of the one that an identity leaves. The numbers
    of a narrower type are set before it, so that the way back sets those of the wider one after it.
    """
    for key, found in comparison.database.each(Column):
        expected = comparison.models.find(Column, key)
        if expected is None:
            continue
        # One that is new waits for the default to go.
        narrows = found.identity is not None and (
            HIGHEST.get(expected.type, 0) < HIGHEST.get(found.type, 0)
        )
        if (narrows or expected.identity is None) == leaving:
            for change in identity(comparison, key):
                change.stage = Stage.TYPES if leaving else change.stage
                yield change


def _changed(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that both sides have, apart from its columns."""
    key = Key("table", table)
    found, expected = comparison.database.one(Table, key), comparison.models.one(Table, key)
    different = changed(comparison, key)
    if different & _UNCHANGEABLE:
        yield Change(Stage.STATE, [_exchange(table, found, expected)], [], "by hand", key)
    if different - _UNCHANGEABLE - {"comment"}:
        do, undo = state(found, expected), state(expected, found)
        change = Change(Stage.STATE, do, undo, "change", key)
        change.about = REWRITE if "persistence" in different else ""
        yield change
    if "comment" in different:
        yield step(Stage.STATE, key, replace(expected, comment=found.comment), expected, "comment")


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


def _settings(comparison: Comparison) -> Iterator[Change]:
    """Storage, statistics and other settings of columns, which no model declares."""
    for key, after in comparison.models.each(Column):
        before = comparison.database.find(Column, key)
        if before is None or key in comparison.diff.recreated_columns:
            before = after.without(_OF_COLUMN)
        if do := [sql(each) for each in alterations.column(before, after)]:
            undo = [sql(each) for each in alterations.column(after, before)]
            yield Change(Stage.STATE, do, undo, "change", key)


def state(before: Table, after: Table) -> list[MigrateOperation]:
    return [sql(statement) for statement in alterations.table(before, after)]
