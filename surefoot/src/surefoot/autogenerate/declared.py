"""The constraints and indexes that the models declare, by their names in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import CheckConstraint, Constraint, Dialect, Index, MetaData

from surefoot.catalog import Key

Declared = Mapping[Key, Constraint | Index]

_VISITED = {
    "foreign_key_constraint": "foreign key",
    "primary_key_constraint": "primary key",
    "unique_constraint": "unique",
    "check_constraint": "check",
    "column_check_constraint": "check",
    "table_or_column_check_constraint": "check",
}


def declared(metadata: Iterable[MetaData], dialect: Dialect) -> Declared:
    """The constraints and indexes of the models by their names in the database."""
    found: dict[Key, Constraint | Index] = {}
    for models in metadata:
        for table in models.tables.values():
            if table.schema is not None:
                continue
            # Alembic does not see a check that is declared within a column.
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
    """The tables and kinds of constraints without a name, which PostgreSQL names."""
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
    """Whether this is a check without a name, which the server numbers among others."""
    return isinstance(item, CheckConstraint) and not item._type_bound and item.name is None
