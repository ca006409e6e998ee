"""Groups objects that are created or dropped together, and orders the groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Constraint, Sequence, table_of
from surefoot.catalog.order import in_order

_OWNERS = ("table", "view", "materialized view", "partition")


def grouped(keys: Collection[Key], catalog: Catalog) -> dict[Key, tuple[Key, ...]]:
    """Each group by its main object, with the other members."""
    main = {key: _main(key, keys, catalog) for key in sorted(keys)}
    groups: dict[Key, list[Key]] = {key: [] for key in main if main[key] == key}
    for key, of in main.items():
        if key != of:
            groups[of].append(key)
    return {key: tuple(members) for key, members in groups.items()}


def _main(key: Key, keys: Collection[Key], catalog: Catalog) -> Key:
    item = catalog.objects[key]
    if isinstance(item, Sequence) and item.owned_by is not None:
        column = Key("column", item.owned_by)
        if column in keys:
            return _main(column, keys, catalog)
    is_reference = isinstance(item, Constraint) and item.type == "foreign key"
    for kind in _OWNERS:
        table = Key(kind, str(table_of(item)))
        if table in keys and not (is_reference and _leaves(key, table, keys, catalog)):
            return _main(table, keys, catalog)
    return key


def _leaves(key: Key, table: Key, keys: Collection[Key], catalog: Catalog) -> bool:
    """Whether a foreign key refers to another table that is created or dropped too."""
    return any(
        used in keys and table_of(catalog.objects[used]) not in (table.name, None)
        for used in catalog.uses.get(key, ())
    )


def ordered(groups: Mapping[Key, tuple[Key, ...]], catalog: Catalog) -> list[Key]:
    """The groups, each after those that it uses."""
    main = {member: key for key, members in groups.items() for member in (key, *members)}
    uses: dict[Key, set[Key]] = {}
    for user, used in catalog.uses.items():
        of = main.get(user, user)
        uses.setdefault(of, set()).update({main.get(each, each) for each in used} - {of})
    for key in groups:
        for kind in _OWNERS:
            table = Key(kind, str(table_of(catalog.objects[key])))
            if table in groups:
                uses.setdefault(key, set()).add(table)
    return in_order(groups, {key: frozenset(each) for key, each in uses.items()})
