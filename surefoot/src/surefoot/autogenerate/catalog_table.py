"""A table of a catalog as SQLAlchemy's, with the types as PostgreSQL writes them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, MetaData, Table, literal_column
from sqlalchemy.types import UserDefinedType

from surefoot.catalog import Catalog, Key, kinds
from surefoot.catalog.definitions import identity_parts, names


class Written(UserDefinedType[Any]):
    """The type of a column; in CREATE TABLE and ADD COLUMN with the clauses that follow it."""

    cache_ok = True

    def __init__(self, column: kinds.Column) -> None:
        self.column = column

    def get_col_spec(self, **kw: Any) -> str:
        is_clause = kw.get("type_expression") is not None
        column = self.column
        words = [column.type, *([f"COLLATE {column.collation}"] if column.collation else [])]
        if is_clause and column.generated is not None:
            expression, _, kind = column.generated.rpartition(" ")
            words.append(f"GENERATED ALWAYS AS ({expression}) {kind}")
        if is_clause and column.identity is not None:
            words.append("GENERATED {} AS IDENTITY ({})".format(*identity_parts(column.identity)))
        return " ".join(words)


def catalog_table(catalog: Catalog, name: str) -> Table:
    """The table without its constraints and indexes."""
    table = catalog.one(kinds.Table, Key("table", name))
    columns = (catalog.column(name, each) for each in catalog.column_order.get(name, ()))
    return Table(
        name,
        MetaData(),
        *(_column(each) for each in columns if each is not None),
        comment=table.comment,
        prefixes=["UNLOGGED"] if table.persistence == "unlogged" else [],
        postgresql_partition_by=table.partition_key,
        postgresql_inherits=[name for each in table.inherits or () for name in names(each)] or None,
    )


def columns_of(tables: Iterable[Table]) -> dict[Key, Column[Any]]:
    """The columns of the tables by their keys in a catalog."""
    return {Key("column", f"{table.name}.{c.name}"): c for table in tables for c in table.c}


def _column(column: kinds.Column) -> Column[Any]:
    default: Any = None if column.default is None else literal_column(column.default)
    return Column(
        column.name,
        Written(column),
        nullable=not column.not_null,
        server_default=default,
        comment=column.comment,
    )
