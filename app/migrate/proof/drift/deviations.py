"""Differences as deviations: one an object, in an order in which they can be repaired.

A table that is missing or unexpected speaks for what belongs to it, a column for its sequence, and
a partition that was detached for the table that it became.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.migrate.proof.catalog import Catalog, Difference, Key, difference
from app.migrate.proof.catalog.order import in_order
from app.migrate.proof.drift import repair
from app.migrate.proof.drift.model import Deviation, Repair

_OWNERS = ("table", "view", "materialized view", "partition")


def deviations(expected: Catalog, found: Catalog) -> tuple[Deviation, ...]:
    """What of `found` is not as `expected`: first what goes, then what changes, then what comes.

    An extension that nobody expected is its operator's and no deviation.
    """
    by_key: dict[Key, list[Difference]] = {}
    for each in difference(expected, found):
        if each.word != "unexpected" or each.kind != "extension":
            by_key.setdefault(Key(each.kind, each.name), []).append(each)
    missing = {key for key, differences in by_key.items() if differences[0].word == "missing"}
    unexpected = {key for key in by_key if by_key[key][0].word == "unexpected"}
    moved = _moved(missing, unexpected)
    for partition, table in moved.items():
        side = found if table in unexpected else expected
        for key in (table, *_on(table, side)):
            missing.discard(key)
            unexpected.discard(key)
            by_key.pop(key, None)
        missing.discard(partition)
        unexpected.discard(partition)
    proofs = _proofs(unexpected, expected, found)
    unexpected -= set(proofs)
    changed = set(by_key) - missing - unexpected - set(moved) - set(proofs)

    gone, come = _grouped(unexpected, found), _grouped(missing, expected)

    def deviation(key: Key, how: Repair, members: tuple[Key, ...] = ()) -> Deviation:
        differences = tuple(by_key[key])
        return Deviation(key, differences[0].word, differences, how, members)

    return (
        *(
            deviation(key, repair.remove(key, found), gone[key])
            for key in reversed(_ordered(gone, found))
        ),
        *(deviation(key, _moving(key, expected, found)) for key in sorted(moved)),
        *(deviation(key, how) for key, how in sorted(proofs.items()) if how is not None),
        *(
            deviation(key, repair.change(by_key[key], expected, found))
            for key in in_order(changed, expected.uses)
        ),
        *(
            deviation(key, repair.make(key, come[key], expected), come[key])
            for key in _ordered(come, expected)
        ),
    )


def _moved(missing: set[Key], unexpected: set[Key]) -> dict[Key, Key]:
    """Partitions that became tables, and tables that became partitions."""
    pairs = {}
    for key in missing | unexpected:
        table = Key("table", key.name)
        other = unexpected if key in missing else missing
        if key.kind == "partition" and table in other:
            pairs[key] = table
    return pairs


def _moving(key: Key, expected: Catalog, found: Catalog) -> Repair:
    return repair.attach(key, expected) if key in expected.objects else repair.detach(key, found)


def _on(table: Key, catalog: Catalog) -> list[Key]:
    """What belongs to a table."""
    objects = catalog.objects.items()
    return [key for key, attributes in objects if attributes.get("table") == table.name]


def _proofs(unexpected: set[Key], expected: Catalog, found: Catalog) -> Mapping[Key, Repair | None]:
    """NOT NULL that was never validated: proven where the column is to have it.

    None where the column says it all: without NOT NULL the constraint goes too.
    """
    proofs: dict[Key, Repair | None] = {}
    for key in unexpected:
        attributes = found.objects[key]
        if key.kind == "constraint" and attributes["type"] == "not null":
            name = str(attributes["definition"]).removeprefix("NOT NULL ").strip('"')
            column = expected.get("column", f"{attributes['table']}.{name}")
            wanted = column is not None and column["not null"]
            proofs[key] = repair.validate(key, found) if wanted else None
    return proofs


def _grouped(keys: set[Key], catalog: Catalog) -> dict[Key, tuple[Key, ...]]:
    """Each object that speaks for itself, with those that it speaks for."""
    speaker = {key: _speaker(key, keys, catalog) for key in sorted(keys)}
    groups: dict[Key, list[Key]] = {key: [] for key in speaker if speaker[key] == key}
    for key, of in speaker.items():
        if key != of:
            groups[of].append(key)
    return {key: tuple(members) for key, members in groups.items()}


def _speaker(key: Key, keys: set[Key], catalog: Catalog) -> Key:
    attributes = catalog.objects[key]
    if (owner := attributes.get("owned by")) is not None and Key("column", str(owner)) in keys:
        return _speaker(Key("column", str(owner)), keys, catalog)
    for kind in _OWNERS:
        table = Key(kind, str(attributes.get("table")))
        if table in keys and not (
            attributes.get("type") == "foreign key" and _leaves(key, table, keys, catalog)
        ):
            return _speaker(table, keys, catalog)
    return key


def _leaves(key: Key, table: Key, keys: Iterable[Key], catalog: Catalog) -> bool:
    """Whether a reference leads to another table that comes or goes too."""
    wanted = set(keys)
    return any(
        used in wanted and catalog.objects[used].get("table") not in (table.name, None)
        for used in catalog.uses.get(key, ())
    )


def _ordered(groups: Mapping[Key, tuple[Key, ...]], catalog: Catalog) -> list[Key]:
    """The groups, each after those that it uses."""
    speaker = {member: key for key, members in groups.items() for member in (key, *members)}
    uses: dict[Key, set[Key]] = {}
    for user, used in catalog.uses.items():
        of = speaker.get(user, user)
        uses.setdefault(of, set()).update({speaker.get(each, each) for each in used} - {of})
    for key in groups:
        for kind in _OWNERS:
            table = Key(kind, str(catalog.objects[key].get("table")))
            if table in groups:
                uses.setdefault(key, set()).add(table)
    return in_order(groups, {key: frozenset(each) for key, each in uses.items()})
