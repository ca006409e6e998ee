"""Grants and revokes, where the project says that the models decide the privileges.

Models state them by DDL events, such as `GRANT SELECT ON jobs TO reader`.
"""

from collections.abc import Iterator
from dataclasses import replace

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import sql
from surefoot.catalog import Key
from surefoot.catalog.grants import OPEN, rights
from surefoot.catalog.kinds import Column, Names, Sequence


def privilege_changes(comparison: Comparison) -> Iterator[Change]:
    """The changes of privileges, of new objects and of those that are created again, too."""
    again = comparison.diff.recreated | comparison.diff.recreated_columns
    for key, (found, wanted) in sorted(comparison.privileges.items()):
        fresh = OPEN.get(key.kind, ())
        is_new, is_again = key not in comparison.database.objects, key in again
        do = _statements(comparison, key, fresh if is_new or is_again else found, wanted)
        undo = [] if is_new else _statements(comparison, key, fresh if is_again else wanted, found)
        word = "revoke" if any(each.startswith("REVOKE") for each in do) else "grant"
        if is_again and undo:
            # Its way back runs after the object is created as it was.
            yield Change(Stage.DROP, [], [sql(each) for each in undo], word, key)
            undo = []
        if do or undo:
            yield Change(Stage.STATE, [*map(sql, do)], [*map(sql, undo)], word, key)


def grant_again(change: Change, comparison: Comparison) -> None:
    """Let the way back of a drop give the object, and its columns and sequences, what they had."""
    key = change.key
    if key is None or change.action != "drop" or key in comparison.models.objects:
        return
    database, gone = comparison.database, [key]
    if key.kind == "table":
        gone += [each for each, of in database.each(Column) if of.table == key.name]
        owned = database.each(Sequence)
        gone += [each for each, of in owned if (of.owned_by or "").startswith(f"{key.name}.")]
    change.undo = [
        *change.undo,
        *(sql(s) for each in gone for s in comparison.grants.get(each, ())),
    ]


def _statements(comparison: Comparison, key: Key, before: Names, after: Names) -> list[str]:
    item = comparison.models.objects[key]
    sides = (replace(item, privileges=each) for each in (before, after))
    return rights(key, *sides)
