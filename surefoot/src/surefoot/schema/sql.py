"""A catalog as SQL that creates it in an empty database, made to be read."""

import difflib
from collections.abc import Iterator
from dataclasses import replace

from surefoot.catalog import Catalog, Key, alterations, statements, tables
from surefoot.catalog.changes import in_place
from surefoot.catalog.definitions import not_null_column
from surefoot.catalog.kinds import (
    Column,
    Constraint,
    NamedObject,
    SchemaObject,
    Sequence,
    Table,
    TableObject,
)
from surefoot.catalog.model import key_of
from surefoot.catalog.order import in_order
from surefoot.quoting import quoted

# Constraints that CREATE TABLE has; the others may need another table, or rows are not checked.
_INNER = ("primary key", "unique", "check", "exclusion")


def sql(catalog: Catalog) -> str:
    """The statements that create the objects, each after those that it needs."""
    parts = [*_parts(catalog)]
    for schema, other in sorted(catalog.others.items()):
        parts.append(
            f"CREATE SCHEMA {quoted(schema)};\nSET search_path = {quoted(schema)}, public;"
        )
        parts += _parts(other)
    return "\n\n".join(parts)


def changed(before: Catalog, after: Catalog, names: tuple[str, str]) -> str:
    """The difference of both texts, as `diff -u` has it."""
    old, new = (sql(each).splitlines() for each in (before, after))
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))


def _parts(catalog: Catalog) -> Iterator[str]:
    """The statements of each object that has some of its own."""
    owner = {key: _owner(key, item) for key, item in catalog.objects.items()}
    uses: dict[Key, frozenset[Key]] = {}
    for user, used in catalog.uses.items():
        if isinstance(catalog.objects.get(user), Sequence):
            continue  # the column that owns it needs it, too
        of = owner.get(user, user)
        found = {owner.get(each, each) for each in used} - {of}
        uses[of] = uses.get(of, frozenset()) | found
    wanted = [key for key in catalog.objects if owner[key] == key]
    late: list[str] = []
    for key in in_order(wanted, uses):
        item = catalog.objects[key]
        if isinstance(item, NamedObject) or getattr(item, "kind", "") == "foreign table":
            yield f"-- {key.kind} {key.name}: its definition is in the revision that creates it"
            continue
        if isinstance(item, Sequence) and item.owned_by:
            late.append(f"{alterations.own(item)};")
            item = replace(item, owned_by=None)
        if isinstance(item, Table):
            bare = tables.without_index(item)
            late += [f"{each};" for each in alterations.table(bare, item)]
        made = _table(item, catalog) if isinstance(item, Table) else [*statements.create(key, item)]
        made += _state(key, item)
        yield "\n".join(f"{each};" for each in made)
    if late:
        yield "\n".join(late)


def _owner(key: Key, item: SchemaObject) -> Key:
    """The object whose statement creates it: itself, or its table."""
    is_inner = isinstance(item, Constraint) and item.type in _INNER and item.validated
    if isinstance(item, TableObject) and (isinstance(item, Column) or is_inner):
        return Key("table", item.table)
    return key


def _table(table: Table, catalog: Catalog) -> list[str]:
    """CREATE TABLE with its columns and checks, then what only ALTER TABLE and COMMENT can say."""
    order = catalog.columns(table.name)
    constraints = catalog.of_table(Constraint, table.name)
    own = {n: c for n, c in constraints.items() if c.type in _INNER and c.validated}
    unproven = {not_null_column(c.definition) for c in constraints.values() if c.type == "not null"}
    lines = [tables.define(each, required=each.name not in unproven) for each in order]
    found = [
        tables.create_table(table, lines, (own[name] for name in sorted(own))),
        *tables.settings_of_table(tables.without_index(table)),
    ]
    if table.comment:
        found.append(statements.comment(Key("table", table.name), table))
    for each in order:
        found += tables.settings_of_column(each)
        if each.comment:
            found.append(statements.comment(key_of(each), each))
    for name in sorted(own):
        key = Key("constraint", f"{table.name}.{name}")
        if own[name].comment:
            found.append(statements.comment(key, own[name]))
        found += _state(key, own[name])
    return found


def _state(key: Key, item: SchemaObject) -> list[str]:
    """The state of an object that is not in the statement that creates it."""
    match item:
        case Constraint():
            plain = replace(item, index_options=None, enforcement=None)
        case _:
            return []
    return in_place(key, plain, item, plain.differing(item)) or []
