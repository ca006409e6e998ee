"""Adds, changes and drops columns.

A column is added without a rewrite or a scan of the rows where that is possible. A changed type is
decided in `_altered`: in place, or through a second column (`column_swap`).
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import REWRITE, Change, Stage, Turn
from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.column_swap import swap
from surefoot.autogenerate.comparison import Comparison, changed, temporary_name
from surefoot.autogenerate.constraints import forbid_null
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.object_operations import referring_columns, refers_to
from surefoot.autogenerate.objects import ObjectDiff
from surefoot.autogenerate.rendering import set_default, set_nullable
from surefoot.autogenerate.table_operations import add_column, drop_column, retype, set_comment
from surefoot.autogenerate.type_change import is_swappable
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint
from surefoot.catalog.widening import needs_no_rewrite
from surefoot.quoting import quoted

_CALL = re.compile(r"(\w+)\(")


def column_changes(comparison: Comparison, diff: ObjectDiff, table: str) -> Iterator[Change]:
    """The changes of the columns of a table that both sides have.

    Columns are dropped last and in reverse order, so that the way back adds them in order.
    """
    database, models = comparison.database, comparison.models
    for name in models.column_order.get(table, ()):
        key = Key("column", f"{table}.{name}")
        if key in diff.recreated_columns or key not in models.objects:
            continue
        if comparison.is_inherited(key):
            yield from _commented(comparison, key)
        elif key not in database.objects:
            yield from _added(comparison, key)
        else:
            yield from _altered(comparison, diff, key)
    for name in reversed(database.column_order.get(table, ())):
        key = Key("column", f"{table}.{name}")
        gone = key in database.objects and key not in models.objects
        if gone and not (key in diff.recreated_columns or comparison.is_inherited(key)):
            yield from _dropped(comparison, diff, key)


def _added(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes that add a column.

    A volatile default is set after the column is added, for new rows only. NOT NULL without a value
    for existing rows is a change of its own.
    """
    models, expected = comparison.models, comparison.models.one(Column, key)
    on, drop = (expected.table, expected.name), [drop_column(expected)]
    by_row = is_volatile(comparison, expected) and comparison.is_online(expected.table)
    required = expected.not_null and (by_row or not expected.has_own_value)
    if by_row or required:
        default = None if by_row else expected.default
        optional = replace(expected, not_null=False, default=default)
        add = Change(Stage.TABLES, add_column(optional, models), drop, "begin", key)
        yield _rewriting(add, comparison, key, optional)
    else:
        add = Change(Stage.TABLES, add_column(expected, models), drop, "make", key)
        yield _rewriting(add, comparison, key, expected)
    if by_row:
        fill = Change(Stage.TABLES, [set_default(*on, expected.default)], [], "default", key)
        about = (
            f"Existing rows have no value in {key.name}: backfill them, in batches and outside of "
            "a revision, where they need one."
        )
        yield fill.at(Turn.MAIN, about=about)
    if required:
        yield from forbid_null(key, comparison)


def _rewriting(change: Change, comparison: Comparison, key: Key, column: Column) -> Change:
    writes = fills_rows(column) or checked_domain(comparison, key)
    if not (writes and comparison.is_in_use(column.table)):
        return change
    return change.at(Turn.REWRITE, key.name, f"Add {key.name}", REWRITE)


def _dropped(comparison: Comparison, diff: ObjectDiff, key: Key) -> Iterator[Change]:
    """Drops a column; a required one is first made optional for new releases.

    A generated column goes before the columns change that it is made of.
    """
    found = comparison.database.one(Column, key)
    on, back = (found.table, found.name), found
    # A row without a value is refused.
    if found.not_null and not found.has_own_value and not comparison.at_once:
        do, undo = [set_nullable(*on, True)], [set_nullable(*on, False)]
        free = Change(Stage.TABLES, do, undo, "nullable", key)
        about = f"From here on a release that does not know {key.name} can write rows."
        # Later than the columns in its place, which a release has to know before.
        yield free.at(Turn.CONTRACT, found.table, f"Allow rows without {key.name}", about)
        back = replace(found, not_null=False)
    about = f"Before this runs: deploy a release that neither reads nor writes {key.name}."
    again = add_column(back, comparison.database)
    turn, stage = Turn.COLUMNS, Stage.TABLES
    if found.generated is not None and _is_blocked(comparison, diff, key):
        turn, stage = Turn.BEFORE, Stage.AWAY
    drop = Change(stage, [drop_column(found)], again, "drop", key)
    yield drop.at(turn, found.table, f"Drop {key.name}", about)


def _is_blocked(comparison: Comparison, diff: ObjectDiff, key: Key) -> bool:
    """Whether a column that this one is made of gets another type."""
    uses = comparison.database.uses
    return any(
        uses.get(used, frozenset()) & diff.replaced
        or changed(comparison, used) & {"type", "collation"}
        for used in uses.get(key, ())
        if used.kind == "column" and used in comparison.models.objects
    )


