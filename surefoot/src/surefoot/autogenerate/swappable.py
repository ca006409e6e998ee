"""Which columns can be swapped for a second one of another type; `column_swap` does it.

All objects that need the column must be such that a second one can exist beside them.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TypeGuard

from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.identities import followed
from surefoot.autogenerate.indexes import index_of_key
from surefoot.autogenerate.naming import has_temporary_name, temporary_name
from surefoot.autogenerate.object_operations import index_call, joined
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.definitions import whole_name
from surefoot.catalog.kinds import Column, Constraint, Index, Sequence, Table
from surefoot.catalog.order import in_order
from surefoot.catalog.widening import is_widening, needs_no_rewrite


def swappable(comparison: Comparison, retyped: Collection[Key]) -> list[Key]:
    """The columns that can be swapped for one of another type, each after those it refers to."""
    found, before = {key for key in retyped if is_rewritten(comparison, key)}, -1
    while before != len(found):
        before = len(found)
        found = {key for key in found if _can_be_swapped(comparison, key, found)}
    uses = {key: frozenset(_referred(comparison, key)) for key in found}
    return in_order(found, uses)


def in_two_rounds(comparison: Comparison, key: Key) -> list[str]:
    """The other changes without which a column could be swapped; none where that is no help."""
    database, retyped = comparison.database, comparison.diff.retyped
    found = {each: comparison.pair(each) for each in retyped}
    concerned = {user for each in retyped for user in users(comparison, each)}
    different = {key for key, _ in database.objects.items() ^ comparison.models.objects.items()}
    others = sorted(concerned & different)
    columns = {
        each: replace(old, type=new.type, collation=new.collation, identity=followed(old, new))
        for each, (old, new) in found.items()
    }
    models = comparison.models.with_objects_of(database, others)
    models = replace(models, objects={**models.objects, **columns})
    temporary = comparison.temporary.with_objects_of(database, others)
    alone = replace(comparison, models=models, temporary=temporary)
    if key not in swappable(alone, retyped):
        return []
    numbered = [each for each, (_, new) in found.items() if columns[each].identity != new.identity]
    own = users(comparison, key)
    named = [f"the {each.kind} {each.name}" for each in others if each in own]
    named += [f"the identity of {each.name}" for each in numbered if each == key]
    return named or [f"the {each.kind} {each.name}" for each in [*others, *numbered]]


def is_rewritten(comparison: Comparison, key: Key) -> bool:
    """Whether a column of both sides gets a type that rewrites its table."""
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    return not (comparison.is_inherited(key) or needs_no_rewrite(before.type, after.type))


def is_in_step(comparison: Comparison, key: Key) -> bool:
    """Whether a trigger can keep both columns in step: each value of the old one fits the new one.

    A trigger does not concern the rows of tables that inherit from its own.
    """
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    tables = (each.name for each, _ in comparison.database.each(Table))
    is_parent = any(before.table in comparison.database.parents(each) for each in tables)
    return before.type in HIGHEST and is_widening(before.type, after.type) and not is_parent


def users(comparison: Comparison, key: Key) -> list[Key]:
    """The objects that need a column; a sequence that it owns moves along."""
    found = comparison.users_of(key) - {key}
    return sorted(each for each in found if not owns(comparison, key, each))


def owns(comparison: Comparison, key: Key, sequence: Key) -> bool:
    sides = comparison.database, comparison.models
    found = [side.find(Sequence, sequence) for side in sides]
    return all(each is not None and each.owned_by == key.name for each in found)


def is_foreign_key(item: SchemaObject | None) -> TypeGuard[Constraint]:
    return isinstance(item, Constraint) and item.type == "foreign key"


def is_swappable_enum(comparison: Comparison, key: Key) -> bool:
    """Whether the columns of an enum can be swapped for columns of a new type.

    They must belong to one table: the swap would lock two at once.
    """
    columns = enum_columns(comparison, key)
    standing = comparison.users_of(key) - set(columns)
    on_columns = {user for column in columns for user in comparison.users_of(column)}
    free = not any(
        Key(kind, temporary_name(key.name)) in catalog.objects
        for kind in ("enum", "type", "domain", "table", "view")
        for catalog in (comparison.database, comparison.models)
    )
    return (
        free
        and has_temporary_name(key.name)
        and len({column.table for column in columns.values()}) == 1
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


def new_users(comparison: Comparison, *columns: Key) -> set[Key]:
    """The objects of swapped columns that no column had before: they come with the second one."""
    found = {user for column in columns for user in users(comparison, column)}
    return found - comparison.database.objects.keys()


def enum_columns(comparison: Comparison, enum: Key) -> dict[Key, Column]:
    """The columns of an enum type, or of arrays of it; one that is inherited changes along."""
    return {
        column: found
        for column, found in comparison.database.each(Column)
        if enum in comparison.database.needs(column)
        and whole_name(found.type.removesuffix("[]")) == enum.name
        and not comparison.is_inherited(column)
    }


def _can_be_swapped(comparison: Comparison, key: Key, along: Collection[Key] = frozenset()) -> bool:
    """Whether a column can be swapped; `along` are the others that are."""
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    there = Key("column", temporary_name(key.name))
    free = there not in comparison.database.objects and there not in comparison.models.objects
    plain = not any(each.generated for each in (before, after))
    # The numbers of an identity move along.
    plain &= followed(before, after) == after.identity
    return (
        free
        and there in comparison.temporary.objects
        and plain
        and (after.identity is None or is_in_step(comparison, key))
        and comparison.is_in_use(after.table)
        and all(_can_be_copied(comparison, user, key, along) for user in users(comparison, key))
    )


def _can_be_copied(comparison: Comparison, user: Key, key: Key, along: Collection[Key]) -> bool:
    """Whether a dependent object is as it was, or a new index, and fits on a second column."""
    item = comparison.temporary.objects.get(user)
    if item is None or item.comment:
        return False
    if user not in comparison.database.objects:
        others = {*columns_of(comparison, user)} - {key}
        is_plain = isinstance(item, Index) and not item.unique and index_call(item) is not None
        return is_plain and not others & {*along}
    if changed(comparison, user) or not has_temporary_name(item.name):
        return False
    if is_foreign_key(item):
        return item.validated and _can_refer_again(comparison, user, along)
    others = {*columns_of(comparison, user)} - {key}
    if others & {*along}:
        return False
    if isinstance(item, Index):
        return index_call(item) is not None
    if not isinstance(item, Constraint):
        return False
    if item.type == "check":
        return item.validated
    of_key = item.type == "primary key" and key in along and not others
    is_kept = item.type == "unique" or (of_key and is_in_step(comparison, key))
    return is_kept and index_of_key(item) is not None


def _can_refer_again(comparison: Comparison, key: Key, along: Collection[Key]) -> bool:
    """Whether a foreign key can exist twice; its columns that change are kept in step."""
    ends = columns_of(comparison, key)
    return len(ends) == 2 and all(
        comparison.is_in_use(comparison.table_of(each) or "")
        and ("type" not in changed(comparison, each) or each in along)
        and (each not in along or is_in_step(comparison, each))
        for each in ends
    )


def columns_of(comparison: Comparison, key: Key) -> list[Key]:
    """The columns that an object needs, those of a foreign key at both ends."""
    is_new = key not in comparison.database.objects
    needs = (comparison.models if is_new else comparison.database).needs(key)
    return sorted(each for each in needs if each.kind == "column")


def foreign_keys(comparison: Comparison, key: Key) -> list[Key]:
    """The foreign keys from a column or to it."""
    found = comparison.database.objects
    return [each for each in users(comparison, key) if is_foreign_key(found.get(each))]


def _referred(comparison: Comparison, key: Key) -> Iterator[Key]:
    """The columns that the foreign keys of a column refer to."""
    for user in foreign_keys(comparison, key):
        own = joined(comparison.database.one(Constraint, user)).keys()
        if key in own:
            yield from {*columns_of(comparison, user)} - own
