"""How an object is made while the database is in use: in the form that makes nobody wait for long.

An index is built concurrently, a check and a foreign key are added unproven and then validated, a
key is made of an index that is there, NOT NULL is proven by a check before it is set.
"""

from __future__ import annotations

import re

from surefoot.catalog import Attributes, Catalog, Key, Value
from surefoot.catalog.alterations import listed
from surefoot.catalog.order import in_order
from surefoot.catalog.statements import NAMED_IN_SQL, comment, create, drop, quoted, validate

_INDEX = re.compile(r'(CREATE (?:UNIQUE )?INDEX )("(?:[^"]|"")*"|\w+)( ON .*)', re.DOTALL)
_KEY = re.compile(
    r"(PRIMARY KEY|UNIQUE)( NULLS NOT DISTINCT)? (\([^()]*\))( INCLUDE \([^()]*\))?"
    r"( (?:NOT )?DEFERRABLE.*)?"
)


def make(key: Key, catalog: Catalog) -> list[str]:
    """The statements that make an object as the catalog has it, its comment included."""
    attributes = catalog.objects[key]
    if key.kind in NAMED_IN_SQL:
        return []
    if key.kind == "table":
        made = [table(key, catalog)]
    elif key.kind == "column":
        column = quoted(attributes["table"]), column_words(attributes)
        made = [f"ALTER TABLE {column[0]} ADD COLUMN {column[1]}"]
    elif key.kind == "partition":
        parent = quoted(attributes["table"])
        name = quoted(attributes["name"])
        made = [f"CREATE TABLE {name} PARTITION OF {parent} {attributes['bound']}"]
    elif key.kind == "index":
        made = [index(attributes, partitioned=is_partitioned(catalog, attributes["table"]))]
    elif key.kind == "constraint":
        made = constraint(attributes, partitioned=is_partitioned(catalog, attributes["table"]))
    else:
        return list(create(key, attributes))
    return [*made, *([comment(key, attributes)] if attributes.get("comment") else [])]


def unmake(key: Key, catalog: Catalog) -> list[str]:
    """The statement that drops an object, and nothing that needs it."""
    attributes = catalog.objects[key]
    if key.kind == "column":
        table_name, name = quoted(attributes["table"]), quoted(attributes["name"])
        return [f"ALTER TABLE {table_name} DROP COLUMN {name}"]
    if key.kind == "index" and not is_partitioned(catalog, attributes["table"]):
        return [drop(key, attributes).replace("DROP INDEX", "DROP INDEX CONCURRENTLY", 1)]
    return [drop(key, attributes)]


def is_partitioned(catalog: Catalog, table_name: Value) -> bool:
    """Whether a table is partitioned, which takes hardly a form that makes nobody wait."""
    found = catalog.get("table", str(table_name))
    return found is not None and found["kind"] == "partitioned table"


def index(attributes: Attributes, *, partitioned: bool, name: str | None = None) -> str:
    """An index, built beside its writers; by another name where one is given."""
    match = _INDEX.fullmatch(str(attributes["definition"]))
    assert match is not None
    head, own, rest = match.groups()
    return f"{head}{'' if partitioned else 'CONCURRENTLY '}{name or own}{rest}"


def constraint(attributes: Attributes, *, partitioned: bool) -> list[str]:
    """A constraint, proven after it holds for what is to come."""
    table_name, name = quoted(attributes["table"]), quoted(attributes["name"])
    definition = str(attributes["definition"])
    add = f"ALTER TABLE {table_name} ADD CONSTRAINT {name}"
    if attributes["type"] in ("check", "foreign key") and not partitioned:
        unproven = f"{add} {definition} NOT VALID"
        return [unproven, validate(attributes)] if attributes["validated"] else [unproven]
    key = _KEY.fullmatch(definition)
    if key is None or partitioned:
        return [f"{add} {definition}"]
    kind, nulls, columns, include, deferred = (part or "" for part in key.groups())
    options = listed(attributes.get("index options"))
    given = f" WITH ({', '.join(options)})" if options else ""
    return [
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table_name} {columns}{include}{nulls}{given}",
        f"{add} {kind} USING INDEX {name}{deferred}",
    ]


def not_null(attributes: Attributes) -> list[str]:
    """NOT NULL, which PostgreSQL takes a valid check's word for."""
    table_name, name = f"ALTER TABLE {quoted(attributes['table'])}", quoted(attributes["name"])
    check = quoted(f"{str(attributes['name'])[:48]}_is_not_null")
    return [
        f"{table_name} ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID",
        f"{table_name} VALIDATE CONSTRAINT {check}",
        f"{table_name} ALTER COLUMN {name} SET NOT NULL",
        f"{table_name} DROP CONSTRAINT {check}",
    ]


def table(key: Key, catalog: Catalog) -> str:
    """A table with its columns, and without what hangs on it."""
    attributes = catalog.objects[key]
    order = catalog.column_order.get(key.name, ())
    columns = [catalog.objects[Key("column", f"{key.name}.{name}")] for name in order]
    parts = [
        "CREATE UNLOGGED TABLE" if attributes["persistence"] == "unlogged" else "CREATE TABLE",
        f"{quoted(key.name)} ({', '.join(column_words(each) for each in columns)})",
    ]
    if parents := listed(attributes["inherits"]):
        parts.append(f"INHERITS ({', '.join(parents)})")
    if attributes["partition key"] is not None:
        parts.append(f"PARTITION BY {attributes['partition key']}")
    return " ".join(parts)


def column_words(attributes: Attributes) -> str:
    """A column as CREATE TABLE and ADD COLUMN write it."""
    words = [f"{quoted(attributes['name'])} {attributes['type']}"]
    if attributes["collation"] is not None:
        words.append(f"COLLATE {attributes['collation']}")
    if attributes["generated"] is not None:
        expression, _, kind = str(attributes["generated"]).rpartition(" ")
        words.append(f"GENERATED ALWAYS AS ({expression}) {kind}")
    if attributes["identity"] is not None:
        kind, _, options = str(attributes["identity"]).partition(" START ")
        words.append(f"GENERATED {kind} AS IDENTITY (START {options})")
    if attributes["default"] is not None:
        words.append(f"DEFAULT {attributes['default']}")
    if attributes["not null"]:
        words.append("NOT NULL")
    return " ".join(words)


def remade(key: Key, expected: Catalog, found: Catalog) -> list[str] | None:
    """Drop an object with all that needs it, and make it and them again as they should be.

    None where a table or a column needs it.
    """
    keys = {key, *found.users_of(key)}
    if any(each.kind in ("table", "column", "partition") for each in keys):
        return None
    statements = [
        statement
        for each in reversed(in_order(keys, found.uses))
        for statement in unmake(each, found)
    ]
    for each in in_order(keys, expected.uses):
        statements += make(each, expected if each in expected.objects else found)
    return statements
