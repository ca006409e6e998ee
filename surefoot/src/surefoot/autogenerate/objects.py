"""Drops, creates and changes all objects but tables and columns.

ObjectDiff sorts them into added, removed, recreated and changed in place.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from alembic.operations.ops import MigrateOperation

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.comparison import Comparison, ObjectDiff, changed, is_replaced
from surefoot.autogenerate.domains import by_hand
from surefoot.autogenerate.object_operations import create, drop, index_call, past_rows, proof, step
from surefoot.autogenerate.rendering import Call, ContinueSequence, Name, sql
from surefoot.autogenerate.spreading import HAVE_ROWS, ROUTINES, VIEWS, spread
from surefoot.autogenerate.swappable import (
    enum_columns,
    is_swappable_enum,
    new_users,
    swappable,
)
from surefoot.autogenerate.table_operations import serials
from surefoot.catalog import Catalog, Key, statements
from surefoot.catalog.changes import in_place
from surefoot.catalog.kinds import (
    KINDS,
    Attributes,
    Column,
    Constraint,
    Index,
    Routine,
    Sequence,
    Trigger,
    View,
    table_of,
)
from surefoot.catalog.order import in_order

# Created after tables and dropped before them; the other kinds are the other way round.
AFTER_TABLES = tuple(KINDS)[tuple(KINDS).index("table") + 1 :]
# Attributes that have steps of their own.
_ASIDE: Attributes = frozenset({"comment", "validated", "valid", "index validity"})


def with_diff(comparison: Comparison) -> Comparison:
    """The comparison with the differences of all objects but tables and ordinary columns."""
    diff = ObjectDiff()
    found, expected = comparison.followed.objects, comparison.models.objects
    for key in sorted({*found, *expected}):
        if found.get(key) is expected.get(key):
            continue
        if key in comparison.database.objects and key in expected and key.kind == "column":
            _generated(diff, key, *comparison.pair(key))
        if key.kind in HAVE_ROWS or _comes_along(comparison, key):
            continue
        if key not in found:
            diff.added.add(key)
        elif key not in expected:
            diff.removed.add(key)
        elif steps := by_hand(comparison, key):
            diff.by_hand[key] = steps
        elif different := changed(comparison, key):
            rest = different - _ASIDE
            easy = key.kind == "enum" or in_place(key, found[key], expected[key], rest) is not None
            if easy and not (key.kind == "view" and _loses_columns(comparison, key)):
                diff.in_place.add(key)
            else:
                diff.recreated.add(key)
            if is_replaced(comparison.followed, comparison.models, key):
                is_swapped = is_swappable_enum(comparison, key)
                (diff.swapped if is_swapped else diff.replaced).add(key)
                diff.in_place -= diff.swapped
    spread(comparison, diff)
    diff.beside = swappable(comparison, diff.retyped)
    of_enums = (each for enum in diff.swapped for each in enum_columns(comparison, enum))
    diff.added -= new_users(comparison, *diff.beside, *of_enums)
    again = {key for key in diff.recreated if key.kind not in ("index", "constraint")}
    again |= diff.recreated_columns | diff.freed_columns
    diff.moved = again | diff.replaced | diff.retyped
    return replace(comparison, diff=diff)


def _generated(diff: ObjectDiff, key: Key, found: Column, expected: Column) -> None:
    before, after = found.generated, expected.generated
    retyped = (found.type, found.collation) != (expected.type, expected.collation)
    if before is not None and after is None and before.endswith(" STORED"):
        diff.freed_columns.add(key)
    elif before != after or (after is not None and retyped):
        diff.recreated_columns.add(key)


def _comes_along(comparison: Comparison, key: Key) -> bool:
    """Whether the object is created and dropped with its table or column."""
    found, expected = comparison.database.objects.get(key), comparison.models.objects.get(key)
    item = found if expected is None else expected
    if isinstance(item, Constraint) and item.type == "not null":
        # One that is NOT VALID: the column's own NOT NULL goes and comes with it.
        sides = comparison.database, comparison.models
        return found is None or not all(side.forbids_null(item) for side in sides)
    if isinstance(item, Constraint) and item.table in comparison.inline:
        return item in comparison.inline[item.table]
    if isinstance(item, Sequence) and (found is None or expected is None):
        if comparison.exchanged_sequence(Key("column", item.owned_by or "")) == item:
            return True
        table = (item.owned_by or "").rpartition(".")[0]
        catalog = comparison.models if found is None else comparison.database
        return key in serials(catalog, table, comparison.inline.get(table, ()))
    return False


def _loses_columns(comparison: Comparison, key: Key) -> bool:
    """Whether a view cannot be replaced in place: columns can only be added at its end."""
    before = comparison.followed.one(View, key).columns or ()
    after = comparison.models.one(View, key).columns or ()
    if before == after:
        return False
    # The way back drops the view, which needs a view without dependent objects.
    return bool(comparison.users_of(key)) or after[: len(before)] != before


def object_changes(comparison: Comparison) -> list[Change]:
    """The changes of all objects: by stage, and within it in the order of dependencies."""
    found, expected, diff = comparison.database, comparison.models, comparison.diff
    going = reversed(_in_order(diff.removed | diff.recreated, found))
    coming = _in_order(diff.added | diff.recreated, expected)
    staying = _in_order(diff.in_place, expected)
    return [
        *(change for key in going for change in _drop(comparison, key)),
        *(change for key in coming for change in _create(comparison, key)),
        *(change for key in staying for change in _in_place(comparison, key)),
        *(Change(Stage.STATE, [each], [], "by hand", key) for key, each in diff.by_hand.items()),
    ]


def _in_order(keys: Collection[Key], catalog: Catalog) -> list[Key]:
    return in_order(
        keys, {**catalog.uses, **{key: catalog.needs(key) | _calls(catalog, key) for key in keys}}
    )


def _calls(catalog: Catalog, key: Key) -> frozenset[Key]:
    """The routines that a body in SQL may call; only PostgreSQL reads it, when it is created."""
    routine = catalog.find(Routine, key)
    if routine is None or routine.language != "sql":
        return frozenset()
    words = set(re.findall(r"\w+", routine.definition.partition("\nAS ")[2]))
    named = ((each, each.name.partition("(")[0]) for each, _ in catalog.each(Routine))
    return frozenset(each for each, name in named if name.rpartition(".")[2] in words) - {key}


def needs_tables(catalog: Catalog, key: Key, known: frozenset[Key] = frozenset()) -> bool:
    """Whether an object is created after the tables.

    A function is, if its text names a table, or such a function, and no table needs it.
    """
    if key.kind not in ROUTINES:
        return key.kind in AFTER_TABLES
    users = {user.kind for user in catalog.users_of(key)}
    if users & {"column", "constraint", "index", "domain"}:
        return False
    words = set(re.findall(r"\w+", catalog.one(Routine, key).definition))
    tables = {each.name for each in catalog.objects if each.kind in ("table", *VIEWS)}
    used = {each.kind for each in catalog.needs(key)}
    if words & tables or used & {"table", "column", *VIEWS}:
        return True
    known |= {key}
    return any(needs_tables(catalog, each, known) for each in _calls(catalog, key) - known)


def _drop(comparison: Comparison, key: Key) -> Iterator[Change]:
    item, action = comparison.database.objects[key], _action("drop", comparison, key)
    if isinstance(item, Sequence) and (apart := _apart(comparison, item)):
        free, past = apart
        change = step(Stage.DROP, key, item, free, "change")
        change.undo += past
        yield change
        item = free
    if isinstance(item, Constraint) and item.type == "not null":
        yield proof(key, replace(item, validated=True), item.table)
        return
    over = comparison.database.users_of(*comparison.diff.replaced)
    late = needs_tables(comparison.database, key) or key in comparison.diff.recreated | over
    change = step(Stage.DROP if late else Stage.CLEAN, key, item, None, action)
    # Dropping the table drops these; the way back creates them after the table.
    is_reference = isinstance(item, Constraint) and item.type == "foreign key"
    if table_of(item) in comparison.gone_tables and not (isinstance(item, Trigger) or is_reference):
        change.ops = []
    yield change


def _create(comparison: Comparison, key: Key) -> Iterator[Change]:
    item = comparison.models.objects[key]
    # Where the models decide the privileges they are granted again.
    lost = [] if comparison.privileges else comparison.grants(key)
    stage = Stage.CREATE if needs_tables(comparison.models, key) else Stage.TYPES
    if stage is Stage.TYPES and key in comparison.models.users_of(*comparison.diff.replaced):
        stage = Stage.ENUMS
    action = _action("make", comparison, key)
    if isinstance(item, Sequence) and (apart := _apart(comparison, item)):
        free, past = apart
        yield step(stage, key, None, free, action)
        change = step(Stage.STATE, key, free, item, "change")
        change.ops += past
        yield change
        return
    change = step(stage, key, None, item, action)
    if lost:
        change.about = f"Dropping {item.name} drops these privileges: {'; '.join(lost)}."
    yield change


def _apart(
    comparison: Comparison, sequence: Sequence
) -> tuple[Sequence, list[ContinueSequence]] | None:
    """The sequence of a column that comes or goes, without its owner: the default needs it before.

    Of a column that keeps its values, it continues after these.
    """
    owner, diff = Key("column", sequence.owned_by or ""), comparison.diff
    stays = all(owner in side.objects for side in (comparison.database, comparison.models))
    types = (each.type for each in comparison.sides(owner) if isinstance(each, Column))
    numbers = all(each in HIGHEST for each in types)
    stands = stays and owner not in diff.recreated_columns | diff.freed_columns
    stands &= numbers or owner not in diff.retyped
    if sequence.owned_by is None or stands:
        return None
    return replace(sequence, owned_by=None), past_rows(sequence) if stays else []


def _action(action: str, comparison: Comparison, key: Key) -> str:
    """The action; an object that does not differ is dropped and created for another one's sake."""
    both = key in comparison.followed.objects and key in comparison.models.objects
    return "remake" if both and not changed(comparison, key) else action


