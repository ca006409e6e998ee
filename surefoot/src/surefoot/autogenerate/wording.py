"""How an object is made and dropped in a revision: as Alembic's operation where that says it all.

What the models declare is written as they declare it. What only a catalog knows is written as
Alembic's operation when it is plain, and as PostgreSQL's own statement when it is not: an
operator class that is lost on the way is a downgrade that does not come back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from alembic.operations import MigrateOperation, ops
from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import CheckConstraint, Constraint, Dialect, Index, MetaData, PrimaryKeyConstraint
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate.definitions import names
from surefoot.autogenerate.steps import CreateCheck, CreatePrimaryKey, GoOn, sql
from surefoot.catalog import Attributes, Key, statements
from surefoot.catalog.statements import literal, quoted

Declared = Mapping[Key, Constraint | Index]

_NAME = r'(?:\w+|"(?:[^"]|"")+")'
_NAMES = rf"\(({_NAME}(?:, {_NAME})*)\)"
_INDEX = re.compile(rf"CREATE (UNIQUE )?INDEX {_NAME} ON {_NAME} USING btree {_NAMES}")
_KEY = re.compile(rf"(PRIMARY KEY|UNIQUE) {_NAMES}")
_ACTION = r"(CASCADE|RESTRICT|SET NULL|SET DEFAULT)"
_FOREIGN = re.compile(
    rf"FOREIGN KEY {_NAMES} REFERENCES ({_NAME}){_NAMES}"
    rf"(?: ON UPDATE {_ACTION})?(?: ON DELETE {_ACTION})?"
)
_REFERENCES = re.compile(rf"FOREIGN KEY {_NAMES} REFERENCES ({_NAME})\(")
# A colon before a word would be taken for a parameter, a second clause for part of the condition.
_CHECK = re.compile(r"CHECK \(((?:[^:]|::|:(?!\w))*)\)", re.DOTALL)
_VISITED = {
    "foreign_key_constraint": "foreign key",
    "primary_key_constraint": "primary key",
    "unique_constraint": "unique",
    "check_constraint": "check",
    "column_check_constraint": "check",
    "table_or_column_check_constraint": "check",
}
_ALEMBIC_TYPES = {
    "foreign key": "foreignkey",
    "primary key": "primary",
    "unique": "unique",
    "check": "check",
}


def declared(metadata: Iterable[MetaData], dialect: Dialect) -> Declared:
    """The constraints and indexes of the models by the names that the database gives them."""
    found: dict[Key, Constraint | Index] = {}
    for models in metadata:
        for table in models.tables.values():
            if table.schema is not None:
                continue
            # Alembic knows nothing of a check that is declared within a column.
            within = (item for column in table.columns for item in column.constraints)
            for constraint in (*table.constraints, *within):
                name = _get_constraint_final_name(constraint, dialect)
                if name is not None:
                    found[Key("constraint", f"{table.name}.{name}")] = constraint
            for index in table.indexes:
                name = _get_constraint_final_name(index, dialect)
                if name is not None:
                    found[Key("index", name)] = index
    return found


def nameless(metadata: Iterable[MetaData], dialect: Dialect) -> frozenset[tuple[str, str]]:
    """Tables that declare a constraint without a name, with its kind: PostgreSQL names it."""
    return frozenset(
        (table.name, _VISITED.get(constraint.__visit_name__, "exclusion"))
        for models in metadata
        for table in models.tables.values()
        if table.schema is None
        for constraint in (
            *table.constraints,
            *(item for column in table.columns for item in column.constraints),
        )
        if _get_constraint_final_name(constraint, dialect) is None and not is_bare(constraint)
    )


def is_bare(item: object) -> bool:
    """Whether this is a check without a name, which the server names by its turn among others."""
    return isinstance(item, CheckConstraint) and not item._type_bound and item.name is None


def create(
    key: Key, attributes: Attributes, models: Declared | None = None
) -> list[MigrateOperation]:
    """The operations that make an object: in the models' words where they are handed in."""
    item = None if models is None else models.get(key)
    operation = None if item is None else _as_declared(item, attributes)
    operation = operation or _plain(key, attributes)
    if operation is None:
        made = [sql(statement) for statement in statements.create(key, attributes)]
        return [*made, *_past_rows(key, attributes)]
    described = [sql(statements.comment(key, attributes))] if attributes.get("comment") else []
    return [operation, *described]


