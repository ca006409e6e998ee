"""ObjectDiff is which objects are made, dropped, made anew or changed in place.

One change spreads: a column whose type changes takes the views on it along, a view those on that
view, an enum with other values the functions that take it. PostgreSQL refuses to change the one
under the other, and CASCADE would drop what nobody makes again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.comparison import Comparison, changed, is_replaced
from surefoot.autogenerate.retyping import needs_no_rewrite
from surefoot.autogenerate.swappable import is_swappable_enum
from surefoot.catalog import Key
from surefoot.catalog.kinds import Attributes, Column, Constraint, Index, Sequence, View

VIEWS = ("view", "materialized view")
ROUTINES = ("function", "procedure", "aggregate")
_REFUSED = (*VIEWS, *ROUTINES, "trigger", "rule", "policy")
# Made after tables and dropped before them; the others of these kinds the other way round.
AFTER_TABLES = (
    "constraint",
    "index",
    *ROUTINES,
    *VIEWS,
    "statistics",
    "rule",
    "policy",
    "trigger",
)
BEFORE_TABLES = ("type", "enum", "domain", "sequence")
KINDS = (*BEFORE_TABLES, *AFTER_TABLES)
_EASY: Mapping[str, Attributes] = {
    "constraint": frozenset({"validated"}),
    "trigger": frozenset({"enabled"}),
    "function": frozenset({"definition", "language"}),
    "procedure": frozenset({"definition", "language"}),
    "sequence": frozenset({"definition", "owned by"}),
    "domain": frozenset({"not null", "default", "checks"}),
    "view": frozenset({"definition", "columns", "options"}),
    "enum": frozenset({"labels"}),
}


@dataclass
class ObjectDiff:
    """The objects by what becomes of them; tables and their columns apart."""

    added: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)
    # Dropped and made again: as they are to be, or as they were, because something under them is.
    recreated: set[Key] = field(default_factory=set)
    in_place: set[Key] = field(default_factory=set)
    # Generated columns that are dropped and added; those that become ordinary ones.
    recreated_columns: set[Key] = field(default_factory=set)
    freed_columns: set[Key] = field(default_factory=set)
    # Enums whose values go or move, and with them a type.
    replaced: set[Key] = field(default_factory=set)
    # The others of these: their columns are filled beside the former.
    swapped: set[Key] = field(default_factory=set)


def diff_objects(comparison: Comparison) -> ObjectDiff:
    """What becomes of every object of `KINDS`, and of generated columns."""
    diff = ObjectDiff()
    found, expected = comparison.followed.objects, comparison.models.objects
    for key in sorted({*found, *expected}):
        if pair := comparison.column(key):
            _generated(diff, key, *pair)
        if key.kind not in KINDS or _comes_along(comparison, key):
            continue
        if key not in found:
            diff.added.add(key)
        elif key not in expected:
            diff.removed.add(key)
        elif different := changed(comparison, key):
            easy = different <= _EASY.get(key.kind, frozenset()) | {"comment"}
            if easy and not (key.kind == "view" and _loses_columns(comparison, key)):
                diff.in_place.add(key)
            else:
                diff.recreated.add(key)
            if is_replaced(comparison.followed, comparison.models, key):
                if is_swappable_enum(comparison, key):
                    diff.in_place.discard(key)
                    diff.swapped.add(key)
                else:
                    diff.replaced.add(key)
    spread(comparison, diff)
    return diff


def _generated(diff: ObjectDiff, key: Key, found: Column, expected: Column) -> None:
    before, after = found.generated, expected.generated
    retyped = (found.type, found.collation) != (expected.type, expected.collation)
    if before is not None and after is None and before.endswith(" STORED"):
        diff.freed_columns.add(key)
    elif before != after or (after is not None and retyped):
        diff.recreated_columns.add(key)


def _comes_along(comparison: Comparison, key: Key) -> bool:
    """Whether a table or a column brings the object with it and takes it away."""
    found, expected = comparison.database.objects.get(key), comparison.models.objects.get(key)
    item = found if expected is None else expected
    if isinstance(item, Constraint | Index) and item.table in comparison.new_tables:
        # One that a statement beside the metadata makes comes after the table.
        kind = item.type if isinstance(item, Constraint) else "index"
        return key in comparison.declared or (item.table, kind) in comparison.nameless
    if isinstance(item, Constraint) and item.table in comparison.gone_tables:
        # Tables go in any order, and lock no other, when what they refer by went before.
        referred = object_operations.refers_to(item)
        other = referred is not None and referred != item.table
        return object_operations.is_plain(item) and not other
    both = found is not None and expected is not None
    if isinstance(item, Sequence) and item.owned_by is not None and not both:
        column = Key("column", item.owned_by)
        return (column in comparison.database.objects) != (column in comparison.models.objects)
    return False


def _loses_columns(comparison: Comparison, key: Key) -> bool:
    """Whether a view cannot be replaced in place: columns may be added at its end only."""
    before = comparison.followed.one(View, key).columns or ()
    after = comparison.models.one(View, key).columns or ()
    if before == after:
        return False
    # The way back has to drop it, and then nothing may stand on it.
    used = comparison.database.users_of(key) | comparison.models.users_of(key)
    return bool(used) or after[: len(before)] != before


def spread(comparison: Comparison, diff: ObjectDiff) -> None:
    """Add what has to be made anew because something under it diff."""
    uses, kept = comparison.database.uses, comparison.models.objects
    retyped = {
        key
        for key, _ in comparison.database.each(Column)
        if key in kept and changed(comparison, key) & {"type", "collation"}
    }
    altered = retyped | {key for key in uses if key.kind == "column" and uses[key] & diff.replaced}
    # What is dropped takes nothing along: what stays has to be without it before.
    leaving = {key for key in comparison.database.objects if key not in kept}
    while True:
        gone = diff.recreated | diff.recreated_columns | diff.freed_columns
        before = len(gone)
        for user, used in uses.items():
            if user not in kept or user in gone:
                continue
            touched, under = used & (altered | diff.replaced), used & (gone | leaving)
            item = kept[user]
            if isinstance(item, Column):
                if (touched or under) and item.generated is not None:
                    diff.recreated_columns.add(user)
            elif user.kind in KINDS and (
                under
                or (touched and user.kind in _REFUSED)
                or _is_read_again(comparison, user, used & retyped)
            ):
                diff.recreated.add(user)
        if before == len(diff.recreated | diff.recreated_columns | diff.freed_columns):
            break
    diff.in_place -= diff.recreated


def _is_read_again(comparison: Comparison, user: Key, columns: Collection[Key]) -> bool:
    """Whether PostgreSQL would read the table for the user alone, and leave the rows as they are.

    A check is proven again under a new type; an index has another order by a new collation. Where
    the rows are written anew it makes both by itself.
    """
    pairs = [
        (comparison.database.one(Column, each), comparison.models.one(Column, each))
        for each in columns
    ]
    if not pairs or not all(needs_no_rewrite(old.type, new.type) for old, new in pairs):
        return False
    item = comparison.database.objects[user]
    if isinstance(item, Constraint) and item.type == "check":
        return True
    return isinstance(item, Index) and any(old.collation != new.collation for old, new in pairs)
