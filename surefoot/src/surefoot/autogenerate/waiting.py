"""Which dropped objects wait until the new ones are in force: those that block no other change.

A constraint or an index that changes under another name is so never missing. A primary key goes
with the revision that attaches the new one (`indexes`). A check goes with the revision that adds
another one on its columns: there may be no row that satisfies both.
"""

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import can_swap, columns_of_key, is_wanted
from surefoot.autogenerate.object_operations import joined, refers_to
from surefoot.autogenerate.phase import needs_its_column
from surefoot.autogenerate.spreading import ROUTINES, VIEWS
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Index
from surefoot.catalog.model import key_of

_LATER = {Turn.MAIN: Turn.CONTRACT, Turn.UNINDEX: Turn.LATE_UNINDEX}


def wait(part: Change, comparison: Comparison) -> None:
    """Moves the drop of an object behind all changes that it does not block.

    A column of a primary key may be null when the new key is there.
    """
    held = (each for each in comparison.database.users_of(part.key) if can_swap(each, comparison))
    found = (comparison.database.find(Constraint, each) for each in held)
    if part.action == "nullable" and any(x and x.type == "primary key" for x in found):
        part.turn = Turn.CONTRACT
    drops = part.stage is Stage.DROP and part.action in ("drop", "unbuild")
    if drops and part.turn in _LATER and _can_wait(part.key, comparison):
        part.turn = _LATER[part.turn]


def wait_for_successors(parts: list[Change], comparison: Comparison) -> None:
    """Drops a key just before the one that comes in its place, if it can wait.

    That is a foreign key of the same name, or a key on the columns of a unique constraint: a new
    foreign key would need the former one, where both are there.
    """
    database, models, diff = comparison.database, comparison.models, comparison.diff
    added = {part.key: part for part in parts if part.action == "promise"}
    pairs = ((models.find(Constraint, each.key), each) for each in parts if each.action == "attach")
    attached = {(item.table, columns_of_key(item)): each for item, each in pairs if item}
    for part in [*parts]:
        item = database.find(Constraint, part.key)
        if part.stage is not Stage.DROP or item is None:
            continue
        new = added.get(part.key) if refers_to(item) else None
        if item.type == "unique" and part.key not in models.objects and _is_free(item, comparison):
            found = attached.get((item.table, columns_of_key(item)))
            new = found if found and found.turn > part.turn else None
        if new is None:
            continue
        goes = database.needs(part.key) & (diff.removed | diff.recreated)
        if not goes and part.key not in database.users_of(*diff.moved):
            part.turn, part.group = new.turn, new.group
            parts.remove(part)
            parts.insert(parts.index(new), part)


def _is_free(key: Constraint, comparison: Comparison) -> bool:
    """Whether no foreign key needs a key of the database, and nothing new has its name."""
    is_needed = comparison.database.users_of(key_of(key))
    return not is_needed and Key("index", key.name) not in comparison.models.objects


def _can_wait(key: Key, comparison: Comparison) -> bool:
    database, models, diff = comparison.database, comparison.models, comparison.diff
    if key in models.objects or key in database.users_of(*diff.moved):
        return False
    item = database.objects[key]
    if not isinstance(item, Constraint | Index):
        return key.kind in (*VIEWS, *ROUTINES, "trigger")
    tables = item.table, refers_to(item) if isinstance(item, Constraint) else None
    keys = {each for each in database.needs(key) if each.kind in ("constraint", "index")}
    return (
        item.table in comparison.kept_tables
        and any(map(comparison.is_online, tables))
        and not any(user in models.objects for user in database.users_of(key))
        and all(_can_wait(each, comparison) for each in keys & (diff.removed | diff.recreated))
        and not (is_wanted(item, models) or can_swap(key, comparison))
        and not _is_contradicted(key, item, comparison)
    )


def _is_contradicted(key: Key, item: Constraint | Index, comparison: Comparison) -> bool:
    """Whether it may refuse what the other changes need."""
    kind = item.type if isinstance(item, Constraint) else "unique" if item.unique else None
    if kind is None:
        return False
    database, models = comparison.database, comparison.models
    columns = {each for each in database.needs(key) if each.kind == "column"}
    pairs = [(database.one(Column, each), models.find(Column, each)) for each in columns]
    # A unique key refuses rows that are filled, and takes any number of nulls.
    takes_nulls = kind == "unique" and "NULLS NOT DISTINCT" not in item.definition
    if any(
        after and before.not_null != after.not_null and (after.not_null or not takes_nulls)
        for before, after in pairs
    ):
        return True
    added = [
        (each, new)
        for each, new in models.each(Constraint)
        if each not in database.objects or each in comparison.diff.recreated
    ]
    own = [(each, new) for each, new in added if (new.table, new.type) == (item.table, kind)]
    if kind == "check":
        # A new parent has no check that its heir lacks.
        joins = any(models.parents(t) - database.parents(t) for t in comparison.kept_tables)
        return joins or any(
            models.needs(each) & columns and not needs_its_column(each, comparison)
            for each, _ in own
        )
    if kind == "foreign key":
        # A column refers to one that differs.
        ends = joined(item)
        return any(ends.get(k, end) != end for _, new in own for k, end in joined(new).items())
    # A new foreign key would need the old key, and a table has one primary key.
    own_ends = {Key("column", f"{item.table}.{name}") for name in columns_of_key(item)}
    is_needed = any(joined(new) and own_ends == {*joined(new).values()} for _, new in added)
    return is_needed or (kind == "primary key" and bool(own))
