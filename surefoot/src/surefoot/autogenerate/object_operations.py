"""The operations that create and drop an object in a revision.

An object that the models declare is written as they declare it. One that only a catalog knows is
written as Alembic's operation where that loses nothing, and otherwise as PostgreSQL's statement: a
lost operator class would be a downgrade that does not restore the index.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from alembic.operations import MigrateOperation, ops
from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import CheckConstraint, Dialect, Index, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.schema import Constraint
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.rendering import (
    Call,
    ContinueSequence,
    CreateCheck,
    Name,
    NotValid,
    sql,
    validate,
)
from surefoot.catalog import Key, SchemaObject, kinds, statements
from surefoot.catalog.changes import in_place
from surefoot.catalog.definitions import names, parse_check, parse_index, parse_key, parse_reference
from surefoot.catalog.kinds import Attributes
from surefoot.quoting import literal, quoted

Declared = Mapping[Key, Constraint | Index]
_VISITED = {
    "foreign_key_constraint": "foreign key",
    "primary_key_constraint": "primary key",
    "unique_constraint": "unique",
    "check_constraint": "check",
    "column_check_constraint": "check",
    "table_or_column_check_constraint": "check",
}
# A colon before a word would be taken for a parameter.
_NO_PARAMETER = re.compile(r"(?:[^:]|::|:(?!\w))*", re.DOTALL)
# Alembic has no name for an exclusion constraint.
_TYPES = {
    "foreign key": "foreignkey",
    "primary key": "primary",
    "unique": "unique",
    "check": "check",
}


def step(
    stage: Stage,
    key: Key,
    before: SchemaObject | None,
    after: SchemaObject | None,
    action: str,
    models: Declared | None = None,
) -> Change:
    """The change that takes an object from one state to another; None is no object."""
    return Change(stage, _to(key, before, after, models), _to(key, after, before), action, key)


def _to(
    key: Key,
    before: SchemaObject | None,
    after: SchemaObject | None,
    models: Declared | None = None,
) -> list[MigrateOperation]:
    if before is None or after is None:
        made = [] if after is None else create(key, after, models)
        return made if before is None else drop(key, before)
    names = before.differing(after)
    said = [sql(statements.comment(key, after))] if "comment" in names else []
    return [*_altered(key, before, after, names - {"comment"}), *said]


def _altered(
    key: Key, before: SchemaObject, after: SchemaObject, names: Attributes
) -> list[MigrateOperation]:
    if isinstance(after, kinds.Constraint) and names == {"validated"} and after.validated:
        return [validate(after.name, after.table)]
    made = in_place(key, before, after, names) if names else []
    if made is not None:
        return [sql(each) for each in made]
    # A view that loses its last columns, a constraint that becomes NOT VALID.
    return [*drop(key, before), *create(key, after)]


def create(key: Key, item: SchemaObject, models: Declared | None = None) -> list[MigrateOperation]:
    """The operations that create an object, as the models declare it where they are given."""
    declared = None if models is None else models.get(key)
    loose = isinstance(item, kinds.Constraint) and not item.validated
    operation = None
    if declared is not None and not (loose and declared.dialect_kwargs):
        operation = _as_declared(declared, item)
    operation = operation or _plain(item)
    if loose:
        is_able = isinstance(operation, CreateCheck | ops.CreateForeignKeyOp)
        operation = NotValid(operation) if operation and is_able else None
    if operation is None:
        made = [sql(statement) for statement in statements.create(key, item)]
        return [*made, *_past_rows(item)]
    return [operation, *([sql(statements.comment(key, item))] if item.comment else [])]


def drop(key: Key, item: SchemaObject) -> list[MigrateOperation]:
    if isinstance(item, kinds.Index):
        return [ops.DropIndexOp(conv(item.name), table_name=item.table)]
    if isinstance(item, kinds.Constraint):
        return [_DropConstraint(conv(item.name), item.table, _TYPES.get(item.type))]
    return [sql(statements.drop(key, item))]


def is_plain(item: kinds.Constraint) -> bool:
    """Whether Alembic's operation holds all of a constraint."""
    return item.validated and _plain(item) is not None and not item.comment


def refers_to(constraint: kinds.Constraint) -> str | None:
    found = parse_reference(constraint.definition)
    return None if found is None else found.table


def referring_columns(constraint: kinds.Constraint) -> list[str] | None:
    """The columns of a foreign key; None for any other constraint."""
    found = parse_reference(constraint.definition)
    return None if found is None else list(found.columns)


