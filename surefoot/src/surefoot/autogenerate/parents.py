"""Lets a table leave tables that it inherits from, and inherit from others.

PostgreSQL leaves the checks of a former parent with the table, and takes a new parent only where
the table has its checks and its columns, which are NOT NULL where those of the parent are. A column
of a parent changes its type between the two.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from surefoot.autogenerate.allowances import MISSING
from surefoot.autogenerate.change import WINDOW, Change, Stage, Turn, in_one
from surefoot.autogenerate.columns import state_changes
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.object_operations import proof, step
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Column, Constraint, Table
from surefoot.catalog.model import key_of


def parent_changes(comparison: Comparison, table: str) -> Iterator[Change]:
    """The changes of a table that inherits from other tables than before."""
    key, sides = Key("table", table), (comparison.database, comparison.models)
    found, after = (side.one(Table, key) for side in sides)
    before, wanted = (side.parents(table) for side in sides)
    joined = wanted - before
    left_checks = _checks(comparison.database, before - wanted)
    new_checks = _checks(comparison.models, joined)
    stay = {*_checks(comparison.models, before & wanted), *(left_checks.keys() & new_checks)}
    stay |= {*comparison.models.of_table(Constraint, table)}
    is_online, own = comparison.is_in_use(table), comparison.database.of_table(Column, table)
    # A new parent has a column that is NOT NULL, and the table has none such yet.
    late = any(
        each.not_null and not (name in own and own[name].not_null)
        for parent in joined
        for name, each in comparison.models.of_table(Column, parent).items()
    )
    # A check of a new parent holds for new rows, and then for the existing ones.
    for name in sorted(new_checks.keys() - stay):
        late, check = True, replace(new_checks[name], table=table)
        loose = replace(check, validated=not is_online)
        promise = step(Stage.CREATE, key_of(check), None, loose, "promise")
        yield promise.at(Turn.MAIN, "", f"Add {name} to {table}")
        if is_online:
            yield proof(key_of(check), check, name)
    between = tuple(each for each in found.inherits or () if each in (after.inherits or ()))
    apart = replace(found, inherits=between or None)
    columns = map(key_of, comparison.models.columns(table))
    altered = [
        change
        for each in filter(comparison.leaves_a_parent, columns)
        for change in state_changes(comparison, each)
    ]
    steps = [
        step(Stage.STATE, key, found, apart, "change"),
        *(
            step(Stage.STATE, key_of(item), item, None, "drop")
            for name, each in left_checks.items()
            if name not in stay and (item := replace(each, table=table))
        ),
        *altered,
        step(Stage.STATE, key, apart, replace(found, inherits=after.inherits), "change"),
    ]
    change = in_one(Stage.STATE, steps, "change", key)
    change.about = " ".join(each.about for each in altered if each.about)
    if WINDOW in change.about:
        told = f"under its parents, rows of {table} {MISSING}"
        change.about += f" One transaction holds the lock meanwhile: {told}."
    if is_online and late:
        change.at(Turn.LATE_VALIDATE, table, f"Change the parents of {table}", change.about)
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
