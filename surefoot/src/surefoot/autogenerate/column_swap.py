"""Changes the type of a column through a second column, which is filled and then swapped in.

Its indexes, checks and unique constraints are built on the second one under temporary names, and
renamed when the columns are swapped. Views, foreign keys, generated columns, triggers and functions
refer to the old column itself, and prevent a swap. A type that keeps all values needs none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import PROVEN, Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison, changed
from surefoot.autogenerate.constraints import forbid_null, not_null_name, promised_by_itself
from surefoot.autogenerate.drafts import Draft, exchanged
from surefoot.autogenerate.indexes import attached, built, index_of_key
from surefoot.autogenerate.naming import has_temporary_name, temporary_name
from surefoot.autogenerate.object_operations import create, index_call, step
from surefoot.autogenerate.renames import Rename
from surefoot.autogenerate.rendering import Call, sql
from surefoot.autogenerate.table_operations import add_column, column_step, drop_column
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.definitions import whole_name
from surefoot.catalog.grants import rights
from surefoot.catalog.kinds import Column, Constraint, Enum, Index
from surefoot.catalog.widening import needs_no_rewrite
from surefoot.quoting import quoted


def is_swappable(comparison: Comparison, key: Key) -> bool:
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    return not needs_no_rewrite(before.type, after.type) and _can_be_swapped(comparison, key)


def is_swappable_enum(comparison: Comparison, key: Key) -> bool:
    """Whether the columns of an enum can be swapped for columns of a new type.

    They must belong to one table: the swap would lock two at once.
    """
    columns = enum_columns(comparison, key)
    standing = comparison.users_of(key) - set(columns)
    on_columns = {user for column in columns for user in comparison.users_of(column)}
    free = not any(
        Key(kind, temporary_name(key.name)) in catalog.objects
        for kind in ("enum", "type", "domain", "table", "view")
        for catalog in (comparison.database, comparison.models)
    )
    return (
        free
        and has_temporary_name(key.name)
        and bool(columns)
        and len({column.table for column in columns.values()}) == 1
        and not comparison.models.objects[key].comment
        and not comparison.database.objects[key].comment
        and standing <= on_columns
        and all(
            column in comparison.models.objects
            and not changed(comparison, column)
            and _can_be_swapped(comparison, column)
            for column in columns
        )
    )


def enum_columns(comparison: Comparison, enum: Key) -> dict[Key, Column]:
    """The columns of an enum type, or of arrays of it; one that is inherited changes along."""
    return {
        column: found
        for column, found in comparison.database.each(Column)
        if enum in comparison.database.needs(column)
        and whole_name(found.type.removesuffix("[]")) == enum.name
        and not comparison.is_inherited(column)
    }


def _can_be_swapped(comparison: Comparison, key: Key) -> bool:
    before, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    there = Key("column", temporary_name(key.name))
    free = there not in comparison.database.objects and there not in comparison.models.objects
    plain = not any(each.generated or each.identity for each in (before, after))
    return (
        free
        and plain
        and not comparison.at_once
        and comparison.is_in_use(after.table)
        and has_temporary_name(after.name)
        and all(_can_be_copied(comparison, user) for user in comparison.users_of(key))
    )


def _can_be_copied(comparison: Comparison, user: Key) -> bool:
    """Whether a dependent object does not change, and can be created on a second column."""
    item = comparison.temporary.objects.get(user)
    known = user in comparison.database.objects and user in comparison.models.objects
    if item is None or not known or changed(comparison, user) or item.comment:
        return False
    if not has_temporary_name(item.name):
        return False
    if isinstance(item, Index):
        return index_call(item) is not None
    if not isinstance(item, Constraint) or comparison.users_of(user):
        return False
    if item.type == "check":
        return item.validated
    return item.type == "unique" and index_of_key(item) is not None


def swap(key: Key, comparison: Comparison) -> Iterator[Change]:
    """The parts that add new columns, check that they are filled, and swap them in.

    `key` is a column, or an enum whose columns get a new type. A default is set at the end: before,
    it would look like a value that was filled in.
    """
    is_enum, new = key.kind == "enum", temporary_name(key.name)
    columns = [*enum_columns(comparison, key)] if is_enum else [key]
    said = "its new values" if is_enum else comparison.models.one(Column, key).type
    title = f"Give {key.name} {said}" if is_enum else f"Make {key.name} {said}"
    renamed: list[Change] = []
    lacking: list[str] = []
    if is_enum:
        before, after = comparison.database.one(Enum, key), comparison.models.one(Enum, key)
        lacking = [each for each in before.values if each not in after.values]
        made = step(Stage.TYPES, key, None, replace(after, name=new), "copy")
        yield made.at(Turn.MAIN, "", f"Add {new}")
        gone = step(Stage.TYPES, key, before, None, "drop")
        renamed = [gone, Rename("type", "", new, key.name).change()]
    drafts = [_draft(column, lacking, comparison) for column in columns]
    for column, draft in zip(columns, drafts, strict=True):
        yield from _made_beside(column, draft, comparison, title[:1].lower() + title[1:])
    steps = [
        *(_refusal(column, there=True) for column in columns),
        *(each for column in columns for each in _swapped(column, comparison)),
        *renamed,
        *(each for column in columns for each in _default(column, comparison)),
        # These read the rows: they run before a lock is taken, in both directions.
        *(_refusal(column, there=False) for column in reversed(columns)),
    ]
    do = [each for made in steps for each in made.ops]
    back = [each for made in reversed(steps) for each in made.undo]
    change = Change(Stage.TABLES, do, back, "swapped", columns[0])
    change.fills = drafts
    there = ", ".join(temporary_name(each.name) for each in columns)
    about = (
        f"Before this runs: fill {there} in every row; the revision refuses to run if a row has no "
        "value there. Afterwards the new columns have the names of the old ones: at the same "
        "moment, replace the release that writes both with one that has the new models."
    )
    yield change.at(Turn.COLUMNS, columns[0].name, title, about)


def _draft(key: Key, gone: Sequence[str], comparison: Comparison) -> Draft:
    old = comparison.database.one(Column, key)
    new = comparison.temporary.one(Column, Key("column", temporary_name(key.name)))
    using = comparison.using(quoted(old.name), old.type, new.type)
    return exchanged(old, new, using, gone)


def _made_beside(key: Key, draft: Draft, comparison: Comparison, purpose: str) -> Iterator[Change]:
    """The new column with its indexes and constraints, under temporary names."""
    there = temporary_name(key.name)
    column = comparison.temporary.one(Column, Key("column", there))
    empty = replace(column, not_null=False, default=None)
    made = [*add_column(empty, comparison.temporary), *_rights(key, empty, comparison)]
    add = Change(Stage.TABLES, made, [drop_column(column)], "begin", Key("column", there))
    about = (
        f"To {purpose} in place would rewrite the table under ACCESS EXCLUSIVE. After this "
        f"revision: deploy a release that writes both {key.name} and {there}, then fill the "
        "existing rows."
    )
    add.fills = [draft]
    yield add.at(Turn.MAIN, about=about)
    for user in sorted(comparison.users_of(key)):
        yield from _user_beside(user, comparison.temporary.objects[user])
    if column.not_null:
        yield from forbid_null(Key("column", there), comparison, draft)


def _rights(key: Key, column: Column, comparison: Comparison) -> Iterator[MigrateOperation]:
    """The rights on a column, for another one in its place."""
    bare = replace(column, privileges=None)
    yield from map(sql, rights(key, bare, replace(bare, privileges=comparison.rights(key))))


def _user_beside(user: Key, item: SchemaObject) -> Iterator[Change]:
    assert isinstance(item, Constraint | Index)
    name, table = temporary_name(item.name), item.table
    if isinstance(item, Constraint) and item.type == "check":
        check = replace(item, name=name)
        loose = replace(check, validated=False)
        yield step(Stage.CREATE, user, None, loose, "copy").at(Turn.MAIN, "", f"Add {name}")
        proof = step(Stage.STATE, user, loose, check, "validate")
        yield proof.at(Turn.VALIDATE, name, f"Validate {name}", PROVEN)
        return
    yield built(user, _index_beside(item), f"Build {name} on {table}")


def _index_beside(item: Constraint | Index) -> Index:
    index = index_of_key(item) if isinstance(item, Constraint) else item
    assert index is not None
    return replace(index, name=temporary_name(index.name))


def _refusal(key: Key, *, there: bool) -> Change:
    """Refuses to lose a value: one that is not in the new column, or any on the way back."""
    table, _, name = key.name.rpartition(".")
    new, unless = temporary_name(name), f"{quoted(name)} IS NOT NULL"
    if not there:
        lost = f"The downgrade creates {name} again, without its values."
        return Change(Stage.TABLES, [], [Call("refuse_rows", table, unless, lost)])
    hint = f"Fill {new} in these rows first: this revision drops {name}."
    refuse = Call("refuse_rows", table, f"{unless} AND {quoted(new)} IS NULL", hint)
    return Change(Stage.TABLES, [refuse], [])


def _swapped(key: Key, comparison: Comparison) -> Iterator[Change]:
    """The old column goes, and the new one takes its name and those of its dependents."""
    found = comparison.database.one(Column, key)
    table, name = found.table, found.name
    there, users = temporary_name(name), sorted(comparison.users_of(key))
    was = {user: comparison.database.objects[user] for user in users}
    # Dropping the column drops its dependents.
    again = [each for user in reversed(users) for each in create(user, was[user])]
    made = [*add_column(found, comparison.database), *_rights(key, found, comparison)]
    yield Change(Stage.TABLES, [drop_column(found)], [*made, *again])
    yield Rename("column", table, there, name).change()
    if promised_by_itself(comparison) and comparison.models.one(Column, key).not_null:
        names = (not_null_name(table, each) for each in (there, name))
        yield Rename("constraint", table, *names).change()
    for user in users:
        yield _named_again(user, was[user], comparison.models.objects[user])


def _named_again(user: Key, before: SchemaObject, after: SchemaObject) -> Change:
    """The new object gets the old one's name."""
    if not isinstance(before, Constraint) or before.type == "check":
        table = before.table if isinstance(before, Constraint) else ""
        return Rename(user.kind, table, temporary_name(before.name), before.name).change()
    assert isinstance(after, Constraint)
    return attached(Stage.TABLES, user, after, _index_beside(after))


def _default(key: Key, comparison: Comparison) -> Iterator[Change]:
    column = comparison.models.one(Column, key)
    if column.default is not None:
        yield column_step(comparison, replace(column, default=None), column, "default")
