"""The operations that create and drop an object in a revision.

A constraint or an index is a call of Alembic where that loses nothing, and PostgreSQL's statement
otherwise, as any other object is.
"""

import re
from typing import Any

from alembic.operations import MigrateOperation

from surefoot.autogenerate.change import PROVEN, Change, Stage, Turn
from surefoot.autogenerate.rendering import (
    Call,
    Code,
    ContinueSequence,
    Name,
    code,
    escaped,
    sql,
    text_code,
)
from surefoot.catalog import Key, SchemaObject, kinds, statements
from surefoot.catalog.changes import in_place
from surefoot.catalog.definitions import (
    is_name,
    names,
    parse_check,
    parse_index,
    parse_key,
    parse_reference,
)
from surefoot.catalog.kinds import Attributes, Constraint, Index
from surefoot.quoting import literal, quoted, shown

_OPTION = re.compile(r"(\w+)\s*=\s*'?([\w.]+)'?")
_REFERENCE_END = re.compile(r"(?: MATCH (FULL))?( DEFERRABLE)?(?: INITIALLY (DEFERRED))?")
# Alembic has no name for an exclusion constraint.
_TYPES = {
    "foreign key": "foreignkey",
    "primary key": "primary",
    "unique": "unique",
    "check": "check",
}


def step(
    stage: Stage, key: Key, before: SchemaObject | None, after: SchemaObject | None, action: str
) -> Change:
    """The change that takes an object from one state to another; None is no object."""
    return Change(stage, _to(key, before, after), _to(key, after, before), action, key)


def proof(key: Key, loose: Constraint, item: Constraint, group: str) -> Change:
    """The change that validates a constraint, in the revision of its group."""
    change = step(Stage.STATE, key, loose, item, "validate")
    return change.at(Turn.VALIDATE, group, f"Validate {item.name} of {item.table}", PROVEN)


def _to(
    key: Key, before: SchemaObject | None, after: SchemaObject | None
) -> list[MigrateOperation]:
    if before is None or after is None:
        made = [] if after is None else create(key, after)
        return made if before is None else [drop(key, before)]
    names = before.differing(after)
    said = [sql(statements.comment(key, after))] if "comment" in names else []
    return [*_altered(key, before, after, names - {"comment"}), *said]


def _altered(
    key: Key, before: SchemaObject, after: SchemaObject, names: Attributes
) -> list[MigrateOperation]:
    if isinstance(after, Constraint) and names == {"validated"} and after.validated:
        return [Call("validate_constraint", Name(after.name), after.table)]
    made = in_place(key, before, after, names) if names else []
    if made is not None:
        return [sql(each) for each in made]
    # A view that loses its last columns, a constraint that becomes NOT VALID.
    return [drop(key, before), *create(key, after)]


def create(key: Key, item: SchemaObject) -> list[MigrateOperation]:
    """The operations that create an object, with its comment."""
    call = None
    if isinstance(item, Index):
        call = index_call(item)
    elif isinstance(item, Constraint):
        call = _constraint_call(item)
    if call is None:
        made = [sql(statement) for statement in statements.create(key, item)]
        return [*made, *_past_rows(item)]
    return [call, *([sql(statements.comment(key, item))] if item.comment else [])]


def drop(key: Key, item: SchemaObject) -> MigrateOperation:
    if isinstance(item, Index):
        return Call("drop_index", Name(item.name), table_name=item.table)
    if isinstance(item, Constraint):
        kind = _TYPES.get(item.type)
        return Call("drop_constraint", Name(item.name), item.table, type_=kind)
    return sql(statements.drop(key, item))


def refers_to(constraint: Constraint) -> str | None:
    found = parse_reference(constraint.definition)
    return None if found is None else found.table


def referring_columns(constraint: Constraint) -> set[Key]:
    """The columns of a foreign key; none of any other constraint."""
    found = parse_reference(constraint.definition)
    names = () if found is None else found.columns
    return {Key("column", f"{constraint.table}.{each}") for each in names}


def _past_rows(item: SchemaObject) -> list[ContinueSequence]:
    """Lets the sequence of a column continue after the numbers of the rows."""
    if not isinstance(item, kinds.Sequence) or item.owned_by is None:
        return []
    table, _, column = item.owned_by.rpartition(".")
    sequence = quoted(item.name)
    again = f"ALTER SEQUENCE {sequence} RESTART"
    return [ContinueSequence(literal(sequence), again, quoted(table), quoted(column))]


def index_call(index: Index, *, concurrently: bool = False) -> Call | None:
    """The call that creates an index; None where it would lose a part of it."""
    found = parse_index(index.definition)
    if found is None:
        return None
    columns = [
        names(item)[0] if is_name(item) else code("literal_column", item) for item in found.items
    ]
    return Call(
        "create_index_concurrently" if concurrently else "create_index",
        Name(index.name),
        index.table,
        columns,
        unique=Code(found.unique),
        postgresql_using=found.method if found.method != "btree" else None,
        postgresql_include=list(found.include) or None,
        postgresql_nulls_not_distinct=found.nulls_not_distinct,
        postgresql_with=dict(_OPTION.findall(found.options or "")) or None,
        postgresql_where=text_code(found.where) if found.where else None,
    )


def _constraint_call(item: Constraint) -> Call | None:
    """Alembic's operation; None where it would lose a part of the constraint."""
    name, loose = Name(item.name), not item.validated
    if key := parse_key(item.definition):
        if not key.is_plain:
            return None
        kind = "create_primary_key" if key.is_primary else "create_unique_constraint"
        return Call(kind, name, item.table, names(key.columns))
    if given := _reference(item):
        table, columns, referred, options = given
        options["postgresql_not_valid"] = loose
        return Call("create_foreign_key", name, item.table, table, columns, referred, **options)
    condition = parse_check(item.definition)
    if condition is None:
        return None
    kind = "create_check_constraint"
    return Call(kind, name, item.table, escaped(condition), postgresql_not_valid=loose)


def inline_code(item: Constraint) -> Code | None:
    """The constraint as a part of its table; None where it is added to it."""
    if item.comment or not item.validated:
        return None
    name = Name(item.name)
    if key := parse_key(item.definition):
        if key.include:
            return None
        return code(
            "PrimaryKeyConstraint" if key.is_primary else "UniqueConstraint",
            *names(key.columns),
            name=name,
            deferrable=key.deferrable,
            initially=key.initially,
            postgresql_nulls_not_distinct=key.nulls_not_distinct,
        )
    if given := _reference(item):
        table, columns, referred, options = given
        if any("." in each for each in (table, *referred)):
            return None
        there = [f"{shown(table)}.{each}" for each in referred]
        return code("ForeignKeyConstraint", columns, there, name=name, **options)
    condition = parse_check(item.definition)
    if condition is None:
        return None
    return code("CheckConstraint", escaped(condition), name=name)


def _reference(item: Constraint) -> tuple[str, list[str], list[str], dict[str, Any]] | None:
    """The table of a foreign key, its columns, those that they refer to, and its options."""
    found = parse_reference(item.definition)
    rest = None if found is None else _REFERENCE_END.fullmatch(found.rest)
    if found is None or rest is None:
        return None
    match, deferrable, initially = rest.groups()
    options = {
        "onupdate": found.on_update,
        "ondelete": found.on_delete,
        "match": match,
        "deferrable": bool(deferrable),
        "initially": initially,
    }
    return found.table, list(found.columns), list(found.referred), options
