"""Type changes: whether all values fit, rows are rewritten, or a second column can be swapped in.

Indexes, checks and unique constraints are built on the second column too. Views, foreign keys,
generated columns, triggers and functions refer to the old column itself, and prevent a swap.
"""

from surefoot.autogenerate.comparison import Comparison, changed, has_temporary_name, temporary_name
from surefoot.autogenerate.indexes import can_be_built, index_of_key
from surefoot.catalog import Key
from surefoot.catalog.definitions import names
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.catalog.widening import needs_no_rewrite


def is_swappable(comparison: Comparison, key: Key) -> bool:
    """Whether a retyped column can be swapped."""
    if comparison.at_once:
        return False
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    rewritten = not needs_no_rewrite(before.type, after.type)
    return rewritten and _can_be_swapped(comparison, key)


def is_swappable_enum(comparison: Comparison, key: Key) -> bool:
    """Whether the columns of an enum can be swapped for columns of a new type.

    They must belong to one table: the swap would lock two at once.
    """
    columns = columns_of(comparison, key)
    standing = users_of(comparison, key) - set(columns)
    on_columns = {user for column in columns for user in users_of(comparison, column)}
    free = not any(
        Key(kind, temporary_name(key.name)) in catalog.objects
        for kind in ("enum", "type", "domain", "table", "view")
        for catalog in (comparison.database, comparison.models)
    )
    return (
        free
        and has_temporary_name(key.name)
        and not comparison.at_once
        and bool(columns)
        and len({column.name.rpartition(".")[0] for column in columns}) == 1
        and not comparison.models.objects[key].comment
        and not comparison.database.objects[key].comment
        and standing <= on_columns
        and all(
            column in comparison.models.objects
            and not changed(comparison, column)
            and _can_be_swapped(comparison, column)
            for column in columns
        )
    )


def columns_of(comparison: Comparison, enum: Key) -> list[Key]:
    """The columns of an enum type, or of arrays of it; one that is inherited changes along."""
    return [
        column
        for column, found in comparison.database.each(Column)
        if enum in comparison.database.uses.get(column, ())
        and names(found.type.removesuffix("[]")) == [enum.name]
        and not comparison.is_inherited(column)
    ]


def users_of(comparison: Comparison, key: Key) -> frozenset[Key]:
    """The objects that depend on another one, before or after."""
    return comparison.database.users_of(key) | comparison.models.users_of(key)


def _can_be_swapped(comparison: Comparison, key: Key) -> bool:
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    there = Key("column", temporary_name(key.name))
    free = there not in comparison.database.objects and there not in comparison.models.objects
    plain = not any(each.generated or each.identity for each in (before, after))
    return (
        free
        and plain
        and comparison.is_in_use(after.table)
        and has_temporary_name(after.name)
        and all(_can_be_copied(comparison, user) for user in users_of(comparison, key))
    )


def _can_be_copied(comparison: Comparison, user: Key) -> bool:
    """Whether a dependent object does not change, and can be created on a second column."""
    item = comparison.temporary.objects.get(user)
    known = user in comparison.database.objects and user in comparison.models.objects
    if item is None or not known or changed(comparison, user) or item.comment:
        return False
    if not has_temporary_name(item.name):
        return False
    if isinstance(item, Index):
        return can_be_built(item)
    if not isinstance(item, Constraint) or users_of(comparison, user):
        return False
    if item.type == "check":
        return item.validated
    return item.type == "unique" and index_of_key(item) is not None
