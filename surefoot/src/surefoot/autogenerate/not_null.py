"""Sets NOT NULL on columns of tables in use, and drops columns."""

from collections.abc import Iterator

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate.change import PROVEN, Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import CreateCheck, NotValid, sql
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column
from surefoot.compat.sqlalchemy import copy_column
from surefoot.operations.constraints import ValidateConstraint
from surefoot.quoting import quoted

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
    prove = ValidateConstraint(name, table)
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
    prove, back = ValidateConstraint(name, table), [drop, NotValid(check)]
    proven = Change(Stage.TABLES, [prove], back, "proven", key)
    yield RevisionPart(proven, Turn.PROVE, table, f"Validate that {key.name} has no null", PROVEN)
    forbid = Change(Stage.TABLES, [*change.ops, drop], [check, *change.undo], "required", key)
    about = "PostgreSQL relies on the validated check, and reads no row."
    yield RevisionPart(forbid, Turn.REQUIRE, table, f"Forbid null in {key.name}", about)


def dropped_column(
    change: Change, drop: ops.DropColumnOp, comparison: Comparison
) -> Iterator[RevisionPart]:
    """Drops a column; a required one is first made optional for new releases."""
    table, column = str(drop.table_name), str(drop.column_name)
    key = Key("column", f"{table}.{column}")
    back, found = change.undo[0] if change.undo else None, comparison.database.find(Column, key)
    # A row without a value is refused.
    demanded = found is not None and found.not_null and not found.has_own_value
    if demanded and isinstance(back, ops.AddColumnOp):
        free = ops.AlterColumnOp(table, column, modify_nullable=True, existing_nullable=False)
        free.existing_type = back.column.type
        optional = Change(Stage.TABLES, [free], [free.reverse()], "nullable", key)
        about = f"From here on a release that does not know {key.name} can write rows."
        yield RevisionPart(optional, Turn.MAIN, "", f"Allow rows without {key.name}", about)
        copy = copy_column(back.column)
        copy.nullable = True
        undo = [ops.AddColumnOp(table, copy, schema=back.schema), *change.undo[1:]]
        change = Change(change.stage, [drop], undo, change.action, change.key)
    about = f"Before this runs: deploy a release that neither reads nor writes {key.name}."
    yield RevisionPart(change, Turn.COLUMNS, table, f"Drop {key.name}", about)
