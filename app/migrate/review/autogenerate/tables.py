"""Tables and columns: what Alembic found, corrected by the catalogs, in steps that come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Constraint, ForeignKeyConstraint
from sqlalchemy.types import NullType

from app.migrate.proof.catalog import Attributes, Key
from app.migrate.proof.catalog.statements import quoted
from app.migrate.review.autogenerate import wording
from app.migrate.review.autogenerate.changes import Changes
from app.migrate.review.autogenerate.columns import alter, identity
from app.migrate.review.autogenerate.comparison import Comparison, changed
from app.migrate.review.autogenerate.steps import Note, Stage, Step, sql

_OF_COLUMNS = (ops.AddColumnOp, ops.DropColumnOp, ops.AlterColumnOp)
_OF_COMMENTS = (ops.CreateTableCommentOp, ops.DropTableCommentOp)
_UNCHANGEABLE = ("kind", "partition key", "inherits")
_PLAIN_TABLE: Attributes = {"persistence": "permanent", "options": None, "row security": None}


def flat(operations: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    """The operations without the containers that group them by table."""
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from flat(operation.ops)
        else:
            yield operation


def table_steps(
    comparison: Comparison, changes: Changes, found: Iterable[MigrateOperation]
) -> list[Step]:
    """The steps of Alembic's operations, and of what it does not see in a table.

    Constraints and indexes of a table that is there are left out: the catalogs find them all.
    """
    made: list[Step] = []
    changed_columns: list[Step] = []
    dropped: list[tuple[str, Step]] = []
    new: set[str] = set()
    for operation in flat(found):
        if getattr(operation, "schema", None) is not None:
            # Of another schema the catalogs say nothing.
            changed_columns.append(_as_it_is(operation))
        elif isinstance(operation, ops.CreateTableOp):
            made += _create(comparison, operation, new)
        elif isinstance(operation, ops.CreateIndexOp) and operation.table_name in new:
            made.append(Step(Stage.TABLES, [operation], []))
        elif isinstance(operation, ops.DropTableOp):
            if operation.table_name in comparison.gone_tables:
                dropped.append((operation.table_name, _drop(comparison, changes, operation)))
        elif isinstance(operation, (*_OF_COLUMNS, *_OF_COMMENTS)):
            changed_columns += _change(comparison, changes, operation)
    before, after = _made_anew(comparison, changes)
    # A set gave Alembic the order of what is dropped; ours is the same on every run.
    return [
        *made,
        *before,
        *sorted(changed_columns, key=lambda step: _turn(comparison, step)),
        *_identities(comparison),
        *after,
        *(step for _, step in sorted(dropped, key=lambda each: each[0])),
        *_states(comparison),
    ]


def _as_it_is(operation: MigrateOperation) -> Step:
    return Step(Stage.TABLES, [operation], [operation.reverse()])


def _create(comparison: Comparison, operation: ops.CreateTableOp, new: set[str]) -> list[Step]:
    """A table with its constraints, but for references to tables that come later."""
    waiting = [
        item
        for item in operation.columns
        if isinstance(item, ForeignKeyConstraint)
        and item.referred_table.name in comparison.new_tables - new - {operation.table_name}
    ]
    operation.columns = [item for item in operation.columns if item not in waiting]
    new.add(str(operation.table_name))
    steps = [Step(Stage.TABLES, [operation], [operation.reverse()])]
    for constraint in waiting:
        name = f"{operation.table_name}.{constraint.name}"
        attributes = comparison.models.objects[Key("constraint", name)]
        key = Key("constraint", name)
        steps.append(
            Step(
                Stage.CREATE,
                wording.create(key, attributes, comparison.declared),
                wording.drop(key, attributes),
            )
        )
    return steps


def _drop(comparison: Comparison, changes: Changes, operation: ops.DropTableOp) -> Step:
    table = str(operation.table_name)
    back = operation.reverse()
    apart: list[Column[object]] = []
    items = []
    for item in back.columns:
        if isinstance(item, Column) and isinstance(item.type, NullType):
            apart.append(item)
        elif not isinstance(item, Constraint) or _inline(changes, table, item):
            items.append(item)
    back.columns = items
    attributes = comparison.database.objects[Key("table", table)]
    if attributes["partition key"] is not None:
        back.kw["postgresql_partition_by"] = attributes["partition key"]
    back.kw.pop("postgresql_with", None)
    return Step(
        Stage.TABLES,
        [operation],
        [
            back,
            *(_add(comparison, table, column.name) for column in apart),
            *_state(table, _PLAIN_TABLE, attributes),
        ],
    )


def _inline(changes: Changes, table: str, constraint: Constraint) -> bool:
    return Key("constraint", f"{table}.{constraint.name}") not in changes.removed


def _change(comparison: Comparison, changes: Changes, operation: MigrateOperation) -> list[Step]:
    if isinstance(operation, _OF_COLUMNS):
        name = _column_name(operation)
        if Key("column", f"{operation.table_name}.{name}") in changes.remade:
            return []
        if isinstance(operation, ops.AlterColumnOp):
            return alter(comparison, changes, operation)
        if isinstance(operation, ops.DropColumnOp):
            back = operation.reverse()
            if isinstance(back.column.type, NullType):
                return [
                    Step(
                        Stage.TABLES,
                        [operation],
                        [_add(comparison, str(operation.table_name), name)],
                    )
                ]
    return [_as_it_is(operation)]


def _column_name(operation: ops.AddColumnOp | ops.DropColumnOp | ops.AlterColumnOp) -> str:
    if isinstance(operation, ops.AddColumnOp):
        return str(operation.column.name)
    return str(operation.column_name)


def _turn(comparison: Comparison, step: Step) -> tuple[int, int]:
    """Columns are dropped after the rest, the last first: so the way back adds them in order."""
    operation = step.ops[0] if step.ops else None
    if not isinstance(operation, ops.DropColumnOp) or operation.schema is not None:
        return (0, 0)
    order = comparison.database.column_order.get(str(operation.table_name), ())
    return (1, -order.index(operation.column_name) if operation.column_name in order else 0)


def _add(comparison: Comparison, table: str, name: str) -> MigrateOperation:
    """A column whose type SQLAlchemy does not know, in PostgreSQL's words."""
    column = comparison.database.objects[Key("column", f"{table}.{name}")]
    parts = [f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {column['type']}"]
    if column["collation"] is not None:
        parts.append(f"COLLATE {column['collation']}")
    if column["not null"]:
        parts.append("NOT NULL")
    if column["default"] is not None:
        parts.append(f"DEFAULT {column['default']}")
    return sql(" ".join(parts))


def _made_anew(comparison: Comparison, changes: Changes) -> tuple[list[Step], list[Step]]:
    """Generated columns: dropped before what they are made of changes, added after it.

    One that becomes ordinary keeps its values; only on the way back it is made anew.
    """
    before, after = [], []
    for key in sorted(changes.remade | changes.freed):
        found, declared = comparison.columns[key]
        table = declared.table.name
        drop = ops.DropColumnOp(table, str(declared.name))
        back = ops.AddColumnOp.from_column_and_tablename(None, table, found)
        if key in changes.freed:
            column = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(declared.name)}"
            before.append(Step(Stage.TABLES, [sql(f"{column} DROP EXPRESSION")], [drop, back]))
            continue
        add = ops.AddColumnOp.from_column_and_tablename(None, table, declared)
        before.append(Step(Stage.TABLES, [drop], [back]))
        after.append(Step(Stage.TABLES, [add], [drop]))
    return before, after


