"""Creates, drops and changes tables: as the models declare them, and reversible."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from surefoot.autogenerate.change import REWRITE, Change, Stage, Turn, in_one
from surefoot.autogenerate.columns import column_changes
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.naming import temporary_name
from surefoot.autogenerate.object_operations import proof, step
from surefoot.autogenerate.rendering import ByHand, Call
from surefoot.autogenerate.table_operations import create_table
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Attributes, Column, Constraint, Table

_UNCHANGEABLE: Attributes = frozenset({"kind", "partition key"})


def table_changes(comparison: Comparison) -> list[Change]:
    kept = sorted(comparison.kept_tables)
    columns = [each for table in kept for each in column_changes(comparison, table)]
    # Of all tables the drops come last.
    columns.sort(key=lambda change: change.action == "drop")
    return [
        *(_create(comparison, table) for table in comparison.tables_in_order),
        *columns,
        *(_drop(comparison, table) for table in sorted(comparison.gone_tables)),
        *(change for table in kept for change in _changed(comparison, table)),
    ]


def _create(comparison: Comparison, table: str) -> Change:
    make = create_table(comparison.models, table, comparison.inline[table])
    return Change(Stage.TABLES, make, [Call("drop_table", table)], "make", Key("table", table))


def _drop(comparison: Comparison, table: str) -> Change:
    make = create_table(comparison.database, table, comparison.inline[table])
    change = Change(Stage.TABLES, [Call("drop_table", table)], make, "drop", Key("table", table))
    return change.at(Turn.TABLES, table)


def _changed(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that both sides have, apart from its columns."""
    key = Key("table", table)
    found, expected = comparison.database.one(Table, key), comparison.models.one(Table, key)
    different = changed(comparison, key)
    if different & _UNCHANGEABLE:
        yield Change(Stage.STATE, [_exchange(table, found, expected)], [], "by hand", key)
    if "inherits" in different:
        yield from _parent_changes(comparison, table)
        found, different = replace(found, inherits=expected.inherits), different - {"inherits"}
    silent = replace(expected, comment=found.comment)
    if different - _UNCHANGEABLE - {"comment"}:
        change = step(Stage.STATE, key, found, silent, "change")
        change.about = REWRITE if "persistence" in different else ""
        yield change
    if "comment" in different:
        yield step(Stage.STATE, key, silent, expected, "comment")


def _exchange(table: str, before: Table, after: Table) -> ByHand:
    """The steps to another kind of table, or another partition key."""
    was, wanted = (
        f"{each.kind}{f' by {each.partition_key}' if each.partition_key else ''}"
        for each in (before, after)
    )
    new, old = temporary_name(table), f"{table}_old"
    return ByHand(
        f"{table} is a {was}, and the models declare a {wanted}",
        f"In a revision, create {new} as the models declare {table}, with the partitions that its "
        "rows need.",
        "Deploy a release that writes each row to both tables.",
        "Copy the older rows in batches, outside of a revision.",
        f"In a contract revision, rename {table} to {old} and {new} to {table}, and let foreign "
        "keys, views and sequences follow.",
        f"In a later contract revision, drop {old}.",
    )


def _parent_changes(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that inherits from other tables than before.

    PostgreSQL leaves the checks of a former parent with the table, and takes a new parent only
    where the table has its checks and its columns, which are NOT NULL where the parent's are.
    """
    key, sides = Key("table", table), (comparison.database, comparison.models)
    found, after = (side.one(Table, key) for side in sides)
    before, wanted = (side.parents(table) for side in sides)
    joined = wanted - before
    left_checks = _checks(comparison.database, before - wanted)
    new_checks = _checks(comparison.models, joined)
    stay = {*_checks(comparison.models, before & wanted), *(left_checks.keys() & new_checks)}
    stay |= {*comparison.models.of_table(Constraint, table)}
    is_online, late = comparison.is_in_use(table), _requires(comparison, table, joined)
    for name, item in new_checks.items():
        if name not in stay:
            late = True
            yield from _check_added(replace(item, table=table), is_online=is_online)
    between = tuple(each for each in found.inherits or () if each in (after.inherits or ()))
    apart = replace(found, inherits=between or None)
    steps = [
        step(Stage.STATE, key, found, apart, "change"),
        *(
            step(Stage.STATE, _check_key(item), item, None, "drop")
            for name, each in left_checks.items()
            if name not in stay and (item := replace(each, table=table))
        ),
        step(Stage.STATE, key, apart, replace(found, inherits=after.inherits), "change"),
    ]
    change = in_one(Stage.STATE, steps, "change", key)
    if is_online and late:
        change.at(Turn.LATE_VALIDATE, table, f"Change the parents of {table}")
    yield change


def _checks(catalog: Catalog, tables: Iterable[str]) -> Mapping[str, Constraint]:
    """The checks that a table inherits from these tables, by name."""
    found: dict[str, Constraint] = {}
    for table in sorted(tables):
        found |= _checks(catalog, catalog.parents(table))
        for name, each in catalog.of_table(Constraint, table).items():
            if each.type == "check" and not each.definition.endswith(" NO INHERIT"):
                found[name] = each
    return found


def _requires(comparison: Comparison, table: str, parents: Iterable[str]) -> bool:
    """Whether a new parent has a column that is NOT NULL, and the table has none such yet."""
    own = comparison.database.of_table(Column, table)
    return any(
        each.not_null and not (name in own and own[name].not_null)
        for parent in parents
        for name, each in comparison.models.of_table(Column, parent).items()
    )


def _check_added(item: Constraint, *, is_online: bool) -> Iterator[Change]:
    """A check of a new parent, for new rows and then for the existing ones."""
    key, loose = _check_key(item), replace(item, validated=not is_online)
    promise = step(Stage.CREATE, key, None, loose, "promise")
    yield promise.at(Turn.MAIN, "", f"Add {item.name} to {item.table}")
    if is_online:
        yield proof(key, loose, item, item.name)


def _check_key(item: Constraint) -> Key:
    return Key("constraint", f"{item.table}.{item.name}")
