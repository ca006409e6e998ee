"""The settings of tables, partitions and columns: storage parameters, inheritance, storage."""

import re
from collections.abc import Iterator
from dataclasses import replace

from surefoot.catalog import Catalog, Key, alterations
from surefoot.catalog.kinds import Attribute, Attributes, Column, Partition, Table, View
from surefoot.quoting import literal, quoted

_NAMED = re.compile(r'("(?:[^"]|"")*"|\w+) (.*)', re.DOTALL)
_BY_INDEX: frozenset[Attribute] = frozenset({"cluster index", "replica identity"})
_UNCHANGEABLE: frozenset[Attribute] = frozenset({"kind", "partition key"})
_OF_COLUMN: frozenset[Attribute] = frozenset(
    {"storage", "compression", "statistics", "attribute options"}
)


def table(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    """The statements that change a table's own attributes back."""
    if names & _UNCHANGEABLE:
        return None
    before, after = found.one(Table, key), expected.one(Table, key)
    return [*alterations.table(before, after), *_more(before, after)]


def partition(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    """The same for a partition; another bound detaches and attaches it."""
    before, after = found.one(Partition, key), expected.one(Partition, key)
    sql = [detach(before), attach(after)] if names & {"bound", "table"} else []
    clauses = alterations.options(before.options, after.options)
    return [*sql, *(f"ALTER TABLE {quoted(key.name)} {clause}" for clause in clauses)]


def attach(partition: Partition) -> str:
    """The statement that makes a table a partition."""
    name = quoted(partition.name)
    return f"ALTER TABLE {quoted(partition.table)} ATTACH PARTITION {name} {partition.bound}"


def detach(partition: Partition) -> str:
    """The statement that makes a partition a table."""
    return f"ALTER TABLE {quoted(partition.table)} DETACH PARTITION {quoted(partition.name)}"


def settings(key: Key, catalog: Catalog) -> list[str]:
    """The settings that CREATE TABLE and ADD COLUMN left out."""
    match catalog.objects[key]:
        case Column() as column_made:
            sql = column(column_made.without(_OF_COLUMN), column_made)
            if column_made.comment is not None:
                name = f"{quoted(column_made.table)}.{quoted(column_made.name)}"
                sql.append(f"COMMENT ON COLUMN {name} IS {literal(column_made.comment)}")
            return sql
        case Table() as made:
            after = made.without(_BY_INDEX)
            before = replace(after, options=None, row_security=None, toast_options=None)
            return [*alterations.table(before, after), *_more(before, after)]
        case Partition() as made:
            clauses = alterations.options(None, made.options)
            return [f"ALTER TABLE {quoted(key.name)} {clause}" for clause in clauses]
    return []


def by_index(key: Key, catalog: Catalog) -> list[str]:
    """The settings that name an index of the table, once the index exists."""
    after = catalog.one(Table, key)
    return list(_more(after.without(_BY_INDEX), after))


def column(before: Column, after: Column) -> list[str]:
    """Storage, compression, statistics and options of a column."""
    clauses = []
    # The attribute also names the storage of the type: PostgreSQL 15 has no SET STORAGE DEFAULT.
    old, new = before.storage, after.storage
    if old != new:
        way = new.split()[0] if new else str(old).split()[-1]
        clauses.append(f"SET STORAGE {way}")
    if before.compression != after.compression:
        clauses.append(f"SET COMPRESSION {after.compression or 'default'}")
    if before.statistics != after.statistics:
        clauses.append(f"SET STATISTICS {after.statistics or '-1'}")
    clauses += alterations.options(before.attribute_options, after.attribute_options)
    alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
    return [f"{alter} {clause}" for clause in clauses]


def column_comments(before: View, after: View) -> Iterator[str]:
    """The comments on the columns of a view."""
    old, new = (_by_name(each) for each in (before, after))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            text = literal(new.get(name))
            yield f"COMMENT ON COLUMN {quoted(after.name)}.{name} IS {text}"


def _by_name(view: View) -> dict[str, str]:
    found = (_NAMED.fullmatch(each) for each in view.column_comments or ())
    return {match[1]: match[2] for match in found if match is not None}


def _more(before: Table, after: Table) -> Iterator[str]:
    old, new = before.inherits or (), after.inherits or ()
    clauses = [f"NO INHERIT {parent}" for parent in old if parent not in new]
    clauses += [f"INHERIT {parent}" for parent in new if parent not in old]
    clauses += alterations.options(before.toast_options, after.toast_options, "toast.")
    if before.replica_identity != after.replica_identity:
        clauses.append(f"REPLICA IDENTITY {after.replica_identity or 'DEFAULT'}")
    if before.cluster_index != after.cluster_index:
        index = after.cluster_index
        clauses.append(f"CLUSTER ON {index}" if index else "SET WITHOUT CLUSTER")
    yield from (f"ALTER TABLE {quoted(after.name)} {clause}" for clause in clauses)