class _DropConstraint(ops.DropConstraintOp):
    """Drops a constraint; its way back is part of the Change."""

    def to_diff_tuple(self) -> tuple[str, str]:  # type: ignore[override]  # no constraint at hand
        return ("remove_constraint", f"{self.table_name}.{self.constraint_name}")


def _past_rows(item: SchemaObject) -> list[ContinueSequence]:
    """Lets the sequence of a column continue after the numbers of the rows."""
    if not isinstance(item, kinds.Sequence) or item.owned_by is None:
        return []
    table, _, column = item.owned_by.rpartition(".")
    sequence = quoted(item.name)
    again = f"ALTER SEQUENCE {sequence} RESTART"
    return [ContinueSequence(literal(sequence), again, quoted(table), quoted(column))]


def _as_declared(declared: Constraint | Index, item: SchemaObject) -> MigrateOperation | None:
    if isinstance(declared, Index):
        return ops.CreateIndexOp.from_index(declared)
    assert isinstance(item, kinds.Constraint)
    if isinstance(declared, PrimaryKeyConstraint):
        if declared.dialect_kwargs or declared.deferrable or declared.initially:
            return None
        columns = [column.name for column in declared.columns]
        return Call("create_primary_key", Name(item.name), item.table, columns)
    if isinstance(declared, CheckConstraint):
        if declared._type_bound or declared.dialect_kwargs:
            return None
        return CreateCheck(conv(item.name), item.table, declared.sqltext)
    # Alembic cannot run what it renders of a key with INCLUDE.
    if declared.dialect_kwargs.get("postgresql_include"):
        return None
    operation = ops.AddConstraintOp.from_constraint(declared)
    # The name that the database has, whatever convention is in force when the revision runs.
    operation.constraint_name = conv(item.name)  # type: ignore[attr-defined]
    return operation


def _plain(item: SchemaObject) -> MigrateOperation | None:
    """Alembic's operation for an index or a constraint whose definition it can hold."""
    if isinstance(item, kinds.Index):
        index = parse_index(item.definition)
        columns = None if index is None else index.plain_columns
        if index is None or columns is None:
            return None
        return ops.CreateIndexOp(conv(item.name), item.table, columns, unique=index.unique)
    if not isinstance(item, kinds.Constraint):
        return None
    name, definition = conv(item.name), item.definition
    if key := parse_key(definition):
        if not key.is_plain:
            return None
        if key.is_primary:
            return Call("create_primary_key", Name(name), item.table, names(key.columns))
        return ops.CreateUniqueConstraintOp(name, item.table, names(key.columns))
    if found := parse_reference(definition):
        if found.rest:
            return None
        columns, referred = list(found.columns), list(found.referred)
        made = ops.CreateForeignKeyOp(name, item.table, found.table, columns, referred)
        made.kw.update(onupdate=found.on_update, ondelete=found.on_delete)
        return made
    condition = parse_check(definition)
    if condition is None or not _NO_PARAMETER.fullmatch(condition):
        return None
    return CreateCheck(name, item.table, condition)


def declared(metadata: Iterable[MetaData], dialect: Dialect) -> Declared:
    """The constraints and indexes of the models by their names in the database."""
    found: dict[Key, Constraint | Index] = {}
    for table, constraint in _constraints(metadata):
        if (name := _get_constraint_final_name(constraint, dialect)) is not None:
            found[Key("constraint", f"{table.name}.{name}")] = constraint
    for table in _tables(metadata):
        for index in table.indexes:
            if (name := _get_constraint_final_name(index, dialect)) is not None:
                found[Key("index", name)] = index
    return found


def nameless(metadata: Iterable[MetaData], dialect: Dialect) -> frozenset[tuple[str, str]]:
    """The tables and kinds of constraints without a name, which PostgreSQL names."""
    return frozenset(
        (table.name, _VISITED.get(constraint.__visit_name__, "exclusion"))
        for table, constraint in _constraints(metadata)
        if _get_constraint_final_name(constraint, dialect) is None and not is_bare(constraint)
    )


def _tables(metadata: Iterable[MetaData]) -> Iterator[Table]:
    tables = (table for models in metadata for table in models.tables.values())
    return (table for table in tables if table.schema is None)


def _constraints(metadata: Iterable[MetaData]) -> Iterator[tuple[Table, Constraint]]:
    for table in _tables(metadata):
        # Alembic does not see a check that is declared within a column.
        within = (item for column in table.columns for item in column.constraints)
        yield from ((table, each) for each in (*table.constraints, *within))


def is_bare(item: object) -> bool:
    """Whether this is a check without a name, which the server numbers among others."""
    return isinstance(item, CheckConstraint) and not item._type_bound and item.name is None
