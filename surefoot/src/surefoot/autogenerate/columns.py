"""Adds, changes and drops columns.

A column is added without a rewrite or a scan of the rows where that is possible. A changed type is
decided in `_altered`: through a second column (`column_swap`) where `swappable` finds that one can
take its place, and else by `_states`, in place.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage, Turn, rewriting
from surefoot.autogenerate.column_swap import swap
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import forbid_null
from surefoot.autogenerate.conversions import differs, gone_values, is_yours, using
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.drafts import ROUNDED, UNCAST, UNFIT, given_up
from surefoot.autogenerate.drafts import required as to_fill
from surefoot.autogenerate.identities import identity
from surefoot.autogenerate.indexes import can_swap
from surefoot.autogenerate.object_operations import create
from surefoot.autogenerate.rendering import Call, sql
from surefoot.autogenerate.swappable import in_two_rounds
from surefoot.autogenerate.table_operations import (
    add_column,
    column_step,
    drop_column,
)
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column
from surefoot.catalog.model import key_of
from surefoot.catalog.tables import with_settings
from surefoot.catalog.widening import loses_digits, may_not_fit, needs_no_rewrite
from surefoot.quoting import quoted

_CALL = re.compile(r"(\w+)\(")


def column_changes(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of the columns of a table that both sides have.

    Columns are dropped last and in reverse order, so that the way back adds them in order.
    """
    database, models = comparison.database, comparison.models
    for key in map(key_of, models.columns(table)):
        is_inherited = comparison.is_inherited(key)
        if key not in database.objects and not is_inherited:
            yield from _added(comparison, key)
        elif key in comparison.diff.recreated_columns:
            yield from () if is_inherited else _recreated(comparison, key)
        else:
            yield from _remarked(comparison, key) if is_inherited else _altered(comparison, key)
            yield from identity(comparison, key) if key in database.objects else ()
    for key in map(key_of, reversed(database.columns(table))):
        if not (key in models.objects or comparison.is_inherited(key)):
            yield from _dropped(comparison, key)