def _past_rows(key: Key, attributes: Attributes) -> list[GoOn]:
    """A sequence of a column goes on after the numbers that the rows have."""
    table, _, column = str(attributes.get("owned by") or "").rpartition(".")
    if key.kind != "sequence" or not table:
        return []
    sequence = quoted(attributes["name"])
    again = f"ALTER SEQUENCE {sequence} RESTART"
    return [GoOn(literal(sequence), again, quoted(table), quoted(column))]


def drop(key: Key, attributes: Attributes) -> list[MigrateOperation]:
    """The operations that drop an object."""
    name = str(attributes["name"])
    if key.kind == "index":
        return [ops.DropIndexOp(conv(name), table_name=str(attributes["table"]))]
    if key.kind == "constraint":
        kind = _ALEMBIC_TYPES.get(str(attributes["type"]))
        return [_DropConstraint(conv(name), str(attributes["table"]), kind)]
    return [sql(statements.drop(key, attributes))]


def is_plain(key: Key, attributes: Attributes) -> bool:
    """Whether Alembic's operation says all there is to an object."""
    return _plain(key, attributes) is not None and not attributes.get("comment")


def refers_to(attributes: Attributes) -> str | None:
    """The table that a foreign key refers to."""
    match = _REFERENCES.match(str(attributes["definition"]))
    return None if match is None else names(match[2])[0]


def referring_columns(attributes: Attributes) -> list[str] | None:
    """The columns of a foreign key that refer; None for any other constraint."""
    match = _REFERENCES.match(str(attributes["definition"]))
    return None if match is None else names(match[1])


class _DropConstraint(ops.DropConstraintOp):
    """A constraint that is dropped; the way back is a step's and not known here."""

    def to_diff_tuple(self) -> tuple[str, str]:  # type: ignore[override]  # no constraint at hand
        return ("remove_constraint", f"{self.table_name}.{self.constraint_name}")


def _as_declared(item: Constraint | Index, attributes: Attributes) -> MigrateOperation | None:
    if isinstance(item, Index):
        return ops.CreateIndexOp.from_index(item)
    if isinstance(item, PrimaryKeyConstraint):
        if item.dialect_kwargs or item.deferrable or item.initially:
            return None
        return _primary_key(attributes, [column.name for column in item.columns])
    name, table = conv(str(attributes["name"])), str(attributes["table"])
    if isinstance(item, CheckConstraint):
        if item._type_bound or item.dialect_kwargs:
            return None
        return CreateCheck(name, table, item.sqltext)
    # Alembic cannot run what it renders of a key with columns beside it.
    if item.dialect_kwargs.get("postgresql_include"):
        return None
    operation = ops.AddConstraintOp.from_constraint(item)
    # The name that the database has, whatever convention is in force when the revision runs.
    operation.constraint_name = name  # type: ignore[attr-defined]
    return operation


def _plain(key: Key, attributes: Attributes) -> MigrateOperation | None:
    if key.kind not in ("index", "constraint") or attributes.get("validated") is False:
        return None
    name, table = conv(str(attributes["name"])), str(attributes["table"])
    definition = str(attributes["definition"])
    if match := _INDEX.fullmatch(definition):
        return ops.CreateIndexOp(name, table, names(match[2]), unique=bool(match[1]))
    if match := _KEY.fullmatch(definition):
        columns = names(match[2])
        if match[1] == "PRIMARY KEY":
            return _primary_key(attributes, columns)
        return ops.CreateUniqueConstraintOp(name, table, columns)
    if match := _FOREIGN.fullmatch(definition):
        here, other, there, on_update, on_delete = match.groups()
        return ops.CreateForeignKeyOp(
            name, table, names(other)[0], names(here), names(there),
            onupdate=on_update, ondelete=on_delete,
        )  # fmt: skip
    if match := _CHECK.fullmatch(definition):
        return CreateCheck(name, table, match[1])
    return None


def _primary_key(attributes: Attributes, columns: list[str]) -> CreatePrimaryKey:
    return CreatePrimaryKey(conv(str(attributes["name"])), str(attributes["table"]), columns)
