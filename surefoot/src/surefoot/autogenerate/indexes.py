"""Indexes as Alembic's operations, and the replacement of an index or a key in use.

The new one is built under a temporary name, then swapped in. If the old one were dropped first,
queries would lack it until the new one is built, and duplicate rows would be accepted.
"""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.allowances import TOGETHER
from surefoot.autogenerate.change import WINDOW, Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.naming import has_temporary_name, temporary_name
from surefoot.autogenerate.object_operations import create, drop, index_call, refers_to, step
from surefoot.autogenerate.renames import Rename, indexed, name_of_index
from surefoot.autogenerate.rendering import Call, Name, drop_index
from surefoot.catalog import Catalog, Key
from surefoot.catalog.definitions import is_name, names, parse_index, parse_key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.catalog.model import key_of
from surefoot.catalog.widening import is_widening
from surefoot.quoting import in_schema, quoted, schema_of

_RELATIONS = ("table", "view", "materialized view", "sequence")


def build(index: Index) -> MigrateOperation:
    """CREATE INDEX CONCURRENTLY, of an index that has an `index_call`."""
    call = index_call(index, concurrently=True)
    assert call is not None
    return call


def built(key: Key, index: Index, title: str, about: str = "") -> Change:
    """The revision that builds an index of a table in use, or the one of a key."""
    change = Change(Stage.CREATE, [build(index)], [drop_index(index.name)], "build", key)
    return change.at(Turn.INDEX, index.name, title, about)


def index_of_key(constraint: Constraint) -> Index | None:
    """The unique index that a unique constraint or a primary key can be made of."""
    key = parse_key(constraint.definition)
    if key is None:
        return None
    include = f" INCLUDE ({key.include})" if key.include else ""
    nulls = " NULLS NOT DISTINCT" if key.nulls_not_distinct else ""
    name, table = quoted(constraint.name), quoted(constraint.table)
    return Index(
        name=in_schema(schema_of(constraint.table), constraint.name),
        table=constraint.table,
        definition=f"CREATE UNIQUE INDEX {name} ON {table} USING btree ({key.columns})"
        f"{include}{nulls}",
        unique=True,
        valid=True,
        comment=None,
    )


def using_index(constraint: Constraint, index: str) -> Call:
    key = parse_key(constraint.definition)
    assert key is not None
    make = f"create_{'primary_key' if key.is_primary else 'unique_constraint'}_using_index"
    timing = {"deferrable": key.deferrable, "initially": key.initially}
    return Call(make, Name(constraint.name), constraint.table, Name(index), **timing)


def attached(stage: Stage, key: Key, item: Constraint | Index, index: Index) -> Change:
    """The change that makes a key of its index; the way back leaves the index.

    A unique index is there already, and is built once more on the way back: a foreign key takes the
    first index that it finds, which has to be that of the former key.
    """
    make = [using_index(item, index.name)] if isinstance(item, Constraint) else []
    undo = [drop(key, item), *create(Key("index", index.name), index)]
    return Change(stage, [*make, *create(key, item)[1:]], undo, "attach", key)


def index_parts(change: Change, comparison: Comparison) -> Iterator[Change]:
    key = change.key
    leaving = change.stage in (Stage.DROP, Stage.CLEAN)
    database, models = comparison.database, comparison.models
    item = (database if leaving else models).one(Index, key)
    view = Key("materialized view", item.table)
    if leaving and view in database.objects:
        # Dropped with the view.
        without = Change(change.stage, [], change.undo, change.action, key)
        is_moved = view in comparison.diff.moved
        if is_moved or view not in models.objects:
            yield without.at(Turn.MAIN if is_moved else Turn.CONTRACT)
            return
    if not comparison.is_in_use(item.table, or_parts=True) or index_call(item) is None:
        if comparison.is_online(item.table) and not leaving:
            told = f"{item.name} is built while writes to {item.table} wait: {WINDOW}"
            change.about = f"{change.about} {told}".strip()
        yield change
        return
    name, silent = item.name, replace(item, comment=None)
    if can_swap(key, comparison):
        if key in database.objects and key in models.objects:
            yield from () if leaving else _swap_index(key, comparison)
        elif not leaving:
            yield from swap_key(key, silent, comparison)
        return
    if leaving:
        if item.comment:
            yield step(change.stage, key, item, silent, "comment").at(Turn.BEFORE)
        gone = Change(change.stage, [drop_index(name)], [build(item)], "unbuild", key)
        again = key in models.objects
        about = f"Until {name} is built again, queries run without it." if again else ""
        yield gone.at(Turn.UNINDEX, name, f"Drop {name}", about)
    else:
        yield built(key, item, f"Build {name} on {item.table}")
        if taken_over(key, comparison) is not None:
            attach = attached(Stage.CREATE, key, item, silent)
            yield attach.at(Turn.KEYS, item.table, f"Refer by {name}")
        elif item.comment:
            yield step(change.stage, key, silent, item, "comment").at(Turn.KEYS)


