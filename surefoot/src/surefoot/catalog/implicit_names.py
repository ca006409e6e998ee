"""The names of objects that no model names: constraints, and sequences of columns.

PostgreSQL names them after a table and its columns, which may have had other names then.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, MetaData

from surefoot.catalog.kinds import Constraint, Index, SchemaObject, Sequence, Table, View
from surefoot.catalog.model import Catalog, Key
from surefoot.catalog.model_names import catalog_name, member_name
from surefoot.quoting import in_schema, own_name, quoted, schema_of


def names_as_there(
    connection: Connection, metadata: Iterable[MetaData], models: Catalog, database: Catalog
) -> Iterator[str]:
    """The statements that give what no model names the name that it has in the database."""
    named = {
        (catalog_name(table), member_name(connection.dialect, each))
        for given in metadata
        for table in given.tables.values()
        for each in table.constraints
    }
    # A sequence of the same name may be that of another column.
    same = {
        key
        for key in models.objects.keys() & database.objects.keys()
        if not isinstance(item := models.objects[key], Sequence)
        or _likeness(item) == _likeness(database.objects[key])
    }
    free: dict[object, list[str]] = {}
    for key, item in database.objects.items():
        if key not in same and (likeness := _likeness(item)):
            free.setdefault(likeness, []).append(item.name)
    found: dict[Key, str] = {}
    for key, item in models.objects.items():
        is_ours = isinstance(item, Sequence) or (
            isinstance(item, Constraint) and (item.table, item.name) not in named
        )
        if is_ours and key not in same and (names := free.get(_likeness(item))):
            found[key] = names.pop()
    # One may get the name that another one loses, but none that stays.
    stay = {_relation(each) for key, each in models.objects.items() if key not in found} - {None}
    while kept := [key for key in found if _relation(models.objects[key], found[key]) in stay]:
        for key in kept:
            found.pop(key)
            stay.add(_relation(models.objects[key]))
    pairs = [
        (models.objects[key], name, f"surefoot_{n}") for n, (key, name) in enumerate(found.items())
    ]
    yield from (_rename(item, item.name, between) for item, _, between in pairs)
    yield from (_rename(item, between, name) for item, name, between in pairs)


def _rename(item: SchemaObject, old: str, new: str) -> str:
    if isinstance(item, Constraint):
        return f"ALTER TABLE {quoted(item.table)} RENAME CONSTRAINT {quoted(old)} TO {quoted(new)}"
    there = in_schema(schema_of(item.name), own_name(old))
    return f"ALTER SEQUENCE {quoted(there)} RENAME TO {quoted(own_name(new))}"


def _relation(item: SchemaObject, name: str | None = None) -> str | None:
    """The name of a relation, or of the index of a constraint; none of other objects."""
    if isinstance(item, Constraint):
        is_key = item.type in ("unique", "primary key", "exclusion")
        return in_schema(schema_of(item.table), name or item.name) if is_key else None
    return (name or item.name) if isinstance(item, Table | View | Index | Sequence) else None


def _likeness(item: SchemaObject) -> object:
    """Equal for two constraints of a table, or two sequences of a column, that differ by name."""
    if isinstance(item, Constraint):
        return item.table, item.definition
    return item.owned_by if isinstance(item, Sequence) else None