def _in_place(comparison: Comparison, key: Key) -> Iterator[Change]:
    found, expected = comparison.followed.objects[key], comparison.models.objects[key]
    different = changed(comparison, key)
    if different & {"valid", "index validity"}:
        rebuild: list[MigrateOperation] = [Call("reindex_concurrently", Name(found.name))]
        of = comparison.followed.table(table_of(found) or "")
        if isinstance(found, Index) and of and of.kind == "partitioned table":
            # It lacks the index of a partition.
            again = index_call(found, concurrently=True)
            online = comparison.is_in_use(of.name, or_parts=True)
            rebuild = [again] if again and online else [drop(key, found), *create(key, found)]
        yield Change(Stage.STATE, rebuild, [], "rebuild", key)
    if isinstance(found, Constraint) and isinstance(expected, Constraint):
        valid = replace(found, validated=expected.validated)
        if valid != found:
            yield step(Stage.STATE, key, found, valid, "validate")
        found = valid
    silent = replace(expected, comment=found.comment)
    rest = different - _ASIDE
    if rest and key.kind != "enum":
        # That of a trigger may name columns that come in the same change.
        is_of_trigger = isinstance(expected, Routine) and expected.returns == "trigger"
        stage = Stage.TABLES if is_of_trigger else Stage.TYPES
        stage = Stage.CREATE if needs_tables(comparison.models, key) else stage
        # A sequence is locked by it, and no other change waits for that.
        stage = Stage.STATE if key.kind == "sequence" or rest & {"enabled"} else stage
        change = step(stage, key, found, silent, "change")
        if "enforcement" in rest:
            # ENABLE TRIGGER ALL enabled these too.
            off = (each for _, each in comparison.models.each(Trigger) if each.enabled != "yes")
            change.ops += [sql(statements.enable(each)) for each in off]
        yield change
    if "comment" in different:
        yield step(Stage.STATE, key, silent, expected, "comment")