def _swap_index(key: Key, comparison: Comparison) -> Iterator[Change]:
    """Build the new index under a temporary name, drop the old one, rename the new one."""
    former, made = (each.one(Index, key) for each in (comparison.database, comparison.models))
    name, there, stage = key.name, temporary_name(key.name), Stage.CREATE
    if former.comment:
        yield step(stage, key, former, replace(former, comment=None), "comment").at(Turn.BEFORE)
    about = f"It replaces {name}, which is used until then."
    yield built(key, replace(made, name=there), f"Build {there} on {made.table}", about)
    away = Change(stage, [drop_index(name)], [build(former)], "unbuild", key)
    yield away.at(Turn.SWAP, name, f"Drop the old {name}")
    rename = Rename("index", made.table, there, name).change(stage)
    rename.ops += create(key, made)[1:]
    yield rename.at(Turn.KEYS, "", f"Rename {there} to {name}")


def swap_key(key: Key, index: Index, comparison: Comparison) -> Iterator[Change]:
    """Build the index of the new key, then replace the old key in one transaction."""
    was, _ = before_and_after(key, comparison)
    before, after = comparison.database.objects[was], comparison.models.objects[key]
    assert isinstance(before, Constraint | Index)
    if isinstance(after, Constraint):
        if key == was:
            index = replace(index, name=temporary_name(index.name))
        about = f"{before.name} stays in force until the new key is created from this index."
        yield built(key, index, f"Build the index of the new {after.name}", about)
        title = f"Create {after.name} from its new index"
    else:
        assert isinstance(after, Index)
        about = f"It replaces {before.name}, which is used until then."
        yield built(key, index, f"Build {after.name} on {after.table}", about)
        title = f"Drop {before.name} for {after.name}"
    away, attach = (
        step(Stage.CREATE, was, before, None, "drop"),
        attached(Stage.CREATE, key, after, index),
    )
    # On the way back a foreign key takes the first index that it finds: the one of the key.
    gone, *there = attach.undo
    undo = [gone, *away.undo, *there]
    change = Change(Stage.CREATE, [*away.ops, *attach.ops], undo, "attach", key)
    told = f"{before.name} {TOGETHER}." if isinstance(before, Index) else ""
    yield change.at(Turn.KEYS, after.table, title, told)


def before_and_after(key: Key, comparison: Comparison) -> tuple[Key, Key]:
    """A key on both sides, by either: the primary key may get another name.

    Foreign keys that need a key which goes come to a new one on the same columns.
    """
    database, models, table = comparison.database, comparison.models, comparison.table_of(key) or ""
    gone, made = (
        {each: item for each, item in keys_of(side, table).items() if each not in other.objects}
        for side, other in ((database, models), (models, database))
    )
    primary = [each for side in (gone, made) for each in side if is_primary(side[each])]
    pairs = {primary[0]: primary[1]} if len(primary) == 2 else {}
    for was in filter(database.users_of, gone):
        free = [each for each in made if each not in pairs.values()]
        alike = [each for each in free if columns_of_key(made[each]) == columns_of_key(gone[was])]
        if alike and was not in pairs:
            # On the way back they would also take one that they do not need now.
            pairs[was] = min(alike, key=lambda each: not models.users_of(each))
    return next((pair for pair in pairs.items() if key in pair), (key, key))


