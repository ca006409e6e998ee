"""The names of models as a catalog has them: PostgreSQL cuts what is longer than 63 bytes."""

from typing import Any

from sqlalchemy import Column, Constraint, Dialect, Index, Table

from surefoot.catalog.definitions import whole_name
from surefoot.quoting import cut, in_schema


def catalog_name(table: Table) -> str:
    """The name of a table as a catalog of several schemas has it."""
    return in_schema(None if table.schema is None else cut(table.schema), cut(table.name))


def member_name(dialect: Dialect, member: Column[Any] | Index | Constraint) -> str | None:
    """The name of a part of a table; None where the model leaves it to PostgreSQL.

    SQLAlchemy shortens those of a naming convention that have more characters.
    """
    if member.name is None:
        return None
    if isinstance(member, Column):
        return cut(member.name)
    prepared = dialect.identifier_preparer
    written: str | None = (
        prepared.format_index(member)
        if isinstance(member, Index)
        else prepared.format_constraint(member)
    )
    return None if written is None else cut(whole_name(written))
