"""Objects that come or go together, and the order in which that can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Constraint, Sequence, table_of
from surefoot.catalog.order import in_order

_OWNERS = ("table", "view", "materialized view", "partition")


def grouped(keys: Collection[Key], catalog: Catalog) -> dict[Key, tuple[Key, ...]]:
    """Each object that speaks for itself, with those that it speaks for."""
    speaker = {key: _speaker(key, keys, catalog) for key in sorted(keys)}
    groups: dict[Key, list[Key]] = {key: [] for key in speaker if speaker[key] == key}
    for key, of in speaker.items():
        if key != of:
            groups[of].append(key)
    return {key: tuple(members) for key, members in groups.items()}


def _speaker(key: Key, keys: Collection[Key], catalog: Catalog) -> Key:
    item = catalog.objects[key]
    if isinstance(item, Sequence) and item.owned_by is not None:
        column = Key("column", item.owned_by)
        if column in keys:
            return _speaker(column, keys, catalog)
    is_reference = isinstance(item, Constraint) and item.type == "foreign key"
    for kind in _OWNERS:
        table = Key(kind, str(table_of(item)))
        if table in keys and not (is_reference and _leaves(key, table, keys, catalog)):
            return _speaker(table, keys, catalog)
    return key


def _leaves(key: Key, table: Key, keys: Collection[Key], catalog: Catalog) -> bool:
    """Whether a reference leads to another table that comes or goes too."""
    return any(
        used in keys and table_of(catalog.objects[used]) not in (table.name, None)
        for used in catalog.uses.get(key, ())
    )


def ordered(groups: Mapping[Key, tuple[Key, ...]], catalog: Catalog) -> list[Key]:
    """The groups, each after those that it uses."""
    speaker = {member: key for key, members in groups.items() for member in (key, *members)}
    uses: dict[Key, set[Key]] = {}
    for user, used in catalog.uses.items():
        of = speaker.get(user, user)
        uses.setdefault(of, set()).update({speaker.get(each, each) for each in used} - {of})
    for key in groups:
        for kind in _OWNERS:
            table = Key(kind, str(table_of(catalog.objects[key])))
            if table in groups:
                uses.setdefault(key, set()).add(table)
    return in_order(groups, {key: frozenset(each) for key, each in uses.items()})