def _identities(comparison: Comparison) -> Iterator[Step]:
    for key, found in comparison.database.of_kind("column"):
        expected = comparison.models.objects.get(key)
        if expected is not None:
            step = identity(str(found["table"]), str(found["name"]), found, expected)
            if step is not None:
                yield step


def _states(comparison: Comparison) -> Iterator[Step]:
    """What a table is, beside its columns. Its comment is Alembic's."""
    for table in sorted(comparison.kept_tables):
        key = Key("table", table)
        found, expected = comparison.database.objects[key], comparison.models.objects[key]
        different = changed(comparison, key)
        for name in _UNCHANGEABLE:
            if name in different:
                words = f"{name} of {table} is {found[name]} and not {expected[name]}"
                yield Step(Stage.STATE, [Note(f"Not written: {words}.")], [])
        if different & set(_PLAIN_TABLE):
            yield Step(Stage.STATE, _state(table, found, expected), _state(table, expected, found))


def _state(table: str, before: Attributes, after: Attributes) -> list[MigrateOperation]:
    alter_table = f"ALTER TABLE {quoted(table)}"
    said = []
    if before["persistence"] != after["persistence"]:
        said.append("SET UNLOGGED" if after["persistence"] == "unlogged" else "SET LOGGED")
    old, new = _options(before), _options(after)
    if gone := [option.split("=")[0] for option in old if option not in new]:
        said.append(f"RESET ({', '.join(gone)})")
    if added := [option for option in new if option not in old]:
        said.append(f"SET ({', '.join(added)})")
    if before["row security"] != after["row security"]:
        said.append(
            f"{'DISABLE' if after['row security'] is None else 'ENABLE'} ROW LEVEL SECURITY"
        )
        forced = after["row security"] == "forced"
        if forced or before["row security"] == "forced":
            said.append(f"{'FORCE' if forced else 'NO FORCE'} ROW LEVEL SECURITY")
    return [sql(f"{alter_table} {words}") for words in said]


def _options(attributes: Attributes) -> tuple[str, ...]:
    options = attributes["options"]
    return options if isinstance(options, tuple) else ()
