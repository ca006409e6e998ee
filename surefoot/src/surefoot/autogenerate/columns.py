"""Adds, changes and drops columns.

A column is added without a rewrite or a scan of the rows where that is possible. A changed type is
decided in `_altered`: in place, or through a second column (`column_swap`).
"""

import re
from collections.abc import Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import DefaultClause, text

from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.catalog_table import Written
from surefoot.autogenerate.change import REWRITE, Allowance, Change, Stage, Turn
from surefoot.autogenerate.column_swap import swap
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.constraints import forbid_null
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.objects import ObjectDiff
from surefoot.autogenerate.rendering import AlterColumnUsing, ContinueSequence, sql
from surefoot.autogenerate.type_change import is_swappable
from surefoot.catalog import Key, alterations
from surefoot.catalog.kinds import Column, Routine
from surefoot.catalog.widening import needs_no_rewrite
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import literal, quoted

_CALL = re.compile(r"(\w+)\(")
_SAYS_SO = re.compile(r"\b(IMMUTABLE|STABLE)\b")


def column_changes(comparison: Comparison, diff: ObjectDiff, table: str) -> Iterator[Change]:
    """The changes of the columns of a table that both sides have.

    Columns are dropped last and in reverse order, so that the way back adds them in order.
    """
    database, models = comparison.database, comparison.models
    for name in models.column_order.get(table, ()):
        key = Key("column", f"{table}.{name}")
        if key in diff.recreated_columns or key not in models.objects:
            continue
        if key not in database.objects:
            yield from _added(comparison, key)
        else:
            yield from _altered(comparison, diff, key)
    for name in reversed(database.column_order.get(table, ())):
        key = Key("column", f"{table}.{name}")
        if key in database.objects and key not in {*models.objects, *diff.recreated_columns}:
            yield from _dropped(comparison, key)