def _altered(comparison: Comparison, diff: ObjectDiff, key: Key) -> Iterator[Change]:
    """The changes of a column that differs; NOT NULL comes last."""
    different = changed(comparison, key)
    if not different:
        return
    if "type" in different and is_swappable(comparison, key):
        yield from swap(key, comparison)
        return
    found, expected = comparison.pair(key)
    on = found.table, found.name

    def alter(action: str, do: MigrateOperation, undo: MigrateOperation) -> Change:
        return Change(Stage.TABLES, [do], [undo], action, key)

    if different & {"type", "collation"}:
        yield from _retype(comparison, key)
    elif "default" in different and not comparison.is_renumbered(key):
        if comparison.database.uses.get(key, frozenset()) & diff.replaced:
            # The default is dropped while the values change: it may not exist in the other enum.
            yield from _without_default(key, found, expected, [], Stage.AWAY)
        else:
            do, undo = (set_default(*on, each.default) for each in (expected, found))
            yield alter("default", do, undo)
    yield from _commented(comparison, key)
    if "not null" in different and expected.not_null:
        yield from forbid_null(key, comparison)
    elif "not null" in different:
        yield alter("nullable", set_nullable(*on, True), set_nullable(*on, False))


def _commented(comparison: Comparison, key: Key) -> Iterator[Change]:
    """Another comment; an inherited column that is new has none yet."""
    found = comparison.followed.find(Column, key)
    expected = comparison.models.one(Column, key)
    if expected.comment != (found and found.comment):
        stage, undo = (Stage.TABLES, [set_comment(found)]) if found else (Stage.STATE, [])
        yield Change(stage, [set_comment(expected)], [*undo], "comment", key)


def _without_default(
    key: Key, found: Column, expected: Column, changes: list[Change], away: Stage = Stage.TABLES
) -> list[Change]:
    """The changes with the old default dropped before and the new one set after them."""
    on = found.table, found.name

    def default(stage: Stage, before: str | None, after: str | None) -> list[Change]:
        do, undo = ([set_default(*on, each)] for each in (after, before))
        return [] if before == after else [Change(stage, do, undo, "default", key)]

    ahead = default(away, found.default, None)
    return [*ahead, *changes, *default(Stage.TABLES, None, expected.default)]


def _retype(comparison: Comparison, key: Key) -> list[Change]:
    """A type change. A default blocks it where PostgreSQL has no cast for the default.

    Where it has one, the default is set again too: it would keep the text of its old type.
    """
    found, expected = comparison.pair(key)
    up, down = (
        comparison.using(quoted(found.name), old.type, new.type)
        for old, new in ((found, expected), (expected, found))
    )
    in_one = up is None and down is None
    default = in_one and (found.default, expected.default) != (None, None)
    do = retype(expected, comparison.models, up, default=default)
    undo = retype(found, comparison.database, down, default=default)
    rewritten = comparison.is_online(found.table) and not needs_no_rewrite(
        found.type, expected.type
    )
    about = f"{REWRITE}{_key_by_hand(comparison, key)}" if rewritten else ""
    change = Change(Stage.TABLES, do, undo, "retype", key).at(Turn.MAIN, about=about)
    return [change] if in_one else _without_default(key, found, expected, [change])


def _key_by_hand(comparison: Comparison, key: Key) -> str:
    """The online steps for a wider number in a primary key, which a person has to write."""
    column = comparison.database.one(Column, key)
    users = comparison.database.users_of(key)
    constraints = {each: comparison.database.find(Constraint, each) for each in users}
    if column.type not in HIGHEST or not any(
        each and each.type == "primary key" and each.table == column.table
        for each in constraints.values()
    ):
        return ""
    referring = sorted(
        f"{each.table}.{name}"
        for each in constraints.values()
        if each and refers_to(each) == column.table
        for name in referring_columns(each) or ()
    )
    also = f" Do the same with {', '.join(referring)}." if referring else ""
    there = temporary_name(key.name)
    return (
        f" Otherwise delete the new revisions, and write these by hand: 1. Add {there}, and a "
        f"trigger that copies {column.name} into it.{also} 2. Backfill in batches. 3. Build a "
        f"unique index on {there} concurrently, and forbid null in it by a validated check. 4. In "
        "one transaction with a lock timeout: drop the foreign keys and the primary key, swap the "
        "names of the columns, make the primary key from the index, give the new column the "
        "sequence, and add the foreign keys NOT VALID. 5. Validate them. 6. Drop the old columns "
        "and the triggers."
    )


def fills_rows(column: Column) -> bool:
    """Whether adding the column writes a value in each row."""
    return column.identity is not None or (column.generated or "").endswith(" STORED")


def is_volatile(comparison: Comparison, column: Column) -> bool:
    """Whether the default of a column may differ from row to row."""
    calls = _CALL.findall((column.default or "").lower())
    ours = comparison.own_functions
    return any(ours.get(name, name in comparison.volatile) for name in calls)
