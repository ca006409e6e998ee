"""Adds constraints to tables in use: NOT VALID, then validated; keys from an existing index.

NOT NULL is added in the same way; a dropped column is first made nullable.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.change import PROVEN, REWRITE, Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import can_swap, key_index_of, swap_key
from surefoot.autogenerate.rendering import (
    BuildIndex,
    CreateCheck,
    NotValid,
    drop_index,
    sql,
    validate,
)
from surefoot.catalog import Key, statements
from surefoot.catalog.kinds import Column, Constraint
from surefoot.compat.sqlalchemy import copy_column
from surefoot.quoting import quoted


def constraint_parts(
    change: Change, key: Key, comparison: Comparison, moved: Collection[Key]
) -> Iterator[RevisionPart]:
    """The parts of a change on a constraint; `moved` are the objects that change below it."""
    constraint = comparison.models.find(Constraint, key)
    if change.action != "validate" and change.stage in (Stage.DROP, Stage.CLEAN):
        if not can_swap(key, comparison, moved):
            yield RevisionPart(change, Turn.MAIN, about=_without(constraint))
        return
    assert constraint is not None
    in_use = constraint.validated and comparison.is_in_use(constraint.table)
    # A foreign key of a new table to an existing one locks both.
    between = (
        constraint.validated
        and constraint.table in comparison.new_tables
        and object_operations.refers_to(constraint) in comparison.kept_tables
    )
    if change.action == "validate":
        yield _proof(key, constraint, comparison) if in_use else RevisionPart(change, Turn.MAIN)
    elif between or (in_use and constraint.type in ("check", "foreign key")):
        add = _not_valid(key, constraint, comparison)
        promise = Change(change.stage, add, change.undo, "promise", key)
        turn = Turn.KEYS if between else Turn.MAIN
        yield RevisionPart(promise, turn, "", f"Add {constraint.name}")
        yield _proof(key, constraint, comparison)
    elif not in_use:
        yield RevisionPart(change, Turn.MAIN)
    elif constraint.type == "exclusion":
        allow, title = unavoidable("avoid-exclusion-constraint"), f"Add {constraint.name}"
        if key in comparison.database.objects:
            yield RevisionPart(change, Turn.MAIN, allow=allow)  # in place of the old one
        else:
            yield RevisionPart(change, Turn.REWRITE, key.name, title, REWRITE, allow)
    else:
        yield from _key(change, key, constraint, comparison, moved)


def _without(found: Constraint | None) -> str:
    """The warning for a key that one revision drops and another one creates again."""
    if found is None or found.type not in ("unique", "primary key"):
        return ""
    return f"Until {found.name} is created again, {found.table} accepts duplicate rows."


def _proof(key: Key, constraint: Constraint, comparison: Comparison) -> RevisionPart:
    name, table = constraint.name, constraint.table
    drop = object_operations.drop(key, constraint)
    back = [*drop, *_not_valid(key, constraint, comparison)]
    change = Change(Stage.STATE, [validate(name, table)], back, "validate", key)
    return RevisionPart(change, Turn.VALIDATE, table, f"Validate {name} of {table}", PROVEN)


def _not_valid(key: Key, constraint: Constraint, comparison: Comparison) -> list[MigrateOperation]:
    """The operations that add a constraint NOT VALID."""
    made, *rest = object_operations.create(key, constraint, comparison.declared)
    if isinstance(made, CreateCheck | ops.CreateForeignKeyOp):
        return [NotValid(made), *rest]
    return [sql(each) for each in statements.create(key, replace(constraint, validated=False))]


def _key(
    change: Change, key: Key, constraint: Constraint, comparison: Comparison, moved: Collection[Key]
) -> Iterator[RevisionPart]:
    found, name = key_index_of(constraint), constraint.name
    if found is None:
        yield RevisionPart(change, Turn.MAIN)
    elif can_swap(key, comparison, moved):
        yield from swap_key(key, found, comparison)
    else:
        do, undo = [BuildIndex(found.index)], [drop_index(name)]
        build = Change(change.stage, do, undo, "build", key)
        yield RevisionPart(build, Turn.INDEX, name, f"Build the index of {name}")
        # Alembic's operation does not drop the index of the key; dropping the constraint does.
        using = [found.using(name, name), *change.ops[1:]]
        attach = Change(change.stage, using, [*change.undo, found.index], "attach", key)
        about = "The index was built in an earlier revision: no row is read."
        title = f"Create {name} from its index"
        yield RevisionPart(attach, Turn.KEYS, constraint.table, title, about)


# The first major version of PostgreSQL that has NOT NULL … NOT VALID.
NOT_NULL_NOT_VALID = 18
_LONGEST_NAME = 63


def forbid_null(change: Change, key: Key, comparison: Comparison) -> Iterator[RevisionPart]:
    """NOT NULL added NOT VALID and validated; older servers set it from a validated check."""
    table, _, column = key.name.rpartition(".")
    if table not in comparison.kept_tables:
        yield RevisionPart(change, Turn.MAIN)
        return
    writes = f"writes {key.name} in every row"
    if key in comparison.database.objects:
        writes = f"never writes null to {key.name}"
    about = (
        f"Before this runs: deploy a release that {writes}, and backfill the rows that have no "
        "value, in batches and outside of a revision."
    )
    if promised_by_itself(comparison):
        yield from _by_itself(table, column, key, about)
    else:
        yield from _by_check(change, table, column, key, about)


def promised_by_itself(comparison: Comparison) -> bool:
    """Whether the server has NOT NULL … NOT VALID."""
    return comparison.major >= NOT_NULL_NOT_VALID


def not_null_name(table: str, column: str) -> str:
    """The name of a NOT NULL constraint that is added NOT VALID."""
    return f"{table}_{column}_not_null"[:_LONGEST_NAME]


def _by_itself(table: str, column: str, key: Key, about: str) -> Iterator[RevisionPart]:
    name = not_null_name(table, column)
    altered = f"ALTER TABLE {quoted(table)}"
    free = sql(f"{altered} ALTER COLUMN {quoted(column)} DROP NOT NULL")
    promise = sql(f"{altered} ADD CONSTRAINT {quoted(name)} NOT NULL {quoted(column)} NOT VALID")
    about += (
        f" This needs PostgreSQL {NOT_NULL_NOT_VALID}, the version of the database that the models "
        "were compared with; an older one refuses it."
    )
    promised = Change(Stage.TABLES, [promise], [free], "promised", key)
    yield RevisionPart(promised, Turn.PROMISE, table, f"Forbid new nulls in {key.name}", about)
    prove = validate(name, table)
    proven = Change(Stage.TABLES, [prove], [free, promise], "proven", key)
    yield RevisionPart(proven, Turn.PROVE, table, f"Forbid null in {key.name}", PROVEN)


def _by_check(
    change: Change, table: str, column: str, key: Key, about: str
) -> Iterator[RevisionPart]:
    name = f"ck_{table}_{column}_not_null"[:_LONGEST_NAME]
    check = CreateCheck(conv(name), table, f"{quoted(column)} IS NOT NULL")
    drop = ops.DropConstraintOp(conv(name), table, "check")
    promised = Change(Stage.TABLES, [NotValid(check)], [drop], "promised", key)
    yield RevisionPart(promised, Turn.PROMISE, table, f"Forbid new nulls in {key.name}", about)
    prove, back = validate(name, table), [drop, NotValid(check)]
    proven = Change(Stage.TABLES, [prove], back, "proven", key)
    yield RevisionPart(proven, Turn.PROVE, table, f"Validate that {key.name} has no null", PROVEN)
    forbid = Change(Stage.TABLES, [*change.ops, drop], [check, *change.undo], "required", key)
    about = "PostgreSQL relies on the validated check, and reads no row."
    yield RevisionPart(forbid, Turn.REQUIRE, table, f"Forbid null in {key.name}", about)


def dropped_column(change: Change, key: Key, comparison: Comparison) -> Iterator[RevisionPart]:
    """Drops a column; a required one is first made optional for new releases."""
    found, back = comparison.database.one(Column, key), change.undo[0]
    table, column = found.table, found.name
    # A row without a value is refused.
    required = found.not_null and not found.has_own_value and not comparison.at_once
    if required and isinstance(back, ops.AddColumnOp):
        free = ops.AlterColumnOp(table, column, modify_nullable=True, existing_nullable=False)
        free.existing_type = back.column.type
        optional = Change(Stage.TABLES, [free], [free.reverse()], "nullable", key)
        about = f"From here on a release that does not know {key.name} can write rows."
        yield RevisionPart(optional, Turn.MAIN, "", f"Allow rows without {key.name}", about)
        copy = copy_column(back.column)
        copy.nullable = True
        undo = [ops.AddColumnOp(table, copy)]
        change = Change(change.stage, change.ops, undo, change.action, key)
    about = f"Before this runs: deploy a release that neither reads nor writes {key.name}."
    yield RevisionPart(change, Turn.COLUMNS, table, f"Drop {key.name}", about)
