"""Changes the values of enums, in place or by an exchange of the type."""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.column_swap import swap
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.drafts import given_up
from surefoot.autogenerate.objects import object_changes, with_diff
from surefoot.autogenerate.rendering import Call
from surefoot.autogenerate.swappable import enum_columns
from surefoot.autogenerate.tables import table_changes
from surefoot.catalog import Key
from surefoot.catalog.kinds import Enum
from surefoot.operations.enums import AddEnumValueOp, RenameEnumValueOp, value_steps
from surefoot.quoting import APART, own_name

_RENAMED = (
    "A release knows one of the two names, and fails on the other. Before this runs: have the next "
    "release ready, and replace the running one at the same moment. If that is not possible: add "
    "the new value, let the releases write it, change the rows in batches, and remove the old "
    "value in a contract revision. This is a rename because only one value differs, at the same "
    "place. If {1} is removed and {2} is new, use op.replace_enum({0!r}, ...) once no row has {1}."
)


def enum_changes(comparison: Comparison) -> list[Change]:
    in_place = {key for key in comparison.diff.in_place if key.kind == "enum"}
    changed = sorted(in_place | comparison.diff.replaced | comparison.diff.swapped)
    return [change for key in changed for change in _change_values(comparison, key)]


def _change_values(comparison: Comparison, key: Key) -> Iterator[Change]:
    old = comparison.database.one(Enum, key).values
    new = comparison.models.one(Enum, key).values
    if old == new:
        return
    steps = value_steps(key.name, old, new)
    if steps and isinstance(rename := steps[0], RenameEnumValueOp):
        values = rename.old, rename.new
        do, undo = (Call("rename_enum_value", key.name, *each) for each in (values, values[::-1]))
        change = Change(Stage.TYPES, [do], [undo], "rename", key)
        yield change.at(Turn.MAIN, about=_RENAMED.format(own_name(key.name), *values))
    elif steps is not None:
        added = [step for step in steps if isinstance(step, AddEnumValueOp)]
        title = f"Add {', '.join(step.value for step in added)} to {key.name}"
        calls = [
            Call("add_enum_value", key.name, step.value, before=step.before, after=step.after)
            for step in added
        ]
        change = Change(Stage.TYPES, calls, _removal(comparison, key), "add", key)
        yield change.at(Turn.VALUES, "", title)
    elif key in comparison.diff.swapped:
        yield from swap(key, comparison)
    else:
        columned = enum_columns(comparison, key)
        columns = [(*each.table.split(APART), each.name) for each in columned.values()]
        do, undo = (
            Call("replace_enum", key.name, list(values), columns=columns or None)
            for values in (new, old)
        )
        change = Change(Stage.ENUMS, [do], [undo], "replace", key)
        gone, lost = ([x for x in a if x not in b] for a, b in ((old, new), (new, old)))
        told = given_up(gone, lost, [each.name for each in sorted(columned)])
        yield change.at(Turn.MAIN, about=" ".join(told))


def _removal(comparison: Comparison, key: Key) -> list[MigrateOperation]:
    """The operations that remove the new values, and create again what blocks that."""
    database, models = comparison.database, comparison.models
    all_values = replace(database.one(Enum, key), labels=models.one(Enum, key).labels)
    grown = {**database.objects, key: all_values}
    back = replace(comparison, database=replace(database, objects=grown), models=database)
    back = with_diff(back.plainly())
    changes = [*table_changes(back), *enum_changes(back), *object_changes(back)]
    changes.sort(key=lambda change: change.stage)
    return [each for change in changes for each in change.ops]
