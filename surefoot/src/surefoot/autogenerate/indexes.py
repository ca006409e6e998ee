"""Indexes as Alembic's operations, and the replacement of an index or a key in use.

The new one is built under a temporary name, then swapped in. If the old one were dropped first,
queries would lack it until the new one is built, and duplicate rows would be accepted.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import literal_column, text
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison, has_temporary_name, temporary_name
from surefoot.autogenerate.object_operations import step
from surefoot.autogenerate.rendering import BuildIndex, Call, Name, drop_index, sql
from surefoot.catalog import Catalog, Key
from surefoot.catalog.definitions import is_name, names, parse_index, parse_key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.quoting import quoted

_OPTION = re.compile(r"(\w+)\s*=\s*'?([\w.]+)'?")
_PARAMETER = re.compile(r"(?<!:):\w")


@dataclass(frozen=True)
class KeyIndex:
    """The index under a key, and when the key is checked."""

    index: ops.CreateIndexOp
    is_primary: bool
    deferrable: bool
    initially: str | None

    def using(self, name: str, index: str) -> Call:
        make = f"create_{'primary_key' if self.is_primary else 'unique_constraint'}_using_index"
        timing = {"deferrable": self.deferrable, "initially": self.initially}
        return Call(make, Name(name), str(self.index.table_name), Name(index), **timing)


def index_of(index: Index) -> ops.CreateIndexOp | None:
    """An index as an operation; None where the operation would lose a part of it."""
    found = parse_index(index.definition)
    if found is None:
        return None
    # SQLAlchemy takes a colon in a text for a parameter.
    condition = literal_column if _PARAMETER.search(found.where or "") else text
    given: dict[str, Any] = {
        "using": found.method if found.method != "btree" else None,
        "include": list(found.include) or None,
        "nulls_not_distinct": found.nulls_not_distinct or None,
        "with": dict(_OPTION.findall(found.options or "")) or None,
        "where": condition(found.where) if found.where else None,
    }
    columns = [names(item)[0] if is_name(item) else literal_column(item) for item in found.items]
    return ops.CreateIndexOp(
        conv(index.name),
        index.table,
        columns,  # type: ignore[arg-type]  # Alembic takes any expression
        unique=found.unique,
        **_postgresql(given),
    )


def key_index_of(constraint: Constraint) -> KeyIndex | None:
    """The unique index that a unique constraint or a primary key can be made of."""
    key = parse_key(constraint.definition)
    if key is None:
        return None
    given = {
        "include": names(key.include) if key.include else None,
        "nulls_not_distinct": key.nulls_not_distinct or None,
    }
    columns, options = names(key.columns), _postgresql(given)
    index = ops.CreateIndexOp(
        conv(constraint.name), constraint.table, columns, unique=True, **options
    )
    return KeyIndex(index, key.is_primary, key.deferrable, key.initially)


def _postgresql(given: Mapping[str, Any]) -> dict[str, Any]:
    return {f"postgresql_{name}": value for name, value in given.items() if value is not None}


def index_parts(
    change: Change, key: Key, comparison: Comparison, moved: Collection[Key]
) -> Iterator[Change]:
    """The parts of a change on an index; `moved` are the objects that change below it."""
    leaving = change.stage in (Stage.DROP, Stage.CLEAN)
    database, models = comparison.database, comparison.models
    item = (database if leaving else models).one(Index, key)
    made = change.undo if leaving else change.ops
    index = made[0] if made and isinstance(made[0], ops.CreateIndexOp) else index_of(item)
    view = Key("materialized view", item.table)
    if leaving and view in database.objects:
        # Dropped with the view.
        without = Change(change.stage, [], change.undo, change.action, key)
        if view in moved or view not in models.objects:
            yield without.at(Turn.MAIN if view in moved else Turn.CONTRACT)
            return
    if not comparison.is_in_use(item.table) or index is None:
        yield change
        return
    if can_swap(key, comparison, moved):
        if not leaving:
            yield from _swap_index(key, index, comparison)
        return
    name, build, silent = item.name, [BuildIndex(index)], replace(item, comment=None)
    if leaving:
        if item.comment:
            yield step(change.stage, key, item, silent, "comment").at(Turn.BEFORE)
        gone = Change(change.stage, [drop_index(name)], build, "unbuild", key)
        again = key in models.objects
        about = f"Until {name} is built again, queries run without it." if again else ""
        yield gone.at(Turn.UNINDEX, name, f"Drop {name}", about)
    else:
        there = Change(change.stage, build, None, "build", key)
        yield there.at(Turn.INDEX, name, f"Build {name} on {item.table}")
        if item.comment:
            yield step(change.stage, key, silent, item, "comment").at(Turn.KEYS)


def _swap_index(key: Key, made: ops.CreateIndexOp, comparison: Comparison) -> Iterator[Change]:
    """Build the new index under a temporary name, drop the old one, rename the new one."""
    former = index_of(comparison.database.one(Index, key))
    assert former is not None
    name, there, create = key.name, temporary_name(key.name), Stage.CREATE
    build = Change(create, [BuildIndex(named(made, there))], None, "build", key)
    about = f"It replaces {name}, which is used until then."
    yield build.at(Turn.INDEX, name, f"Build {there} on {made.table_name}", about)
    away = Change(create, [drop_index(name)], [BuildIndex(former)], "unbuild", key)
    yield away.at(Turn.SWAP, name, f"Drop the old {name}")
    rename = Change(
        create, [renamed_index(there, name)], [renamed_index(name, there)], "rename", key
    )
    yield rename.at(Turn.KEYS, "", f"Rename {there} to {name}")


def renamed_index(old: str, new: str) -> MigrateOperation:
    return sql(f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")


def swap_key(key: Key, found: KeyIndex, comparison: Comparison) -> Iterator[Change]:
    """Build the index of the new key, then replace the old key in one transaction."""
    before, after = comparison.database.one(Constraint, key), comparison.models.one(Constraint, key)
    name, there = after.name, temporary_name(after.name)
    index = named(found.index, there)
    build = Change(Stage.CREATE, [BuildIndex(index)], None, "build", key)
    about = f"{name} stays in force until it is created from this index."
    yield build.at(Turn.INDEX, name, f"Build the index of the new {name}", about)
    create, drop = object_operations.create, object_operations.drop
    do = [*drop(key, before), found.using(name, there), *create(key, after)[1:]]
    undo = [*drop(key, after), index, *create(key, before)]
    attach = Change(Stage.CREATE, do, undo, "attach", key)
    yield attach.at(Turn.KEYS, after.table, f"Create {name} from its new index")


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
        and has_temporary_name(after.name)
    )


def _is_optional(models: Catalog, key: Key) -> bool:
    column = models.find(Column, key)
    return column is not None and not column.not_null


def named(index: ops.CreateIndexOp, name: str) -> ops.CreateIndexOp:
    other = copy(index)
    other.index_name = conv(name)
    return other
