"""Drops, creates and changes all objects but tables and columns."""

import re
from collections import abc
from collections.abc import Iterator

from alembic.operations import MigrateOperation

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.object_diff import AFTER_TABLES, ROUTINES, VIEWS, ObjectDiff
from surefoot.autogenerate.rendering import Note, sql
from surefoot.catalog import Catalog, Key, SchemaObject, statements
from surefoot.catalog.changes import in_place
from surefoot.catalog.kinds import Attributes, Constraint, Routine, Trigger, table_of
from surefoot.catalog.order import in_order

Operations = abc.Sequence[MigrateOperation]


def object_changes(comparison: Comparison, diff: ObjectDiff) -> list[Change]:
    """The changes of all objects: by stage, and within it in the order of dependencies."""
    found, expected = comparison.database, comparison.models
    going = reversed(in_order(diff.removed | diff.recreated, found.uses))
    coming = in_order(diff.added | diff.recreated, expected.uses)
    staying = in_order(diff.in_place, expected.uses)
    return [
        *(_drop(comparison, diff, key) for key in going),
        *(_create(comparison, key) for key in coming),
        *(change for key in staying for change in _in_place(comparison, key)),
    ]


def needs_tables(catalog: Catalog, key: Key) -> bool:
    """Whether an object is created after the tables.

    A function is, if its text names a table and no table needs it.
    """
    if key.kind not in ROUTINES:
        return key.kind in AFTER_TABLES
    users = {user.kind for user in catalog.users_of(key)}
    if users & {"column", "constraint", "index", "domain"}:
        return False
    words = set(re.findall(r"\w+", catalog.one(Routine, key).definition))
    tables = {each.name for each in catalog.objects if each.kind in ("table", *VIEWS)}
    used = {each.kind for each in catalog.uses.get(key, ())}
    return bool(words & tables or used & {"table", "column", *VIEWS})


def _drop(comparison: Comparison, diff: ObjectDiff, key: Key) -> Change:
    item = comparison.database.objects[key]
    late = needs_tables(comparison.database, key) or key in diff.recreated
    # Dropping the table drops these; the way back creates some of them after the table.
    gone = (
        table_of(item) in comparison.gone_tables
        and not isinstance(item, Trigger)
        and not (isinstance(item, Constraint) and item.type == "foreign key")
    )
    do = [] if gone else object_operations.drop(key, item)
    stage, action = Stage.DROP if late else Stage.CLEAN, _action("drop", comparison, key)
    return Change(stage, do, object_operations.create(key, item), action, key)


def _create(comparison: Comparison, key: Key) -> Change:
    item, lost = comparison.models.objects[key], comparison.grants.get(key)
    stage = Stage.CREATE if needs_tables(comparison.models, key) else Stage.TYPES
    do = object_operations.create(key, item, comparison.declared)
    if lost:
        do.append(Note(f"Dropping it dropped these privileges: {'; '.join(lost)}."))
    undo = object_operations.drop(key, item)
    return Change(stage, do, undo, _action("make", comparison, key), key)


def _action(action: str, comparison: Comparison, key: Key) -> str:
    """The action; an object that does not differ is dropped and created for another one's sake."""
    both = key in comparison.followed.objects and key in comparison.models.objects
    return "remake" if both and not changed(comparison, key) else action


def _in_place(comparison: Comparison, key: Key) -> Iterator[Change]:
    found, expected = comparison.followed.objects[key], comparison.models.objects[key]
    different = changed(comparison, key)
    rest = different - {"comment"}
    if isinstance(found, Constraint) and isinstance(expected, Constraint) and rest:
        yield Change(Stage.STATE, *_validation(key, found, expected), "validate", key)
    elif rest and key.kind != "enum":
        late = needs_tables(comparison.models, key)
        stage = Stage.CREATE if late else Stage.TYPES
        stage = Stage.STATE if rest & {"enabled", "owned by"} else stage
        undo = _altered(key, expected, found, rest)
        yield Change(stage, _altered(key, found, expected, rest), undo, "change", key)
    if "comment" in different:
        said, unsaid = ([sql(statements.comment(key, each))] for each in (expected, found))
        yield Change(Stage.STATE, said, unsaid, "comment", key)


def _altered(
    key: Key, before: SchemaObject, after: SchemaObject, names: Attributes
) -> list[MigrateOperation]:
    made = in_place(key, before, after, names)
    if made is None:
        # A view that loses its last columns.
        made = [statements.drop(key, before), statements.create(key, after)[0]]
    return [sql(each) for each in made]


def _validation(key: Key, found: Constraint, expected: Constraint) -> tuple[Operations, Operations]:
    """Validation of a constraint; to make it NOT VALID again, it is dropped and created."""

    def to(was: Constraint, becomes: Constraint) -> Operations:
        if becomes.validated:
            return [sql(statements.validate(expected))]
        return [*object_operations.drop(key, was), *object_operations.create(key, becomes)]

    return to(found, expected), to(expected, found)
