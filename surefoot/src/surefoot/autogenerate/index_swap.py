"""Replaces an index or a key: builds the new one under a temporary name, then swaps it in.

If the old one were dropped first, queries would lack it until the new one is built, and duplicate
rows would be accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, temporary_name
from surefoot.autogenerate.indexes import KeyIndex, index_of, key_index_of
from surefoot.autogenerate.rendering import BuildIndex, RemoveIndex, sql
from surefoot.autogenerate.revision_part import RevisionPart, Turn
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.operations.constraints import PrimaryKeyUsingIndex, UniqueUsingIndex
from surefoot.quoting import quoted

_LONGEST_NAME = 63


def swap_index(key: Key, made: ops.CreateIndexOp, comparison: Comparison) -> Iterator[RevisionPart]:
    """Build the new index under a temporary name, drop the old one, rename the new one."""
    former = index_of(comparison.database.one(Index, key))
    assert former is not None
    name, there = key.name, temporary_name(key.name)
    table = str(made.table_name)
    build = Change(
        Stage.CREATE, [BuildIndex(named(made, there))], [RemoveIndex(there)], "build", key
    )
    about = f"It replaces {name}, which is used until then."
    yield RevisionPart(build, Turn.INDEX, name, f"Build {there} on {table}", about)
    away = Change(Stage.CREATE, [RemoveIndex(name)], [BuildIndex(former)], "unbuild", key)
    yield RevisionPart(away, Turn.SWAP, name, f"Drop the old {name}")
    do, undo = (
        sql(f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")
        for old, new in ((there, name), (name, there))
    )
    rename = Change(Stage.CREATE, [do], [undo], "rename", key)
    yield RevisionPart(rename, Turn.KEYS, "", f"Rename {there} to {name}")


def swap_key(key: Key, found: KeyIndex, comparison: Comparison) -> Iterator[RevisionPart]:
    """Build the index of the new key, then replace the old key in one transaction."""
    before, after = comparison.database.one(Constraint, key), comparison.models.one(Constraint, key)
    name, table = after.name, after.table
    there = temporary_name(name)
    index = named(found.index, there)
    build = Change(Stage.CREATE, [BuildIndex(index)], [RemoveIndex(there)], "build", key)
    about = f"{name} stays in force until it is created from this index."
    yield RevisionPart(build, Turn.INDEX, name, f"Build the index of the new {name}", about)
    kind = PrimaryKeyUsingIndex if found.is_primary else UniqueUsingIndex
    using = kind(conv(name), table, there, deferrable=found.deferrable, initially=found.initially)
    attach = Change(
        Stage.CREATE,
        [*object_operations.drop(key, before), using, *object_operations.create(key, after)[1:]],
        [*object_operations.drop(key, after), index, *object_operations.create(key, before)],
        "attach",
        key,
    )
    yield RevisionPart(attach, Turn.KEYS, table, f"Create {name} from its new index")


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
        and (not is_primary or _stay_required(uses, comparison))
        and len(temporary_name(after.name).encode()) <= _LONGEST_NAME
    )


def _stay_required(columns: Collection[Key], comparison: Comparison) -> bool:
    """Whether all columns of a primary key stay NOT NULL; otherwise the key is dropped first."""
    declared = (comparison.models.find(Column, each) for each in columns)
    return all(each is None or each.not_null for each in declared)


def named(index: ops.CreateIndexOp, name: str) -> ops.CreateIndexOp:
    """The same index under another name."""
    other = copy(index)
    other.index_name = conv(name)
    return other
