"""Objects that no model claims are left alone, unless the project manages their kind.

A model claims what `metadata.create_all()` creates. SQLAlchemy has no class for most of the kinds
below, so that a model without a view says nothing about the views of the database.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from surefoot.catalog.kinds import (
    UNDECLARED_KINDS,
    Attribute,
    Column,
    SchemaObject,
    Sequence,
    Table,
    table_of,
)
from surefoot.catalog.model import Catalog, Key
from surefoot.errors import ConfigurationInvalid
from surefoot.quoting import IN_STEP, own_name
from surefoot.wording import counted

# The names in `Environment(manages=…)`, and the kinds of object that each of them means.
MANAGED: Mapping[str, tuple[str, ...]] = {
    "views": ("view", "materialized view"),
    "functions": ("function", "procedure", "aggregate"),
    "triggers": ("trigger",),
    "rules": ("rule",),
    "policies": ("policy",),
    "statistics": ("statistics",),
    "sequences": ("sequence",),
    "types": ("enum", "domain", "type"),
    # Not objects, but attributes of objects that models claim.
    "table settings": ("table setting",),
    "comments": ("comment",),
    "privileges": ("privilege",),
}
_RELATIONS = ("table", *MANAGED["views"])
# They last as long as anything uses them.
_PARTS = (*MANAGED["types"], *MANAGED["sequences"])
# Objects of these kinds are left alone; foreign tables always, as Alembic does.
_LEFT = {*chain.from_iterable(MANAGED.values()), "foreign table"}
# Models may need these without declaring it: `create_type=False`, a function in a default.
LENT = (*_PARTS, *MANAGED["functions"], "collation")
# Of a table, with the value that a model has which does not name it.
_SETTINGS: Mapping[Attribute, object] = {
    "inherits": None,
    "kind": "table",
    "options": None,
    "partition key": None,
    "persistence": "permanent",
    "row security": None,
}


def managed(names: Collection[str]) -> frozenset[str]:
    """The kinds that these names mean. On failure: ConfigurationInvalid for an unknown one."""
    for name in names:
        if name not in MANAGED:
            raise ConfigurationInvalid(
                "Environment(manages=…)", f"{name!r} is none of {', '.join(MANAGED)}"
            )
    return frozenset(chain.from_iterable(MANAGED[name] for name in names))


def with_unclaimed(
    models: Catalog,
    database: Catalog,
    manages: Collection[str] = (),
    apart: Collection[str] = (),
) -> tuple[Catalog, Mapping[str, int]]:
    """The models with what they leave alone, as the database has it; and how much, by kind.

    An object goes, even so, where it needs one that goes: a view on a column that no model has. The
    views `apart` are left alone, too, and not counted: the project has excluded them.

    On failure: ConfigurationInvalid for an unknown name in `manages`.
    """
    kinds = managed(manages)
    left = {
        key
        for key in database.objects
        if key not in models.objects
        and (_is_of(key, database, apart) or _is_left(key, database, kinds))
    }
    while gone := {key for key in left if _goes(key, models, database, left)}:
        left -= gone
    for key in tuple(left):
        left |= {each for each in parts(key, database) if each not in models.objects}
    whole = models.with_objects_of(database, left)
    counts = Counter(
        kind
        for key in left
        if not _is_of(key, database, apart)
        and ((kind := _kind(key, database)) == key.kind or not table_of(database.objects[key]))
    )
    objects = dict(whole.objects)
    for key, item in models.objects.items():
        kept = dict(_kept(item, database.objects.get(key), kinds))
        if kept:
            counts["comment" if {*kept} == {"comment"} else "table setting"] += 1
            objects[key] = replace(item, **kept)
    return replace(whole, objects=objects), dict(sorted(counts.items()))


def _is_of(key: Key, database: Catalog, views: Collection[str]) -> bool:
    """Whether it is one of the views, or belongs to it."""
    of = _relation(database.objects[key], database) or key
    return of.name in views and of.kind in MANAGED["views"]


def left_alone(counts: Mapping[str, int]) -> str:
    """The counts as words: `2 functions, 60 statistics`."""
    return ", ".join(counted(number, kind) for kind, number in counts.items())


def _relation(item: SchemaObject, database: Catalog) -> Key | None:
    """The table or view that an object belongs to."""
    keys = (Key(kind, table_of(item) or "") for kind in _RELATIONS)
    return next((key for key in keys if key in database.objects), None)


def _kind(key: Key, database: Catalog) -> str:
    """The kind of an object; a foreign table, or a view, has what belongs to it alone."""
    item = database.objects[key]
    of = _relation(item, database) or key
    table = database.find(Table, of)
    if table is not None and table.kind == "foreign table":
        return table.kind
    return of.kind if key.kind == "index" and table is None else key.kind


def _is_left(key: Key, database: Catalog, kinds: Collection[str]) -> bool:
    """Whether a model that has no such object means nothing by that.

    A type or sequence that a column of a table uses is part of it: it goes where the column does.
    """
    kind = _kind(key, database)
    if kind not in _LEFT or (kind in kinds and not _is_in_step(key, database)):
        return False
    sequence = database.find(Sequence, key)
    return not (sequence and sequence.owned_by) and not _in_columns(key, database)


def _is_in_step(key: Key, database: Catalog) -> bool:
    """Whether it is the trigger or the function of `op.keep_in_step`."""
    return own_name(database.objects[key].name).startswith(IN_STEP)


def _in_columns(key: Key, database: Catalog) -> bool:
    if key.kind not in _PARTS:
        return False
    users = (user for user, used in database.uses.items() if key in used)
    return any(
        _kind(user, database) == "column" or (user.kind in _PARTS and _in_columns(user, database))
        for user in users
    )


def parts(key: Key, database: Catalog) -> Iterator[Key]:
    """The types and sequences that an object needs."""
    for need in database.needs(key):
        if need.kind in _PARTS:
            yield need
            yield from parts(need, database)


def _goes(key: Key, models: Catalog, database: Catalog, left: Collection[Key]) -> bool:
    """Whether the object needs one that neither the models have nor anybody leaves alone.

    The function that keeps two columns in step goes with its trigger.
    """
    if key.kind == "function" and _is_in_step(key, database):
        return not any(user in left for user in database.users_of(key))
    of = _relation(database.objects[key], database)
    needs = (*database.needs(key), *([of] if of else ()))
    return any(
        need not in models.objects
        and need not in left
        and need.kind not in _PARTS
        and not isinstance(database.objects[need], UNDECLARED_KINDS)
        for need in needs
    )


def _kept(
    item: SchemaObject, found: SchemaObject | None, kinds: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """The attributes that the model of an object does not name, as the database has them."""
    if found is None:
        return
    if isinstance(item, Table) and isinstance(found, Table) and "table setting" not in kinds:
        ours, theirs = item.attributes(), found.attributes()
        for name, unnamed in _SETTINGS.items():
            if ours.get(name) == unnamed != theirs.get(name):
                yield name.replace(" ", "_"), theirs.get(name)
    elif (
        not isinstance(item, (Table, Column))
        and "comment" not in kinds
        and item.comment is None
        and found.comment is not None
    ):
        yield "comment", found.comment