def _added(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes that add a column.

    A volatile default is set after the column is added, for new rows only. NOT NULL without a value
    for existing rows is a change of its own.
    """
    expected, column = comparison.models.one(Column, key), comparison.columns[key]
    table, name = expected.table, expected.name
    drop = ops.DropColumnOp(table, name)
    by_row = is_volatile(comparison, expected)
    required = expected.not_null and (by_row or not expected.has_own_value)
    copy = copy_column(column)
    if by_row or required:
        copy.nullable = True
        copy.server_default = None if by_row else copy.server_default
        yield Change(Stage.TABLES, [ops.AddColumnOp(table, copy)], [drop], "begin", key)
    else:
        add = Change(Stage.TABLES, [ops.AddColumnOp(table, copy)], [drop], "make", key)
        yield _rewriting(add, comparison, key)
    if by_row:
        default = ops.AlterColumnOp(table, name, modify_server_default=column.server_default)
        about = (
            f"Existing rows have no value in {key.name}: backfill them, in batches and outside of "
            "a revision, where they need one."
        )
        yield Change(Stage.TABLES, [default], [], "default", key).at(Turn.MAIN, about=about)
    if required:
        yield from forbid_null(key, column.type, comparison)


def _rewriting(change: Change, comparison: Comparison, key: Key) -> Change:
    allow = rewrites(comparison, key)
    return change.at(Turn.REWRITE, key.name, f"Add {key.name}", REWRITE, allow) if allow else change


def rewrites(comparison: Comparison, key: Key) -> tuple[Allowance, ...]:
    """The allowance for adding a column that rewrites a table in use."""
    column = comparison.models.one(Column, key)
    writes = fills_rows(column) or checked_domain(comparison, key)
    if not (writes and comparison.is_in_use(column.table)):
        return ()
    if column.identity:
        return unavoidable("avoid-identity-column")
    generated = "avoid-stored-generated-column"
    return unavoidable(generated if column.generated else "avoid-volatile-default")


def _dropped(comparison: Comparison, key: Key) -> Iterator[Change]:
    """Drops a column; a required one is first made optional for new releases."""
    found, column = comparison.database.one(Column, key), comparison.reflected(key)
    table, name = found.table, found.name
    # A row without a value is refused.
    if found.not_null and not found.has_own_value and not comparison.at_once:
        optional = ops.AlterColumnOp(table, name, modify_nullable=True, existing_nullable=False)
        optional.existing_type = _known(column.type)
        about = f"From here on a release that does not know {key.name} can write rows."
        free = Change(Stage.TABLES, [optional], None, "nullable", key)
        yield free.at(Turn.MAIN, "", f"Allow rows without {key.name}", about)
        column.nullable = True
    about = f"Before this runs: deploy a release that neither reads nor writes {key.name}."
    do, undo = [ops.DropColumnOp(table, name)], [ops.AddColumnOp(table, column)]
    drop = Change(Stage.TABLES, do, undo, "drop", key)
    yield drop.at(Turn.COLUMNS, table, f"Drop {key.name}", about)


def _known(kind: Any) -> Any:
    """The type, or None where no revision can name it."""
    return None if isinstance(kind, Written) else kind


def _altered(comparison: Comparison, diff: ObjectDiff, key: Key) -> Iterator[Change]:
    """The changes of a column that differs; NOT NULL comes last."""
    different = changed(comparison, key)
    if not different:
        return
    if "type" in different and is_swappable(comparison, key):
        yield from swap(key, comparison)
        return
    (found, expected), declared = comparison.pair(key), comparison.columns[key]
    kind = _known(comparison.reflected(key).type)

    def alter(action: str, kind: Any, **given: Any) -> Change:
        operation = ops.AlterColumnOp(found.table, found.name, existing_type=kind, **given)
        return Change(Stage.TABLES, [operation], None, action, key)

    old, new = _default(found.default), _default(expected.default)
    if new is not None and isinstance(declared.server_default, DefaultClause):
        new = declared.server_default
    if different & {"type", "collation"}:
        yield from _retype(comparison, key, old, new)
    elif "default" in different:
        if comparison.database.uses.get(key, frozenset()) & diff.replaced:
            # The default is dropped while the values change: it may not exist in the other enum.
            yield from _without_default(key, found, old, [], new, Stage.AWAY)
        else:
            yield alter("default", kind, modify_server_default=new, existing_server_default=old)
    kind = declared.type if different & {"type", "collation"} else kind
    if "comment" in different:
        comments = {"modify_comment": expected.comment, "existing_comment": found.comment}
        yield alter("comment", kind, **comments)
    if "not null" in different and expected.not_null:
        yield from forbid_null(key, kind, comparison)
    elif "not null" in different:
        yield alter("nullable", kind, modify_nullable=True, existing_nullable=False)


def _without_default(
    key: Key, column: Column, old: Any, changes: list[Change], new: Any, away: Stage = Stage.TABLES
) -> list[Change]:
    """The changes with the old default dropped before and the new one set after them."""

    def default(stage: Stage, before: Any, after: Any) -> Change:
        do, undo = (
            [ops.AlterColumnOp(column.table, column.name, modify_server_default=value)]
            for value in (after, before)
        )
        return Change(stage, do, undo, "default", key)

    ahead = [] if old is None else [default(away, old, None)]
    behind = [] if new is None else [default(Stage.TABLES, None, new)]
    return [*ahead, *changes, *behind]


def identity(before: Column, after: Column) -> Iterator[Change]:
    """The changes that make, change or drop the identity of a column."""
    table, name = after.table, after.name

    def to(after: Column, before: Column) -> list[MigrateOperation]:
        first, *rest = alterations.identity(before, after)
        if not rest:
            return [sql(first)]
        # Existing rows keep their numbers: the sequence continues after the highest.
        sequence = f"pg_get_serial_sequence({literal(quoted(table))}, {literal(name)})"
        again = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} RESTART"
        return [sql(first), ContinueSequence(sequence, again, quoted(table), quoted(name))]

    if before.identity != after.identity:
        key = Key("column", f"{table}.{name}")
        change = Change(Stage.TABLES, to(after, before), to(before, after), "identity", key)
        yield from numbered(change, key)


def numbered(change: Change, key: Key) -> Iterator[Change]:
    """A sequence, and in another revision its first number, which may take a scan."""
    number = change.ops[-1] if change.ops else None
    if not isinstance(number, ContinueSequence):
        yield change
        return
    begun = Change(change.stage, change.ops[:-1], change.undo, change.action, key)
    about = (
        f"The sequence starts from its first number until a later revision sets {key.name} after "
        "the existing rows: until then, no release may rely on it."
    )
    yield begun.at(Turn.MAIN, about=about)
    about = (
        "Reads the rows for the highest number without blocking. The sequence does not see numbers "
        "that a release writes by itself afterwards."
    )
    title = f"Set {key.name} after its rows"
    last = Change(Stage.STATE, [number], None, "number", key)
    yield last.at(Turn.VALIDATE, key.name, title, about)


def _retype(comparison: Comparison, key: Key, old: Any, new: Any) -> list[Change]:
    """A type change. A default blocks it where PostgreSQL has no cast for the default.

    Where it has one, the default is set again too: it would keep the text of its old type.
    """
    (found, expected), kind = comparison.pair(key), comparison.columns[key].type
    table, name = found.table, found.name
    up = comparison.using(quoted(name), found.type, expected.type)
    down = comparison.using(quoted(name), expected.type, found.type)
    former = comparison.reflected(key).type
    operation = ops.AlterColumnOp(table, name, modify_type=kind, existing_type=_known(former))
    back = ops.AlterColumnOp(table, name, modify_type=former, existing_type=_known(kind))
    in_one = up is None and down is None
    if in_one and (old is not None or new is not None):
        operation.existing_server_default, operation.modify_server_default = old, new
        back.existing_server_default, back.modify_server_default = new, old
    retype = Change(Stage.TABLES, [_using(operation, up)], [_using(back, down)], "retype", key)
    about = "" if needs_no_rewrite(found.type, expected.type) else REWRITE
    written = about and comparison.is_in_use(table)
    allow = unavoidable("avoid-type-change") if written else ()
    retype.at(Turn.MAIN, about=about, allow=allow)
    return [retype] if in_one else _without_default(key, found, old, [retype], new)


def _using(operation: ops.AlterColumnOp, using: str | None) -> ops.AlterColumnOp:
    return operation if using is None else AlterColumnUsing(operation, using)


def _default(expression: str | None) -> DefaultClause | None:
    return None if expression is None else DefaultClause(text(expression))


def fills_rows(column: Column) -> bool:
    """Whether adding the column writes a value in each row."""
    return column.identity is not None or (column.generated or "").endswith(" STORED")


def is_volatile(comparison: Comparison, column: Column) -> bool:
    """Whether the default of a column may differ from row to row."""
    ours = {
        routine.name: bool(_SAYS_SO.search(routine.definition))
        for key, routine in comparison.models.each(Routine)
        if key.kind == "function"
    }
    calls = _CALL.findall((column.default or "").lower())
    return any(not ours.get(name, name not in comparison.volatile) for name in calls)
