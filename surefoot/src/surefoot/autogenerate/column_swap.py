"""Changes the type of a column through a second column, which is filled and then swapped in.

The indexes and constraints of the column are built on the second one under temporary names, and
are renamed when the columns are swapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import DefaultClause
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeEngine

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import PROVEN, Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.columns import not_null
from surefoot.autogenerate.comparison import Comparison, temporary_name
from surefoot.autogenerate.constraints import forbid_null, not_null_name, promised_by_itself
from surefoot.autogenerate.indexes import KeyIndex, index_of, key_index_of, named, renamed_index
from surefoot.autogenerate.rendering import (
    BuildIndex,
    Call,
    drop_index,
    rename_column,
    sql,
    validate,
)
from surefoot.autogenerate.type_change import columns_of, users_of
from surefoot.catalog import Key, SchemaObject, statements
from surefoot.catalog.kinds import Column, Constraint, Enum, Index
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import quoted


@dataclass
class _Swap:
    """The operations of a swap and its way back, both in the order in which they run.

    `refuse` and `refuse_undo` run before a lock is taken: they read the rows.
    """

    refuse: list[MigrateOperation] = field(default_factory=list)
    do: list[MigrateOperation] = field(default_factory=list)
    undo: list[MigrateOperation] = field(default_factory=list)
    refuse_undo: list[MigrateOperation] = field(default_factory=list)


def swap(key: Key, comparison: Comparison) -> Iterator[RevisionPart]:
    """The parts that add new columns, check that they are filled, and swap them in.

    `key` is a column, or an enum whose columns get a new type. A default is set at the end: before,
    it would look like a value that was filled in.
    """
    is_enum, new = key.kind == "enum", temporary_name(key.name)
    columns = columns_of(comparison, key) if is_enum else [key]
    said = "its new values" if is_enum else comparison.models.one(Column, key).type
    title = f"Give {key.name} {said}" if is_enum else f"Make {key.name} {said}"
    make, unmake = _new_type(key, comparison) if is_enum else ([], [])
    if is_enum:
        copy = Change(Stage.TYPES, make[:1], [sql(f"DROP TYPE {quoted(new)}")], "copy", key)
        yield RevisionPart(copy, Turn.MAIN, "", f"Add {new}")
    whole = _Swap()
    for column in columns:
        kind = comparison.columns[column].type
        if is_enum:
            kind = postgresql.ENUM(name=new, create_type=False)
            is_array = comparison.models.one(Column, column).type.endswith("[]")
            kind = postgresql.ARRAY(kind) if is_array else kind
        yield from _made_beside(column, comparison, kind, title[:1].lower() + title[1:])
        one = _swapped(column, comparison)
        whole.refuse += one.refuse
        whole.refuse_undo += one.refuse_undo
        whole.do += one.do
        whole.undo = [*one.undo, *whole.undo]
    whole.do += make[1:]
    whole.undo = [*unmake, *whole.undo]
    for column in columns:
        _with_default(whole, column, comparison)
    back = [*whole.refuse_undo, *whole.undo]
    change = Change(Stage.TABLES, [*whole.refuse, *whole.do], back, "swapped", columns[0])
    there = ", ".join(temporary_name(each.name) for each in columns)
    about = (
        f"Before this runs: fill {there} in every row; the revision refuses to run if a row has no "
        "value there. Afterwards the new columns have the names of the old ones: at the same "
        "moment, replace the release that writes both with one that has the new models."
    )
    yield RevisionPart(change, Turn.COLUMNS, columns[0].name, title, about)


def _new_type(
    key: Key, comparison: Comparison
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """The new type of an enum: made beside the old one, then in its place; and the way back."""
    before, after = comparison.database.one(Enum, key), comparison.models.one(Enum, key)
    old, new = quoted(key.name), quoted(temporary_name(key.name))
    made = statements.create(key, replace(after, name=temporary_name(key.name)))[0]
    there = [made, f"DROP TYPE {old}", f"ALTER TYPE {new} RENAME TO {old}"]
    back = [f"ALTER TYPE {old} RENAME TO {new}", statements.create(key, before)[0]]
    return [sql(each) for each in there], [sql(each) for each in back]


def _made_beside(
    key: Key, comparison: Comparison, kind: TypeEngine[Any], purpose: str
) -> Iterator[RevisionPart]:
    """The new column with its indexes and constraints, under temporary names."""
    declared, there = comparison.columns[key], temporary_name(key.name)
    there_as_read = comparison.temporary.one(Column, Key("column", there))
    table, copy = declared.table.name, copy_column(declared)
    copy.name = copy.key = temporary_name(str(declared.name))
    copy.type = kind
    copy.nullable, copy.server_default = True, None
    drop = ops.DropColumnOp(table, str(copy.name))
    add = Change(Stage.TABLES, [ops.AddColumnOp(table, copy)], [drop])
    about = (
        f"To {purpose} in place would rewrite the table under ACCESS EXCLUSIVE. After this "
        f"revision: deploy a release that writes both {key.name} and {there}, and backfill "
        f"{there} in the existing rows, in batches and outside of a revision."
    )
    yield RevisionPart(add, Turn.MAIN, "", f"Add {there}", about)
    for user in sorted(users_of(comparison, key)):
        yield from _user_beside(user, comparison.temporary.objects[user])
    if there_as_read.not_null:
        forbid = not_null(table, str(copy.name), kind)
        yield from forbid_null(forbid, Key("column", there), comparison)


def _user_beside(user: Key, item: SchemaObject) -> Iterator[RevisionPart]:
    assert isinstance(item, Constraint | Index)
    name, table = temporary_name(item.name), item.table
    if isinstance(item, Constraint) and item.type == "check":
        add = sql(statements.create(user, replace(item, name=name, validated=False))[0])
        drop = ops.DropConstraintOp(conv(name), table, "check")
        copy = Change(Stage.CREATE, [add], [drop], "copy", user)
        yield RevisionPart(copy, Turn.MAIN, "", f"Add {name}")
        proof = Change(Stage.STATE, [validate(name, table)], [drop, add], "validate", user)
        yield RevisionPart(proof, Turn.VALIDATE, name, f"Validate {name}", PROVEN)
        return
    found = key_index_of(item) if isinstance(item, Constraint) else index_of(item)
    index = found.index if isinstance(found, KeyIndex) else found
    assert index is not None
    do = [BuildIndex(named(index, name))]
    build = Change(Stage.CREATE, do, [drop_index(name)], "build", user)
    yield RevisionPart(build, Turn.INDEX, name, f"Build {name} on {table}")


def _swapped(key: Key, comparison: Comparison) -> _Swap:
    declared = comparison.columns[key]
    table, name = declared.table.name, str(declared.name)
    there = temporary_name(name)
    rename = rename_column(table, there, name)
    unfilled = f"{quoted(name)} IS NOT NULL AND {quoted(there)} IS NULL"
    hint = f"Fill {there} in these rows first: this revision drops {name}."
    swap = _Swap(
        [Call("refuse_rows", table, unfilled, hint)], [ops.DropColumnOp(table, name), rename]
    )
    swap.undo = [
        rename_column(table, name, there),
        ops.AddColumnOp(table, comparison.reflected(key)),
    ]
    lost = f"The downgrade creates {name} again, without its values."
    swap.refuse_undo = [Call("refuse_rows", table, f"{quoted(name)} IS NOT NULL", lost)]
    if promised_by_itself(comparison) and comparison.models.one(Column, key).not_null:
        one, other = (not_null_name(table, each) for each in (there, name))
        to, back = _renamed_constraint(table, one, other)
        swap.do.append(to)
        swap.undo.insert(0, back)
    for user in sorted(users_of(comparison, key)):
        before = comparison.database.objects[user]
        there_again, back_again = _names(user, before, comparison.models.objects[user])
        swap.do += there_again
        # Dropping the old column dropped these; the way back creates them again.
        swap.undo = [*back_again, *swap.undo, *object_operations.create(user, before)]
    return swap


def _renamed_constraint(table: str, old: str, new: str) -> tuple[MigrateOperation, ...]:
    alter, one, other = f"ALTER TABLE {quoted(table)} RENAME CONSTRAINT", quoted(old), quoted(new)
    return sql(f"{alter} {one} TO {other}"), sql(f"{alter} {other} TO {one}")


def _names(
    user: Key, before: SchemaObject, after: SchemaObject
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """The operations that give the new object the old one's name, and the way back."""
    name, there = before.name, temporary_name(before.name)
    if not isinstance(before, Constraint):
        return [renamed_index(there, name)], [renamed_index(name, there)]
    if before.type == "check":
        to, back = _renamed_constraint(before.table, there, name)
        return [to], [back]
    key = key_index_of(after) if isinstance(after, Constraint) else None
    assert key is not None
    back_again = [*object_operations.drop(user, before), named(key.index, there)]
    return [key.using(name, there)], back_again


def _with_default(swap: _Swap, key: Key, comparison: Comparison) -> None:
    declared = comparison.columns[key]
    table, name, default = declared.table.name, str(declared.name), declared.server_default
    if isinstance(default, DefaultClause):
        swap.do.append(ops.AlterColumnOp(table, name, modify_server_default=default))
        swap.undo.insert(0, ops.AlterColumnOp(table, name, modify_server_default=None))