def _added(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes that add a column.

    A volatile default is set after the column is added, for new rows only. NOT NULL without a value
    for existing rows is a change of its own, and so is that of a virtual column: every row is read.
    """
    expected = comparison.models.one(Column, key)
    by_row = is_volatile(comparison, expected) and comparison.is_online(expected.table)
    virtual = (expected.generated or "").endswith(" VIRTUAL")
    computed = virtual and comparison.is_online(expected.table)
    required = expected.not_null and (by_row or computed or not expected.has_own_value)
    draft = to_fill(expected.table, expected.name, expected.default)
    made, action = expected, "make"
    if by_row or required:
        made = replace(expected, not_null=False, default=None)
        action = "make" if computed else "begin"
    add = column_step(comparison, None, made, action)
    filled = (required or by_row) and comparison.is_online(expected.table) and not computed
    add.fills = [draft] if filled else []
    if comparison.is_in_use(made.table) and (fills_rows(made) or checked_domain(comparison, key)):
        add.at(Turn.REWRITE, key.name, about=rewriting(key.name, "added"))
    yield add
    if by_row:
        fill = column_step(comparison, made, replace(made, default=expected.default), "default")
        fill.undo = []
        about = f"Existing rows have no value in {key.name} until they are filled."
        yield fill.at(Turn.MAIN, about="" if required else about)
    if required:
        yield from forbid_null(key, comparison, draft, "New rows get its default. " * by_row)


def _recreated(comparison: Comparison, key: Key) -> Iterator[Change]:
    """Drops a generated column before the columns change that it uses, and adds it after.

    An ordinary one becomes generated where no value is lost. The way back of a stored one keeps its
    values.
    """
    found, expected = comparison.database.one(Column, key), comparison.models.one(Column, key)
    away = column_step(comparison, found, None, "remake", Stage.AWAY)
    made = column_step(comparison, None, expected, "remake", Stage.CREATE)
    if comparison.is_in_use(expected.table) and fills_rows(expected):
        made.about = rewriting(key.name)
    if found.generated is None:
        away.ops.insert(0, _refusal(comparison, key))
        away.about = f"This drops {key.name}, and refuses to run while that would lose a value."
        if _is_stored(expected) and found.identity is None:
            own = replace(expected, generated=None)
            made.undo = [_freed(expected)]
            away.undo = column_step(comparison, found, own, "remake").undo
    yield away
    yield made


def _refusal(comparison: Comparison, key: Key) -> Call:
    """Refuses a row with a value that the expression of the new column does not give, if known."""
    found, expected = comparison.database.one(Column, key), comparison.models.one(Column, key)
    name, needs = quoted(found.name), comparison.models.needs(key)
    lost = f"{name} IS NOT NULL"
    hint = f"This drops {found.name}: keep its values in another column, and set it to null."
    is_same = all(comparison.database.objects.get(n) == comparison.models.objects[n] for n in needs)
    if is_same and expected.type == found.type:
        expression = (expected.generated or "").rpartition(" ")[0]
        lost += f" AND {differs(comparison, name, found.type, expression)}"
        hint = f"This drops {found.name}: give these rows the value that is computed, or null."
    return Call("refuse_rows", found.table, lost, hint)


def _freed(column: Column) -> MigrateOperation:
    """Makes a stored generated column an ordinary one, which keeps the values."""
    alter = f"ALTER TABLE {quoted(column.table)} ALTER COLUMN {quoted(column.name)}"
    return sql(f"{alter} DROP EXPRESSION")


def _is_stored(column: Column) -> bool:
    return (column.generated or "").endswith(" STORED")


def _dropped(comparison: Comparison, key: Key) -> Iterator[Change]:
    """Drops a column; a required one is first made optional for new releases.

    A generated column goes before the columns change that it is made of.
    """
    found = comparison.database.one(Column, key)
    back = found
    # A row without a value is refused.
    if found.not_null and not found.has_own_value and not comparison.at_once:
        back = replace(found, not_null=False)
        free = column_step(comparison, found, back, "nullable")
        about = f"From here on a release that does not know {key.name} can write rows."
        # Later than the columns in its place, which a release has to know before.
        yield free.at(Turn.CONTRACT, found.table, f"Allow rows without {key.name}", about)
    turn, stage = Turn.COLUMNS, Stage.TABLES
    if found.generated is not None and _is_blocked(comparison, key):
        turn, stage = Turn.MAIN, Stage.AWAY
    yield column_step(comparison, back, None, "drop", stage).at(turn, found.table)


def _is_blocked(comparison: Comparison, key: Key) -> bool:
    """Whether a column that this one is made of gets another type."""
    database, diff = comparison.database, comparison.diff
    return any(
        used in diff.retyped or database.needs(used) & diff.replaced
        for used in database.needs(key)
        if used.kind == "column" and used in comparison.models.objects
    )


def _remarked(comparison: Comparison, key: Key) -> Iterator[Change]:
    """Another comment of an inherited column; one that is new has none yet."""
    found = comparison.followed.find(Column, key)
    after = comparison.models.one(Column, key)
    before = replace(after, comment=found.comment if found else None)
    if before != after:
        change = column_step(comparison, before, after, "comment")
        if found is None:
            change.stage, change.undo = Stage.STATE, []
        yield change


def _altered(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes of a column that differs, from one state to the next; NOT NULL comes last."""
    if key in comparison.diff.beside:
        yield from swap(key, comparison)
        return
    if key in comparison.diff.freed_columns:
        # It keeps its values as an ordinary column; the way back drops and adds it.
        own = comparison.database.one(Column, key)
        back = [drop_column(own), *add_column(own, comparison.database)]
        # Dropping it drops a key that is in force until its exchange.
        keys = sorted(comparison.database.users_of(key))
        back += [
            made
            for each in keys
            if can_swap(each, comparison)
            for made in create(each, comparison.database.objects[each])
        ]
        yield Change(Stage.AWAY, [_freed(own)], back, "change", key)
    found, expected = comparison.pair(key)
    if not comparison.leaves_a_parent(key):
        yield from state_changes(comparison, key)
    if expected.not_null and not found.not_null:
        yield from forbid_null(key, comparison)


def state_changes(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes of a column to all that the models declare, but for NOT NULL."""
    found, expected = comparison.pair(key)
    state, is_online = found, comparison.is_online(found.table)
    for stage, action, after in _states(comparison, key):
        if after != state:
            change = column_step(comparison, state, after, action, stage)
            rewrites = action == "retype" and not needs_no_rewrite(found.type, expected.type)
            said = [rewriting(key.name)] if rewrites and is_online else []
            if said and (others := ", ".join(in_two_rounds(comparison, key))):
                said.append(
                    f"Two rounds avoid it: change the type alone first, and {others} after it."
                )
            said += _converted(comparison, key) if action == "retype" else []
            change.about = " ".join(said)
            yield change
            state = after


def _converted(comparison: Comparison, key: Key) -> Iterator[str]:
    """The sentences about values that another type may not keep, there and back."""
    types = [each.type for each in comparison.pair(key)]
    for told, (old, new) in (("", types), ("In the downgrade: ", types[::-1])):
        if may_not_fit(old, new):
            yield f"{told}Of {key.name} {UNFIT.format(old, new)}."
        elif is_yours(comparison, old, new):
            text = f"that {key.name} is read by its text is a guess"
            yield f"{told}{UNCAST.format(old, new)}: {text}."
        if loses_digits(old, new):
            yield f"{told}Of {key.name} {ROUNDED.format(new)}"
    gone, back = (gone_values(comparison, *each) for each in (types, types[::-1]))
    yield from given_up(gone, back, [key.name])


def _states(comparison: Comparison, key: Key) -> Iterator[tuple[Stage, str, Column]]:
    """The states of a column on its way, each with the action that leads to it.

    The default goes first where PostgreSQL has no cast for it, or where the values of its enum
    change: it may not exist in the other type. Where it has a cast, the default is set again with
    the type: it would keep the text of its old type.
    """
    found, expected = comparison.pair(key)
    state = replace(found, type=expected.type, collation=expected.collation)
    default = found.default if comparison.is_renumbered(key) else expected.default
    if state != found:
        types = (found.type, state.type), (state.type, found.type)
        in_one = not any(using(comparison, key.name, *each) for each in types)
        if not in_one:
            yield Stage.TABLES, "default", replace(found, default=None)
        state = replace(state, default=default if in_one else None)
        yield Stage.TABLES, "retype", state
    elif default != found.default and comparison.database.needs(key) & comparison.diff.replaced:
        yield Stage.AWAY, "default", replace(found, default=None)
    state = replace(state, default=default)
    yield Stage.TABLES, "default", state
    state = replace(state, comment=expected.comment)
    yield Stage.TABLES, "comment", state
    state = replace(state, not_null=found.not_null and expected.not_null)
    yield Stage.TABLES, "nullable", state
    yield Stage.STATE, "change", with_settings(state, expected)


def fills_rows(column: Column) -> bool:
    return column.identity is not None or _is_stored(column)


def is_volatile(comparison: Comparison, column: Column) -> bool:
    """Whether the default of a column may differ from row to row."""
    calls = _CALL.findall((column.default or "").lower())
    ours = comparison.own_functions
    return any(ours.get(name, name in comparison.volatile) for name in calls)
