"""The operations that create and drop an object in a revision.

A constraint or an index is a call of Alembic where that loses nothing, and PostgreSQL's statement
otherwise, as any other object is.
"""

import re
from dataclasses import replace
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
from surefoot.catalog.kinds import Constraint, Index
from surefoot.quoting import literal, quoted, shown

_OPTION = re.compile(r"(\w+)\s*=\s*'?([\w.]+)'?")
_REFERENCE_END = re.compile(r"(?: MATCH (FULL))?( DEFERRABLE)?(?: INITIALLY (DEFERRED))?")
# By the type of a constraint, its names: of op.drop_constraint, op.create_… and SQLAlchemy. There
# are none for an exclusion constraint.
_NAMES = {
    "foreign key": ("foreignkey", "foreign_key", "ForeignKeyConstraint"),
    "primary key": ("primary", "primary_key", "PrimaryKeyConstraint"),
    "unique": ("unique", "unique_constraint", "UniqueConstraint"),
    "check": ("check", "check_constraint", "CheckConstraint"),
}


def step(
    stage: Stage, key: Key, before: SchemaObject | None, after: SchemaObject | None, action: str
) -> Change:
    """The change that takes an object from one state to another; None is no object."""
    return Change(stage, _to(key, before, after), _to(key, after, before), action, key)


def proof(key: Key, item: Constraint, group: str) -> Change:
    """The change that validates a constraint, in the revision of its group."""
    change = step(Stage.STATE, key, replace(item, validated=False), item, "validate")
    return change.at(Turn.VALIDATE, group, f"Validate {item.name} of {item.table}", PROVEN)


def _to(
    key: Key, before: SchemaObject | None, after: SchemaObject | None
) -> list[MigrateOperation]:
    if before is None or after is None:
        made = [] if after is None else create(key, after)
        return made if before is None else [drop(key, before)]
    names = before.differing(after)
    rest = names - {"comment"}
    said = [sql(statements.comment(key, after))] if rest != names else []
    if isinstance(after, Constraint) and rest == {"validated"} and after.validated:
        return [Call("validate_constraint", Name(after.name), after.table), *said]
    altered = in_place(key, before, after, rest) if rest else []
    if altered is None:
        # A view that loses its last columns, a constraint that becomes NOT VALID.
        return [drop(key, before), *create(key, after), *said]
    return [*map(sql, altered), *said]


def create(key: Key, item: SchemaObject) -> list[MigrateOperation]:
    """The operations that create an object, with its comment."""
    call = None
    if isinstance(item, Index):
        call = index_call(item)
    elif isinstance(item, Constraint):
        call = _constraint_call(item)
    if call is None:
        made = [sql(statement) for statement in statements.create(key, item)]
        return [*made, *past_rows(item)]
    return [call, *([sql(statements.comment(key, item))] if item.comment else [])]


def drop(key: Key, item: SchemaObject) -> MigrateOperation:
    if isinstance(item, Index):
        return Call("drop_index", Name(item.name), table_name=item.table)
    if isinstance(item, Constraint):
        kind, *_ = _NAMES.get(item.type, (None,))
        return Call("drop_constraint", Name(item.name), item.table, type_=kind)
    return sql(statements.drop(key, item))


def refers_to(item: Constraint | Index) -> str | None:
    """The table that a foreign key refers to; None of any other object."""
    found = parse_reference(item.definition)
    return None if found is None else found.table


def joined(item: SchemaObject) -> dict[Key, Key]:
    """The columns that a foreign key refers to, by its own ones; none of any other object."""
    if not isinstance(item, Constraint) or (found := parse_reference(item.definition)) is None:
        return {}
    own, referred = (
        [Key("column", f"{table}.{each}") for each in names]
        for table, names in ((item.table, found.columns), (found.table, found.referred))
    )
    return dict(zip(own, referred, strict=True))


def past_rows(item: SchemaObject) -> list[ContinueSequence]:
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
    if (found := _parts(item)) is None:
        return None
    arguments, options = found
    if item.type in ("check", "foreign key"):
        options["postgresql_not_valid"] = not item.validated
    elif any(options.values()):
        return None
    call = f"create_{_NAMES[item.type][1]}"
    return Call(call, Name(item.name), item.table, *arguments, **options)


def inline_code(item: Constraint) -> Code | None:
    """The constraint as a part of its table; None where it is added to it."""
    if item.comment or not item.validated or (found := _parts(item)) is None:
        return None
    arguments, options = found
    if item.type == "foreign key":
        table, columns, referred = arguments
        if any("." in each for each in (table, *referred)):
            return None
        arguments = [columns, [f"{shown(table)}.{each}" for each in referred]]
    elif item.type != "check":
        arguments = arguments[0]
    return code(_NAMES[item.type][2], *arguments, name=Name(item.name), **options)


def _parts(item: Constraint) -> tuple[list[Any], dict[str, Any]] | None:
    """The parts of a constraint and its options; None where these would lose something of it.

    The parts are the columns of a key, the condition of a check, or the table to which a foreign
    key refers, its columns and those that they refer to.
    """
    if (key := parse_key(item.definition)) and not key.include:
        nulls = {"postgresql_nulls_not_distinct": key.nulls_not_distinct}
        timing = {"deferrable": key.deferrable, "initially": key.initially}
        return [names(key.columns)], timing | nulls
    if condition := parse_check(item.definition):
        return [escaped(condition)], {}
    found = parse_reference(item.definition)
    if not found or not (rest := _REFERENCE_END.fullmatch(found.rest)):
        return None
    options = {
        "onupdate": found.on_update,
        "ondelete": found.on_delete,
        "match": rest[1],
        "deferrable": bool(rest[2]),
        "initially": rest[3],
    }
    return [found.table, list(found.columns), list(found.referred)], options
