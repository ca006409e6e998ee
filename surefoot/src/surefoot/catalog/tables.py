"""Tables and columns as the SQL that creates them, made from the catalog alone."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from surefoot.catalog import alterations
from surefoot.catalog.definitions import identity_parts
from surefoot.catalog.kinds import Attributes, Column, Constraint, Table
from surefoot.quoting import quoted

# The attributes that CREATE TABLE leaves out.
_OF_TABLE: Attributes = frozenset(
    {"options", "row security", "toast options", "cluster index", "replica identity"}
)
_OF_COLUMN: Attributes = frozenset({"storage", "compression", "statistics", "attribute options"})
# An identity with the bounds of its type.
_USUAL = re.compile(
    r"START WITH 1 INCREMENT BY 1 MINVALUE 1 "
    r"MAXVALUE (?:32767|2147483647|9223372036854775807) CACHE 1"
)


def create_table(table: Table, columns: Sequence[str], constraints: Iterable[Constraint]) -> str:
    """CREATE TABLE with these columns, as `define` has them, and these constraints."""
    items = [
        *columns,
        *(f"CONSTRAINT {quoted(each.name)} {each.definition}" for each in constraints),
    ]
    inner = "\n    {}\n".format(",\n    ".join(items)) if items else ""
    words = ["CREATE UNLOGGED TABLE" if table.persistence == "unlogged" else "CREATE TABLE"]
    words.append(f"{quoted(table.name)} ({inner})")
    words += [f"INHERITS ({', '.join(table.inherits)})"] if table.inherits else []
    words += [f"PARTITION BY {table.partition_key}"] if table.partition_key else []
    return " ".join(words)


def define(column: Column, *, required: bool = True) -> str:
    """The column for CREATE TABLE and ADD COLUMN; without NOT NULL where it is not required."""
    words = [quoted(column.name), column.type]
    words += [f"COLLATE {column.collation}"] if column.collation else []
    words += [own] if (own := own_value(column)) else []
    return " ".join([*words, *(["NOT NULL"] if column.not_null and required else [])])


def own_value(column: Column) -> str | None:
    """The value that a column has where a statement gives none, as CREATE TABLE says it."""
    if column.generated:
        expression, _, kind = column.generated.rpartition(" ")
        return f"GENERATED ALWAYS AS ({expression}) {kind}"
    if column.identity:
        kind, given = identity_parts(column.identity)
        options = "" if _USUAL.fullmatch(given) else f" ({given})"
        return f"GENERATED {kind} AS IDENTITY{options}"
    return None if column.default is None else f"DEFAULT {column.default}"


def without_index(table: Table) -> Table:
    """The table without the settings that name an index, which has to be there first."""
    return replace(table, cluster_index=None, replica_identity=None)


def settings_of_table(table: Table) -> list[str]:
    """The statements for what CREATE TABLE leaves out of a table."""
    return alterations.table(table.without(_OF_TABLE), table)


def with_settings(column: Column, other: Column) -> Column:
    """The column with those settings of another one that CREATE TABLE leaves out."""
    return replace(
        column,
        storage=other.storage,
        compression=other.compression,
        statistics=other.statistics,
        attribute_options=other.attribute_options,
    )


def settings_of_column(column: Column) -> list[str]:
    """The statements for what CREATE TABLE and ADD COLUMN leave out of a column."""
    return alterations.column(column.without(_OF_COLUMN), column)
