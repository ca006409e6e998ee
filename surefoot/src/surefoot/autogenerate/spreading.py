"""spread() finds the objects that change along with a column, a type or an object below them.

They are the views on a column whose type changes, the views on those, the functions that take an
enum whose values change, the foreign keys between columns of which only one has changed so far.
PostgreSQL refuses to change an object under them, and CASCADE would drop them without creating them
again.
"""

from collections.abc import Collection
from itertools import permutations

from surefoot.autogenerate.comparison import Comparison, ObjectDiff, changed
from surefoot.autogenerate.object_operations import joined
from surefoot.autogenerate.swappable import is_foreign_key
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.catalog.widening import may_refer, needs_no_rewrite

VIEWS = ("view", "materialized view")
ROUTINES = ("function", "procedure", "aggregate")
HAVE_ROWS = ("table", "column")
_REFUSED = (*VIEWS, *ROUTINES, "trigger", "rule", "policy", "domain", "type")


def spread(comparison: Comparison, diff: ObjectDiff) -> None:
    """Add the objects that must be recreated because an object below them changes."""
    uses, kept = comparison.database.uses, comparison.models.objects
    diff.retyped = {
        key
        for key, _ in comparison.database.each(Column)
        if key in kept and changed(comparison, key) & {"type", "collation"}
    }
    altered = diff.retyped | {
        key for key in uses if key.kind == "column" and uses[key] & diff.replaced
    }
    # Nothing is dropped with CASCADE: users of a dropped object are recreated without it.
    leaving = {key for key in comparison.database.objects if key not in kept}
    before = -1
    while before != len(gone := diff.recreated | diff.recreated_columns | diff.freed_columns):
        before = len(gone)
        for user, used in uses.items():
            if user not in kept or user in gone:
                continue
            touched, under = used & (altered | diff.replaced), used & (gone | leaving)
            item = kept[user]
            if isinstance(item, Column):
                if (touched or under) and item.generated is not None:
                    diff.recreated_columns.add(user)
            elif user.kind not in HAVE_ROWS and (
                under
                or (touched and user.kind in _REFUSED)
                or _is_torn(comparison, user, touched, diff.retyped)
                or _is_read_again(comparison, user, used & diff.retyped)
            ):
                diff.recreated.add(user)
    diff.in_place -= diff.recreated


def _is_torn(
    comparison: Comparison, user: Key, columns: Collection[Key], retyped: Collection[Key]
) -> bool:
    """Whether a foreign key cannot stand while the columns at its ends change one by one."""
    item = comparison.database.objects[user]
    if not is_foreign_key(item):
        return False
    near = joined(item).keys() & columns
    return not all(
        {one, other} <= {*retyped}
        and may_refer(before.type, after.type)
        and before.collation == after.collation
        for one in near
        for other in {*columns} - near
        # As they meet when only one of them has changed.
        for (before, _), (_, after) in permutations(map(comparison.pair, (one, other)))
    )


def _is_read_again(comparison: Comparison, user: Key, columns: Collection[Key]) -> bool:
    """Whether PostgreSQL would scan the table for this object although it rewrites no row.

    It validates a check again under a new type, and rebuilds an index for a new collation. A
    rewrite does both by itself.
    """
    catalogs = comparison.database, comparison.models
    pairs = [tuple(catalog.one(Column, each) for catalog in catalogs) for each in columns]
    if not pairs or not all(needs_no_rewrite(old.type, new.type) for old, new in pairs):
        return False
    item = comparison.database.objects[user]
    if isinstance(item, Constraint) and item.type == "check":
        return True
    return isinstance(item, Index) and any(old.collation != new.collation for old, new in pairs)
