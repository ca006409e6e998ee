"""Replaces an index or a key: builds the new one under a temporary name, then swaps it in.

If the old one were dropped first, queries would lack it until the new one is built, and duplicate
rows would be accepted.
"""

from collections.abc import Collection, Iterator
from copy import copy

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.comparison import Comparison, temporary_name
from surefoot.autogenerate.indexes import KeyIndex, index_of, key_index_of
from surefoot.autogenerate.rendering import BuildIndex, RemoveIndex, sql
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.quoting import quoted

_LONGEST_NAME = 63


def swap_index(key: Key, made: ops.CreateIndexOp, comparison: Comparison) -> Iterator[RevisionPart]:
    """Build the new index under a temporary name, drop the old one, rename the new one."""
    former = index_of(comparison.database.one(Index, key))
    assert former is not None
    name, there, create = key.name, temporary_name(key.name), Stage.CREATE
    build = Change(create, [BuildIndex(named(made, there))], [RemoveIndex(there)], "build", key)
    about = f"It replaces {name}, which is used until then."
    yield RevisionPart(build, Turn.INDEX, name, f"Build {there} on {made.table_name}", about)
    away = Change(create, [RemoveIndex(name)], [BuildIndex(former)], "unbuild", key)
    yield RevisionPart(away, Turn.SWAP, name, f"Drop the old {name}")
    rename = renamed_index(there, name), renamed_index(name, there)
    change = Change(create, [rename[0]], [rename[1]], "rename", key)
    yield RevisionPart(change, Turn.KEYS, "", f"Rename {there} to {name}")


def renamed_index(old: str, new: str) -> MigrateOperation:
    """The statement that renames an index."""
    return sql(f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")


def swap_key(key: Key, found: KeyIndex, comparison: Comparison) -> Iterator[RevisionPart]:
    """Build the index of the new key, then replace the old key in one transaction."""
    before, after = comparison.database.one(Constraint, key), comparison.models.one(Constraint, key)
    name, there = after.name, temporary_name(after.name)
    index = named(found.index, there)
    build = Change(Stage.CREATE, [BuildIndex(index)], [RemoveIndex(there)], "build", key)
    about = f"{name} stays in force until it is created from this index."
    yield RevisionPart(build, Turn.INDEX, name, f"Build the index of the new {name}", about)
    create, drop = object_operations.create, object_operations.drop
    do = [*drop(key, before), found.using(name, there), *create(key, after)[1:]]
    undo = [*drop(key, after), index, *create(key, before)]
    attach = Change(Stage.CREATE, do, undo, "attach", key)
    yield RevisionPart(attach, Turn.KEYS, after.table, f"Create {name} from its new index")


def can_swap(key: Key, comparison: Comparison, moved: Collection[Key]) -> bool:
    """Whether both can exist at once: the columns below them stay as they are."""
    before, after = comparison.database.objects.get(key), comparison.models.objects.get(key)
    uses = comparison.database.uses.get(key, frozenset())
    if isinstance(before, Index) and isinstance(after, Index):
        is_primary, buildable = False, index_of(before) is not None
    elif isinstance(before, Constraint) and isinstance(after, Constraint):
        is_primary = after.type == "primary key"
        buildable = key_index_of(before) is not None and before.type == after.type
    else:
        return False
    return (
        buildable
        and before.table == after.table
        and comparison.is_in_use(after.table)
        and before.definition != after.definition
        and not (before.comment or after.comment)
        and not comparison.database.users_of(key)
        and not uses & set(moved)
        and all(each in comparison.models.objects for each in uses)
        # Otherwise the primary key is dropped first.
        and not (is_primary and any(_is_optional(comparison.models, each) for each in uses))
        and len(temporary_name(after.name).encode()) <= _LONGEST_NAME
    )


def _is_optional(models: Catalog, key: Key) -> bool:
    column = models.find(Column, key)
    return column is not None and not column.not_null


def named(index: ops.CreateIndexOp, name: str) -> ops.CreateIndexOp:
    """The same index under another name."""
    other = copy(index)
    other.index_name = conv(name)
    return other
