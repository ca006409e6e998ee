"""Grants and revokes, where the project says that the models decide the privileges.

Models state them by DDL events, such as `GRANT SELECT ON jobs TO reader`.
"""

from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import sql
from surefoot.catalog import Key
from surefoot.catalog.grants import rights
from surefoot.catalog.kinds import Column, Names, Sequence

_OPTION = " WITH GRANT OPTION"


def privilege_changes(comparison: Comparison) -> Iterator[Change]:
    """The changes of privileges, of new objects and of those that are created again, too."""
    again = comparison.diff.recreated | comparison.diff.recreated_columns
    given = []
    for key, (found, wanted) in sorted(comparison.privileges.items()):
        fresh = comparison.defaults.of(key)
        is_new, is_again = key not in comparison.database.objects, key in again
        do = _statements(comparison, key, fresh if is_new or is_again else found, wanted)
        undo = [] if is_new else _statements(comparison, key, fresh if is_again else wanted, found)
        if is_again and any(undo):
            # Its way back runs after the object is created as it was.
            yield Change(Stage.DROP, [], [*undo[0], *undo[1]], "grant", key)
            undo = []
        revokes, grants = do
        taken, back = undo or ([], [])
        if revokes or back:
            yield Change(Stage.STATE, revokes, back, "revoke" if revokes else "grant", key)
        if grants or taken:
            given.append(Change(Stage.STATE, grants, taken, "grant", key))
    # To revoke a privilege on a table revokes it on the columns.
    yield from given


def grant_again(change: Change, comparison: Comparison) -> None:
    """Let the way back of a drop give the object, and its columns and sequences, what they had."""
    key = change.key
    if change.action != "drop" or key in comparison.models.objects:
        return
    database, gone = comparison.database, [key]
    if key.kind == "table":
        gone += [each for each, of in database.each(Column) if of.table == key.name]
        owned = database.each(Sequence)
        gone += [each for each, of in owned if (of.owned_by or "").startswith(f"{key.name}.")]
    change.undo += [sql(s) for each in gone for s in comparison.grants(each)]


def _statements(
    comparison: Comparison, key: Key, before: Names, after: Names
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    item = comparison.item(key)
    assert item is not None
    stays: Names = ()
    if isinstance(item, Column):
        one, other = comparison.privileges.get(Key("table", item.table), ((), ()))
        # What the table loses, there or back, its columns lose.
        lost = {each.replace(_OPTION, "") for each in {*one} ^ {*other}}
        stays = tuple(
            each for each in before if each in after and each.replace(_OPTION, "") in lost
        )
    sides = tuple(replace(item, privileges=each) for each in (before, after))
    less = replace(item, privileges=tuple(each for each in before if each not in stays))
    revokes = (each for each in rights(key, *sides) if each.startswith("REVOKE"))
    grants = (each for each in rights(key, less, sides[1]) if each.startswith("GRANT"))
    return [*map(sql, revokes)], [*map(sql, grants)]
