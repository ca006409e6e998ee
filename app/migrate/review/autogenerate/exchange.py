"""A column of another type, filled beside the one that it then takes the place of."""

from __future__ import annotations

from collections.abc import Iterator

from alembic.operations import MigrateOperation, ops
from sqlalchemy import DefaultClause

from app.migrate.proof.catalog import Key
from app.migrate.proof.catalog.statements import quoted
from app.migrate.review.autogenerate.additions import not_null
from app.migrate.review.autogenerate.allowances import as_declared, of_column
from app.migrate.review.autogenerate.changes import Changes
from app.migrate.review.autogenerate.columns import exchanged_name
from app.migrate.review.autogenerate.comparison import Comparison
from app.migrate.review.autogenerate.nulls import forbid_null
from app.migrate.review.autogenerate.parts import Part, Turn
from app.migrate.review.autogenerate.spelling import RenameColumn
from app.migrate.review.autogenerate.steps import Stage, Step
from app.migrate.review.autogenerate.tables import as_read
from app.migrate.run.rows import RefuseRows


def exchange(key: Key, comparison: Comparison) -> Iterator[Part]:
    """The new column is added, proven to have its values, and takes place and name of the old.

    The default comes at the end: before, it could not be told from a value that was filled in.
    """
    declared = comparison.columns[key][1]
    attributes = comparison.models.objects[key]
    table, name = declared.table.name, str(declared.name)
    beside, kind = exchanged_name(name), attributes["type"]
    there = exchanged_name(key.name)
    copy = declared._copy()
    copy.name = copy.key = beside
    copy.nullable, copy.server_default = True, None
    add = ops.AddColumnOp(table, copy)
    yield Part(
        Step(Stage.TABLES, [add], [ops.DropColumnOp(table, beside)]),
        Turn.MAIN, "", f"Add {there}",
        f"To make {key.name} {kind} in place would write every row while everybody waits. After "
        f"this revision: deploy a release that writes {there} beside {key.name}, and fill the rows "
        f"that are there, in batches and outside of a revision.",
        tuple(as_declared(of_column(there, attributes))),
    )  # fmt: skip
    if attributes["not null"]:
        yield from forbid_null(
            not_null(table, beside, declared.type), Key("column", there), comparison
        )
    yield Part(
        _in_its_place(comparison, key, table, name),
        Turn.COLUMNS, key.name, f"Make {key.name} {kind}",
        f"Before this runs: every row has its value in {there}; where one has not, the revision "
        f"refuses to run. From here on {key.name} is {kind} and {there} is gone: replace the "
        f"release that writes both by one that has the new models at the same time.",
    )  # fmt: skip


def _in_its_place(comparison: Comparison, key: Key, table: str, name: str) -> Step:
    found, declared = comparison.columns[key]
    beside = exchanged_name(name)
    rename = RenameColumn(table, beside, name)
    unfilled = f"{quoted(name)} IS NOT NULL AND {quoted(beside)} IS NULL"
    hint = f"Give them a value in {beside}: the one of {name} is dropped here."
    do: list[MigrateOperation] = [
        RefuseRows(table, unfilled, hint), ops.DropColumnOp(table, name), rename,
    ]  # fmt: skip
    former = as_read(comparison, table, found, Changes())
    undo: list[MigrateOperation] = [rename.reverse(), ops.AddColumnOp(table, former)]
    default = declared.server_default
    if isinstance(default, DefaultClause):
        do.append(ops.AlterColumnOp(table, name, modify_server_default=default))
        undo.insert(0, ops.AlterColumnOp(table, name, modify_server_default=None))
    return Step(Stage.TABLES, do, undo, "exchanged", key)
