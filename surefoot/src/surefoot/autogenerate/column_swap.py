"""Changes the type of a column through a second column, which is filled and then swapped in.

Its indexes, checks and keys are built on the second one under temporary names, and renamed when
the columns are swapped; a new index has its name at once. Views, generated columns, triggers and
functions refer to the old column itself, and prevent a swap. A type that keeps all values needs
none.

A trigger keeps the columns in step where the type is a wider number. Then a foreign key gets a
second one between the second columns, which replaces it before the first of them is swapped: each
revision locks the tables of one foreign key at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.allowances import EXCHANGED
from surefoot.autogenerate.change import PROVEN, Change, Stage, Turn, in_one
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import forbid_null, not_null_name, promised_by_itself
from surefoot.autogenerate.conversions import differs, gone_values, is_yours, using
from surefoot.autogenerate.drafts import Draft, exchanged
from surefoot.autogenerate.identities import numbers_missing
from surefoot.autogenerate.indexes import attached, built, index_of_key
from surefoot.autogenerate.naming import temporary_name
from surefoot.autogenerate.object_operations import create, drop, joined, step
from surefoot.autogenerate.renames import Rename
from surefoot.autogenerate.rendering import Call, sql
from surefoot.autogenerate.swappable import (
    enum_columns,
    foreign_keys,
    is_in_step,
    users,
)
from surefoot.autogenerate.table_operations import (
    add_column,
    column_step,
    drop_column,
    own_sequence,
)
from surefoot.catalog import Key, alterations, kinds
from surefoot.catalog.grants import rights
from surefoot.catalog.kinds import Column, Constraint, Enum, Index
from surefoot.quoting import quoted

# The words of a revision that compares the values.
_OTHER = (
    ", or another value than the backfill gives (if you change that value, change this condition)"
)


def swap(key: Key, comparison: Comparison) -> Iterator[Change]:
    """The parts that add new columns, check that they are filled, and swap them in.

    `key` is a column, or an enum whose columns get a new type. A default is set at the end: before,
    it would look like a value that was filled in.
    """
    is_enum, new = key.kind == "enum", temporary_name(key.name)
    columns = [*enum_columns(comparison, key)] if is_enum else [key]
    said = "its new values" if is_enum else comparison.models.one(Column, key).type
    title = f"Give {key.name} {said}" if is_enum else f"Make {key.name} {said}"
    stopped: list[Change] = []
    renamed: list[Change] = []
    if is_enum:
        before, after = comparison.database.one(Enum, key), comparison.models.one(Enum, key)
        made = step(Stage.TYPES, key, None, replace(after, name=new), "copy")
        yield made.at(Turn.MAIN, "", f"Add {new}")
        gone = step(Stage.TYPES, key, before, None, "drop")
        renamed = [gone, Rename("type", "", new, key.name).change()]
    elif is_in_step(comparison, key):
        stopped = [_kept_in_step(key).reverse(), *_numbers_moved(key, comparison)]
    drafts = [_draft(column, comparison) for column in columns]
    filled = [*zip(columns, drafts, strict=True)]
    for column, draft in filled:
        yield from _made_beside(column, draft, comparison, title[:1].lower() + title[1:])
    for user in () if is_enum else foreign_keys(comparison, key):
        # Once, by the column that is referred to, where both are swapped.
        ends = [each for each in comparison.diff.beside if each in comparison.database.needs(user)]
        if ends[0] == key:
            fills = [_draft(each, comparison) for each in ends]
            yield from _referring_beside(user, fills, comparison)
    lost = [_lost(column, draft, comparison) for column, draft in filled]
    steps = [
        *map(_refusal, columns, lost),
        *stopped,
        *(each for column in columns for each in _swapped(column, comparison)),
        *renamed,
        *(
            column_step(comparison, replace(each, default=None), each, "default")
            for each in (comparison.models.one(Column, column) for column in columns)
            if each.default is not None
        ),
        # These read the rows: they run before a lock is taken, in both directions.
        *(_refused_back(column) for column in reversed(columns)),
    ]
    change = in_one(Stage.TABLES, steps, "swapped", columns[0])
    change.fills = drafts
    there = ", ".join(temporary_name(each.name) for each in columns)
    about = (
        f"Before this runs: fill {there} in every row; the revision refuses to run if a row has no "
        f"value there{_OTHER * any(lost)}. Afterwards the new columns have the names of the old "
        "ones: "
    )
    group = columns[0].name
    if stopped:
        group = f"{comparison.diff.beside.index(key):03}"
        about += "the running release goes on, and so does one that has the new models. "
        about += numbers_missing(key) if stopped[1:] else ""
    else:
        about += "at the same moment, replace the release that writes both with one that has the "
        about += "new models."
    yield change.at(Turn.COLUMNS, group, title, about)


def _draft(key: Key, comparison: Comparison) -> Draft:
    old = comparison.database.one(Column, key)
    new = comparison.temporary.one(Column, Key("column", temporary_name(key.name)))
    types = old.type, new.type
    by, gone = using(comparison, quoted(old.name), *types), gone_values(comparison, *types)
    return exchanged(old, new, by, gone, is_yours=is_yours(comparison, *types))


def _made_beside(key: Key, draft: Draft, comparison: Comparison, purpose: str) -> Iterator[Change]:
    """The new column with its indexes and constraints, under temporary names."""
    there = temporary_name(key.name)
    column = comparison.temporary.one(Column, Key("column", there))
    empty = replace(column, not_null=False, default=None, identity=None)
    made = [*add_column(empty, comparison.temporary), *_rights(key, empty, comparison)]
    steps = [Change(Stage.TABLES, made, [drop_column(column)])]
    about = f"To {purpose} in place would rewrite the table under ACCESS EXCLUSIVE. "
    writes = ""
    if is_in_step(comparison, key):
        steps.append(_kept_in_step(key))
        writes = (
            f"A trigger writes {there} as a release writes {key.name}: no release has to change. "
        )
        about += f"{writes}After this revision, fill the existing rows."
    else:
        about += f"After this revision: deploy a release that writes both {key.name} and {there}, "
        about += "then fill the existing rows."
    add = in_one(Stage.TABLES, steps, "begin", Key("column", there))
    add.fills = [draft]
    yield add.at(Turn.MAIN, about=about)
    referring = foreign_keys(comparison, key)
    for user in (each for each in users(comparison, key) if each not in referring):
        item = comparison.temporary.objects[user]
        if isinstance(item, Constraint) and item.type == "check":
            yield from _promised_beside(user, item, Turn.MAIN)
        elif isinstance(item, Constraint | Index):
            is_new = user not in comparison.database.objects
            index = item if is_new and isinstance(item, Index) else _index_beside(item)
            yield built(user, index, f"Build {index.name} on {item.table}")
    if column.not_null:
        yield from forbid_null(Key("column", there), comparison, draft, writes)


def _rights(key: Key, column: Column, comparison: Comparison) -> Iterator[MigrateOperation]:
    """The rights on a column, for another one in its place; a change of them comes before."""
    bare = replace(column, privileges=None)
    _, given = comparison.privileges.get(key, (None, comparison.rights(key)))
    yield from map(sql, rights(key, bare, replace(bare, privileges=given)))


def _promised_beside(
    user: Key, item: Constraint, turn: Turn, fills: Sequence[Draft] = ()
) -> Iterator[Change]:
    """A check or a foreign key for new rows, and then for the existing ones."""
    name = temporary_name(item.name)
    after = replace(item, name=name)
    loose = replace(after, validated=False)
    promise = step(Stage.CREATE, user, None, loose, "copy").at(turn, "", f"Add {name}")
    promise.fills = fills
    yield promise
    proof = step(Stage.STATE, user, loose, after, "validate")
    yield proof.at(Turn.VALIDATE, name, f"Validate {name}", PROVEN)


def _referring_beside(
    user: Key, fills: Sequence[Draft], comparison: Comparison
) -> Iterator[Change]:
    """A foreign key between the second columns, and its exchange for the one of the first."""
    item = comparison.temporary.one(Constraint, user)
    yield from _promised_beside(user, item, Turn.KEYS, fills)
    found, there = comparison.database.one(Constraint, user), temporary_name(item.name)
    away = step(Stage.TABLES, user, found, None, "drop")
    called = Rename("constraint", item.table, there, item.name).change()
    change = in_one(Stage.TABLES, [away, called], "exchange", user)
    about = f"{there} {EXCHANGED} {item.name}."
    yield change.at(Turn.CONTRACT, "", f"Exchange {item.name} of {item.table}", about)


def _kept_in_step(key: Key) -> Change:
    table, _, name = key.name.rpartition(".")
    do, undo = (
        Call(each, table, name, temporary_name(name))
        for each in ("keep_in_step", "stop_keeping_in_step")
    )
    return Change(Stage.TABLES, [do], [undo])


def _continued(column: Column, other: Column) -> str:
    """Lets the numbers of an identity continue those of another one, which may be used up."""
    own, its = own_sequence(column), own_sequence(other)
    return (
        f"SELECT setval({own}, coalesce(n, nextval({its})), n IS NOT NULL) "  # noqa: S608 - names of a catalog, quoted
        f"FROM pg_sequence_last_value({its}::regclass) AS n"
    )


def _numbers_moved(key: Key, comparison: Comparison) -> Iterator[Change]:
    """The sequence of a column becomes that of the second one, or numbers it from there on."""
    found, after = comparison.database.one(Column, key), comparison.models.one(Column, key)
    there = temporary_name(key.name)
    for need in sorted(comparison.database.needs(key)):
        owned = comparison.database.find(kinds.Sequence, need)
        if owned is not None and owned.owned_by == key.name:
            to, back = (
                alterations.own(replace(owned, owned_by=name)) for name in (there, key.name)
            )
            yield Change(Stage.TABLES, [sql(to)], [sql(back)])
    if found.identity is not None:
        new = replace(after, name=temporary_name(found.name))
        bare, old = replace(new, identity=None), found
        do = [alterations.identity(bare, new), _continued(new, old)]
        undo = [_continued(old, new), alterations.identity(new, bare)]
        yield Change(Stage.TABLES, [*map(sql, do)], [*map(sql, undo)])


def _index_beside(item: Constraint | Index) -> Index:
    index = index_of_key(item) if isinstance(item, Constraint) else item
    assert index is not None
    return replace(index, name=temporary_name(index.name))


def _lost(key: Key, draft: Draft, comparison: Comparison) -> str | None:
    """The condition for a row whose new value is not made of the old one; None if unknown.

    A release that writes the old column alone leaves such a row behind. A trigger leaves none.
    """
    if draft.value is None or draft.hint or is_in_step(comparison, key):
        return None
    new = comparison.temporary.one(Column, Key("column", temporary_name(key.name)))
    return differs(comparison, quoted(new.name), new.type, draft.value)


def _refusal(key: Key, lost: str | None) -> Change:
    """Refuses to lose a value of the old column: one that is not in the new column."""
    table, _, name = key.name.rpartition(".")
    new = temporary_name(name)
    hint = f"Fill {new} in these rows first: this revision drops {name}."
    # Also one from which a release has taken the value again.
    condition = lost or f"{quoted(name)} IS NOT NULL AND {quoted(new)} IS NULL"
    if lost is not None:
        hint = (
            f"{new} does not have the value of {name} in these rows: set it first, and let no "
            f"release write {name} alone. This revision drops {name}."
        )
    return Change(Stage.TABLES, [Call("refuse_rows", table, condition, hint)], [])


def _refused_back(key: Key) -> Change:
    """Refuses, on the way back, to lose any value."""
    table, _, name = key.name.rpartition(".")
    lost = f"The downgrade creates {name} again, without its values."
    refuse = Call("refuse_rows", table, f"{quoted(name)} IS NOT NULL", lost)
    return Change(Stage.TABLES, [], [refuse])


def _swapped(key: Key, comparison: Comparison) -> Iterator[Change]:
    """The old column goes, and the new one takes its name and those of its dependents."""
    found = comparison.database.one(Column, key)
    table, name = found.table, found.name
    there, referring = temporary_name(name), foreign_keys(comparison, key)
    known = comparison.database.objects.keys() - referring
    copied = [each for each in users(comparison, key) if each in known]
    constraints = {each: comparison.database.one(Constraint, each) for each in referring}
    to_key = [each for each, item in constraints.items() if key not in joined(item)]
    was = {user: comparison.database.objects[user] for user in copied}
    # Dropping the column drops its dependents.
    again = [each for user in reversed(copied) for each in create(user, was[user])]
    made = [*add_column(found, comparison.database), *_rights(key, found, comparison)]
    # The way back makes an index of the key, and the foreign keys to it once more.
    there_again = [(each, comparison.temporary.objects[each]) for each in to_key]
    back = [each for user, item in there_again for each in create(user, item)]
    yield Change(Stage.TABLES, [], back)
    yield Change(Stage.TABLES, [drop_column(found)], [*made, *again])
    yield Rename("column", table, there, name).change()
    if promised_by_itself(comparison) and comparison.models.one(Column, key).not_null:
        promised = not_null_name(Key(key.kind, f"{table}.{there}"), comparison)
        swapped = not_null_name(key, comparison, instead=key.name)
        yield Rename("constraint", table, promised, swapped).change()
    for user in copied:
        # The new object gets the old one's name.
        item = comparison.models.objects[user]
        if isinstance(item, Constraint) and item.type != "check":
            yield attached(Stage.TABLES, user, item, _index_beside(item))
        else:
            yield Rename(user.kind, table, temporary_name(item.name), item.name).change()
    yield Change(Stage.TABLES, [], [drop(user, item) for user, item in there_again])