def keys_of(catalog: Catalog, table: str) -> dict[Key, Constraint | Index]:
    """The keys and unique indexes of a table: to each of these a foreign key may refer."""
    found: list[Constraint | Index] = [*catalog.of_table(Constraint, table).values()]
    found += catalog.of_table(Index, table).values()
    return {key_of(each): each for each in found if columns_of_key(each)}


def is_primary(item: Constraint | Index) -> bool:
    return isinstance(item, Constraint) and item.type == "primary key"


def columns_of_key(item: Constraint | Index) -> frozenset[str]:
    """The columns of a key, or of an index to which a foreign key may refer instead."""
    if isinstance(item, Constraint):
        key = parse_key(item.definition)
        return frozenset(names(key.columns) if key else ())
    index = parse_index(item.definition)
    refers = index and index.unique and not index.where and all(map(is_name, index.items))
    return (
        frozenset(name for each in index.items for name in names(each))
        if index and refers
        else frozenset()
    )


def can_swap(key: Key, comparison: Comparison) -> bool:
    """Whether both can exist at once: the old one outlasts the changes of the columns below it."""
    was, becomes = before_and_after(key, comparison)
    before, after = comparison.database.objects.get(was), comparison.models.objects.get(becomes)
    uses, users = comparison.database.needs(was), comparison.database.users_of(was)
    if not isinstance(before, Constraint | Index) or not isinstance(after, Constraint | Index):
        return False
    if is_plain := isinstance(before, Index) and was == becomes:
        buildable = index_call(before) is not None and not users | (uses & comparison.diff.moved)
    else:
        buildable = all(
            (index_call(each) if isinstance(each, Index) else index_of_key(each)) is not None
            for each in (before, after)
        )
        buildable &= not users or _takes_its_users(was, comparison)
        buildable &= was == becomes or not is_wanted(before, comparison.models)
    return (
        buildable
        and before.table == after.table
        and comparison.is_in_use(after.table, or_parts=is_plain)
        and before.definition != after.definition
        and not any(_goes_early(each, comparison, becomes) for each in uses)
        and has_temporary_name(after.name)
    )


def is_wanted(item: Constraint | Index, models: Catalog) -> bool:
    """Whether another relation has the name of its index by then."""
    if isinstance(item, Constraint) and item.type in ("check", "foreign key"):
        return False
    name, names = name_of_index(item), {name_of_index(each) for _, each in indexed(models)}
    relations = {Key(kind, name) for kind in _RELATIONS}
    return name in {*names, *map(temporary_name, names)} or bool(relations & {*models.objects})


def _goes_early(key: Key, comparison: Comparison, becomes: Key) -> bool:
    """Whether an object that a key needs goes, or changes under it, before the key can.

    A column goes last, but for a generated one. It may get another type, unless that has no order:
    one that keeps all values has, and one of the new key.
    """
    diff, (before, after) = comparison.diff, comparison.sides(key)
    if not isinstance(before, Column) or key in diff.recreated_columns:
        return after is None or key in diff.moved
    if not isinstance(after, Column):
        return before.generated is not None
    stays = key in comparison.models.needs(becomes) or is_widening(before.type, after.type)
    return key in diff.retyped and not stays


def taken_over(key: Key, comparison: Comparison) -> Key | None:
    """The exchanged key whose foreign keys may come to a new one: it has these columns."""
    database, item = comparison.database, comparison.models.objects.get(key)
    if key in database.objects or not isinstance(item, Constraint | Index) or is_primary(item):
        return None
    for was, each in keys_of(database, item.table).items():
        is_same = columns_of_key(each) == columns_of_key(item) and database.users_of(was)
        if is_same and can_swap(was, comparison):
            _, becomes = before_and_after(was, comparison)
            return None if becomes == key else becomes
    return None


def _takes_its_users(key: Key, comparison: Comparison) -> bool:
    """Whether all that needs a key are foreign keys that change with it."""
    database = comparison.database
    users = database.users_of(key)
    found = [database.find(Constraint, each) for each in users]
    return all(each and refers_to(each) for each in found) and not users & database.users_of(
        *comparison.diff.moved
    )
