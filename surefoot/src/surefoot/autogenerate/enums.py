"""Changes the values of enums, in place or by an exchange of the type."""

from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.objects import ObjectDiff, object_changes, spread
from surefoot.autogenerate.rendering import Note
from surefoot.autogenerate.tables import table_changes
from surefoot.autogenerate.type_change import columns_of
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Enum
from surefoot.operations.enums import RenameEnumValueOp, ReplaceEnumOp, value_steps


def enum_changes(comparison: Comparison, diff: ObjectDiff) -> list[Change]:
    """The changes that give the enums the values of the models."""
    in_place = {key for key in diff.in_place if key.kind == "enum"}
    changed = sorted(in_place | diff.replaced | diff.swapped)
    return [change for key in changed for change in _change_values(comparison, diff, key)]


def _change_values(comparison: Comparison, diff: ObjectDiff, key: Key) -> list[Change]:
    old = comparison.database.one(Enum, key).values
    new = comparison.models.one(Enum, key).values
    if old == new:
        return []
    steps = value_steps(key.name, old, new)
    rename = steps[0] if steps else None
    if isinstance(rename, RenameEnumValueOp):
        note = Note(
            f"Written as a rename because only one value differs, at the same place. "
            f"If {rename.old} is removed and {rename.new} is new, use "
            f"op.replace_enum({key.name!r}, ...) once no row has {rename.old}."
        )
        return [Change(Stage.TYPES, [note, rename], [rename.reverse()], "rename", key)]
    columns = used_by(comparison, key)
    back = ReplaceEnumOp(key.name, old, columns=columns)
    if steps is None:
        other = ReplaceEnumOp(key.name, new, columns=columns)
        word = "swap" if key in diff.swapped else "replace"
        return [Change(Stage.ENUMS, [other], [back], word, key)]
    aside, again = _around(comparison, key)
    return [Change(Stage.TYPES, steps, [*aside, back, *again], "add", key)]


def _around(
    comparison: Comparison, key: Key
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """The operations around the removal of a value: they drop and restore blocking objects."""
    there = (each for each in comparison.columns if each in comparison.database.objects)
    columns = {each: comparison.reflected(each) for each in there}
    as_it_was = replace(comparison, models=comparison.database, declared={}, columns=columns)
    diff = ObjectDiff(replaced={key})
    spread(as_it_was, diff)
    changes = [*table_changes(as_it_was, diff), *object_changes(as_it_was, diff)]
    changes.sort(key=lambda change: change.stage)
    return (
        [each for change in changes if change.stage < Stage.ENUMS for each in change.ops],
        [each for change in changes if change.stage > Stage.ENUMS for each in change.ops],
    )


def used_by(comparison: Comparison, key: Key) -> list[tuple[str, str]]:
    """The columns of the enum, by table and name."""
    of = (comparison.database.one(Column, column) for column in columns_of(comparison, key))
    return [(each.table, each.name) for each in of]
