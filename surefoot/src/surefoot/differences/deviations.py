"""Differences as deviations: one for each object, in an order in which they can be repaired.

A missing or unexpected table includes its columns, constraints and indexes, a column its sequence,
and a detached partition the table that it became.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from surefoot.catalog import NOTHING, Catalog, Difference, Key, SchemaObject, difference
from surefoot.catalog.changes import attach, detach
from surefoot.catalog.definitions import whole_name
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Constraint, Partition, Sequence, Table, table_of
from surefoot.catalog.order import in_order
from surefoot.differences import repair
from surefoot.differences.model import Deviation, Repair, Word
from surefoot.quoting import own_name, quoted

By = Mapping[Key, tuple[Difference, ...]]
# Repairs of special cases; None where the deviation of another object includes this one.
Special = Mapping[Key, "Repair | None"]
_USING = "USING INDEX "
_OWNERS = ("table", "view", "materialized view", "partition")


def deviations(
    expected: Catalog, found: Catalog, casts: repair.Casts = MappingProxyType({})
) -> tuple[Deviation, ...]:
    """The deviations of `found` from `expected`: drops first, then changes, then creations.

    A change comes after the creation that it needs, and before the drop of what it needs no more.
    An unexpected extension is no deviation: operators install extensions. The names of further
    schemas have the schema before them. Without `casts` no type is repaired by way of its text.
    """
    by_key = _by_key(expected, found)
    special = {
        **_moves(by_key, expected, found),
        **dict.fromkeys(_included(by_key, expected, found)),
    }
    gone, come = (
        _grouped({key for key in by_key if _word(by_key, key) == word} - set(special), catalog)
        for word, catalog in (("unexpected", found), ("missing", expected))
    )
    changed = {key for key in by_key if _word(by_key, key) == "changed"} - set(special)
    members = {
        **{key: gone[key] for key in reversed(in_order(gone, found.uses))},
        **dict.fromkeys(sorted(key for key, how in special.items() if how is not None), ()),
        **dict.fromkeys(in_order(changed, expected.uses), ()),
        **{key: come[key] for key in in_order(come, expected.uses)},
    }
    kept = dict.fromkeys(changed, ())
    needs = _needs({**kept, **come}, expected)
    for user, used in _needs({**kept, **gone}, found).items():
        for each in used & gone.keys():
            needs.setdefault(each, set()).add(user)
    ordered = {key: members[key] for key in _in_turn(members, needs)}
    return (
        *_repaired(ordered, by_key, special, expected, found, casts),
        *(
            replace(
                each,
                key=Key(each.key.kind, f"{schema}.{each.key.name}"),
                repair=replace(each.repair, sql=_within(schema, each.repair.sql)),
            )
            for schema in sorted({*expected.others, *found.others})
            for each in deviations(
                expected.others.get(schema, NOTHING), found.others.get(schema, NOTHING), casts
            )
        ),
    )


def without_excluded(found: Catalog, expected: Catalog, exclude: Iterable[str]) -> Catalog:
    """The catalog without the tables that the project excludes and no revision creates."""
    names = {*exclude} - {own_name(key.name) for key in expected.objects}

    def is_excluded(key: Key, item: SchemaObject) -> bool:
        owner = item.owned_by if isinstance(item, Sequence) else None
        tables = table_of(item), (owner or "").rpartition(".")[0]
        return not names.isdisjoint(own_name(each or "") for each in (key.name, *tables))

    kept = {key: item for key, item in found.objects.items() if not is_excluded(key, item)}
    others = {
        name: without_excluded(each, expected.others.get(name, NOTHING), exclude)
        for name, each in found.others.items()
    }
    return replace(found, objects=kept, others=others)


def _repaired(
    ordered: Mapping[Key, tuple[Key, ...]],
    by_key: By,
    special: Special,
    expected: Catalog,
    found: Catalog,
    casts: repair.Casts,
) -> Iterator[Deviation]:
    """The deviations in order; each is repaired where those before it are repaired."""
    done, should_be = repair.bare(found), repair.bare(expected)
    for key, members in ordered.items():
        moved = special if key in special else {}
        target = repair.toward(done, should_be, {key, *members, *moved})
        how = special.get(key) or repair.repaired(by_key[key], members, done, target, casts)
        word = _word(by_key, key)
        if word == "changed":
            how = replace(how, sql=(*how.sql, *granted(key, expected, found)))
        yield Deviation(key, word, by_key[key], how, members)
        done = target


def _word(by_key: By, key: Key) -> Word:
    return by_key[key][0].word


def _within(schema: str, statements: tuple[str, ...]) -> tuple[str, ...]:
    if not statements:
        return ()
    return f"SET search_path = {quoted(schema)}, public", *statements, "RESET search_path"


def _by_key(expected: Catalog, found: Catalog) -> By:
    by_key: dict[Key, tuple[Difference, ...]] = {}
    for each in difference(replace(expected, others={}), replace(found, others={})):
        if each.word != "unexpected" or each.kind != "extension":
            key = Key(each.kind, each.name)
            by_key[key] = (*by_key.get(key, ()), each)
    return by_key


def _moves(by_key: By, expected: Catalog, found: Catalog) -> Special:
    """Partitions that became tables and tables that became partitions: one statement each."""
    moves: dict[Key, Repair | None] = {}
    for key in by_key:
        table = Key("table", key.name)
        if key.kind != "partition" or table not in by_key:
            continue
        detached = key in expected.objects
        if detached:
            partition, objects = expected.one(Partition, key), found.objects
            ours, theirs = (
                side.column_order.get(name, ())
                for side, name in ((found, key.name), (expected, partition.table))
            )
            name = quoted(key.name)
            more = [f"ALTER TABLE {name} DROP COLUMN {quoted(c)}" for c in ours if c not in theirs]
            moves[key] = Repair((*more, attach(partition)), loses_data=bool(more))
        else:
            objects = expected.objects
            moves[key] = Repair((detach(found.one(Partition, key)),))
        moves[table] = None
        moves.update({each: None for each in objects if table_of(objects[each]) == table.name})
    return moves


def _included(by_key: By, expected: Catalog, found: Catalog) -> Iterator[Key]:
    """Objects that follow from another deviation.

    These are columns and constraints that a parent has, too, and a NOT VALID constraint of a column
    that is nullable on the other side.
    """
    for key, differences in by_key.items():
        item = found.objects.get(key) or expected.objects[key]
        if isinstance(item, Constraint) and item.type == "not null":
            if not (expected.forbids_null(item) and found.forbids_null(item)):
                yield key
            continue
        table = found.find(Table, Key("table", str(table_of(item))))
        for parent in (table and table.inherits) or ():
            same = by_key.get(Key(key.kind, f"{parent}.{item.name}"), ())
            of_parent = {(each.word, each.attribute) for each in same}
            if {(each.word, each.attribute) for each in differences} <= of_parent:
                yield key


def _grouped(keys: Collection[Key], catalog: Catalog) -> dict[Key, tuple[Key, ...]]:
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
        for used in catalog.needs(key)
    )


def _needs(groups: Mapping[Key, tuple[Key, ...]], catalog: Catalog) -> dict[Key, set[Key]]:
    """The objects that each group uses, and its table; of another group, its main object."""
    main = {member: key for key, members in groups.items() for member in (key, *members)}
    uses: dict[Key, set[Key]] = {}
    for user, used in catalog.uses.items():
        of = main.get(user, user)
        uses.setdefault(of, set()).update({main.get(each, each) for each in used} - {of})
    for key in groups:
        tables = {Key(kind, str(table_of(catalog.objects[key]))) for kind in _OWNERS}
        uses.setdefault(key, set()).update(tables & groups.keys())
        if (table := catalog.find(Table, key)) is not None:
            own = (table.cluster_index, (table.replica_identity or "").removeprefix(_USING))
            named = [whole_name(each) for each in own if each]
            indexes = [Key("index", each) for each in named]
            indexes += [Key("constraint", f"{key.name}.{each}") for each in named]
            uses[key].update({main.get(each, each) for each in indexes} & groups.keys() - {key})
    return uses


def _in_turn(keys: Iterable[Key], needs: Mapping[Key, set[Key]]) -> Iterator[Key]:
    """The objects in their order, but each after those that it needs."""
    waiting = dict.fromkeys(keys)

    def placed(key: Key) -> Iterator[Key]:
        del waiting[key]
        for needed in [each for each in waiting if each in needs.get(key, ())]:
            if needed in waiting:
                yield from placed(needed)
        yield key

    while waiting:
        yield from placed(next(iter(waiting)))
