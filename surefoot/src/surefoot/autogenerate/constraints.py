"""Adds constraints to tables in use: NOT VALID, then validated; keys from an existing index."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation, ops

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.change import PROVEN, REWRITE, Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.index_swap import can_swap, swap_key
from surefoot.autogenerate.indexes import key_index_of
from surefoot.autogenerate.rendering import BuildIndex, CreateCheck, NotValid, RemoveIndex, sql
from surefoot.catalog import Key, statements
from surefoot.catalog.kinds import Constraint
from surefoot.operations.constraints import ValidateConstraint


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
        allow, title = unavoidable("exclusion", constraint.table), f"Add {constraint.name}"
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
    change = Change(Stage.STATE, [ValidateConstraint(name, table)], back, "validate", key)
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
        do, undo = [BuildIndex(found.index)], [RemoveIndex(name)]
        build = Change(change.stage, do, undo, "build", key)
        yield RevisionPart(build, Turn.INDEX, name, f"Build the index of {name}")
        # Alembic's operation does not drop the index of the key; dropping the constraint does.
        using = [found.using(name, name), *change.ops[1:]]
        attach = Change(change.stage, using, [*change.undo, found.index], "attach", key)
        about = "The index was built in an earlier revision: no row is read."
        title = f"Create {name} from its index"
        yield RevisionPart(attach, Turn.KEYS, constraint.table, title, about)
