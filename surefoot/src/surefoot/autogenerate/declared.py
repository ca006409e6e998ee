"""The constraints and indexes that the models declare, by their names in the database."""

from collections.abc import Iterable, Iterator, Mapping

from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import CheckConstraint, Constraint, Dialect, Index, MetaData, Table

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
