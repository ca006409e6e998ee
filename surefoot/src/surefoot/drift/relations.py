"""What a table, a partition or a column is beside its definition, and how that is set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from surefoot.catalog import Attributes, Catalog, Key, alterations
from surefoot.catalog.alterations import listed
from surefoot.catalog.statements import literal, quoted

_NAMED = re.compile(r'("(?:[^"]|"")*"|\w+) (.*)', re.DOTALL)
_BY_INDEX = frozenset({"cluster index", "replica identity"})
_UNCHANGEABLE = frozenset({"kind", "partition key"})


def table(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    """The statements that bring a table's own attributes back."""
    if names & _UNCHANGEABLE:
        return None
    before, after = found.objects[key], expected.objects[key]
    sql = alterations.table(key.name, before, after)
    return [*sql, *(f"ALTER TABLE {quoted(key.name)} {each}" for each in _more(before, after))]


def partition(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    """The same for a partition: its bound by taking it out and putting it back."""
    before, after = found.objects[key], expected.objects[key]
    name = quoted(key.name)
    sql = []
    if names & {"bound", "table"}:
        sql = [
            f"ALTER TABLE {quoted(before['table'])} DETACH PARTITION {name}",
            f"ALTER TABLE {quoted(after['table'])} ATTACH PARTITION {name} {after['bound']}",
        ]
    clauses = alterations.options(before.get("options"), after.get("options"))
    return [*sql, *(f"ALTER TABLE {name} {clause}" for clause in clauses)]


def settings(key: Key, catalog: Catalog) -> list[str]:
    """What CREATE TABLE and ADD COLUMN do not say of what was just made."""
    after = catalog.objects[key]
    if key.kind == "column":
        sql = column({}, after)
    elif key.kind == "table":
        made = {**after, "options": None, "row security": None, "toast options": None}
        made = {name: value for name, value in made.items() if name not in _BY_INDEX}
        of_table = {name: value for name, value in after.items() if name not in _BY_INDEX}
        sql = alterations.table(key.name, made, of_table)
        sql += [f"ALTER TABLE {quoted(key.name)} {each}" for each in _more(made, of_table)]
    else:
        clauses = alterations.options(None, after.get("options"))
        sql = [f"ALTER TABLE {quoted(key.name)} {clause}" for clause in clauses]
    return sql


def by_index(key: Key, catalog: Catalog) -> list[str]:
    """What names an index of a table, once that is there."""
    after = catalog.objects[key]
    without = {name: value for name, value in after.items() if name not in _BY_INDEX}
    return [f"ALTER TABLE {quoted(key.name)} {each}" for each in _more(without, after)]


def column(before: Attributes, after: Attributes) -> list[str]:
    """Storage, compression, statistics and options of a column."""
    said = []
    # Each says what its type would have instead, which PostgreSQL 15 has no word for.
    old, new = before.get("storage"), after.get("storage")
    if old != new:
        way = str(new).split()[0] if new else str(old).split()[-1]
        said.append(f"SET STORAGE {way}")
    for name, plain in (("compression", "default"), ("statistics", "-1")):
        if before.get(name) != after.get(name):
            said.append(f"SET {name.upper()} {after.get(name) or plain}")
    said += alterations.options(before.get("attribute options"), after.get("attribute options"))
    alter = f"ALTER TABLE {quoted(after['table'])} ALTER COLUMN {quoted(after['name'])}"
    sql = [f"{alter} {words}" for words in said]
    if not before and after["comment"] is not None:
        name = f"{quoted(after['table'])}.{quoted(after['name'])}"
        sql.append(f"COMMENT ON COLUMN {name} IS {literal(after['comment'])}")
    return sql


def column_comments(before: Attributes, after: Attributes) -> Iterator[str]:
    """The comments on the columns of a view."""
    old, new = (_by_name(each) for each in (before, after))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            words = literal(new.get(name))
            yield f"COMMENT ON COLUMN {quoted(after['name'])}.{name} IS {words}"


def _by_name(attributes: Attributes) -> dict[str, str]:
    found = (_NAMED.fullmatch(each) for each in listed(attributes.get("column comments")))
    return {match[1]: match[2] for match in found if match is not None}


def _more(before: Attributes, after: Attributes) -> Iterator[str]:
    old, new = listed(before.get("inherits")), listed(after.get("inherits"))
    yield from (f"NO INHERIT {parent}" for parent in old if parent not in new)
    yield from (f"INHERIT {parent}" for parent in new if parent not in old)
    yield from alterations.options(
        before.get("toast options"), after.get("toast options"), "toast."
    )
    if before.get("replica identity") != after.get("replica identity"):
        yield f"REPLICA IDENTITY {after.get('replica identity') or 'DEFAULT'}"
    if before.get("cluster index") != after.get("cluster index"):
        index = after.get("cluster index")
        yield f"CLUSTER ON {index}" if index else "SET WITHOUT CLUSTER"
