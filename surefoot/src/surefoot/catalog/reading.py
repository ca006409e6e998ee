"""snapshot reads one schema into a Catalog."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, text

from surefoot.catalog.kinds import KINDS, SchemaObject, Value
from surefoot.catalog.model import Catalog, Key
from surefoot.catalog.queries import DEPENDENCIES, MIGRATES, OBJECTS, PRIVILEGES
from surefoot.catalog.view_definition import view_definition
from surefoot.version_table import VersionTable

# The schema comes first, so that PostgreSQL writes its names without a schema. The schemas of
# extensions follow, for the same effect: a citext of `public` reads the same from another schema.
_SEARCH_PATH = """
SELECT set_config('search_path', concat_ws(', ', quote_ident(CAST(:schema AS text)), (
    SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ')
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE n.nspname NOT IN ('pg_catalog', CAST(:schema AS text)))), true),
    current_setting('server_version_num')::int
"""


def snapshot(
    connection: Connection,
    schema: str = "public",
    *,
    exclude: Collection[str] = (),
    privileges: bool = False,
    version_table: VersionTable = VersionTable(),
) -> Catalog:
    """Read the catalog of one schema, except the relations named in `exclude`.

    The version table and the ledger are no part of the schema.

    With `privileges`, owners and privileges are read too.

    Nothing is written, no lock but ACCESS SHARE is taken, and the search path is restored. A
    transaction of the caller stays open.
    """
    began = not connection.in_transaction()
    owner: str | None = None
    may: Sequence[Any] = ()
    try:
        # The search path is set in a savepoint: the rollback restores it, also after an error.
        with connection.begin_nested() as savepoint:
            given = {"schema": schema}
            path = connection.execute(text(_SEARCH_PATH), given).one()
            rows = connection.execute(text(OBJECTS), given).all()
            uses = connection.execute(text(DEPENDENCIES), given).all()
            if privileges:
                owner = connection.scalar(text(MIGRATES), {"table": version_table.quoted})
                may = connection.execute(text(PRIVILEGES), {**given, "owner": owner}).all()
            savepoint.rollback()
    finally:
        if began:
            connection.rollback()
    found, keys = _objects(rows, {*exclude, *version_table.relations}, server_version=path[1])
    objects = dict(found.objects)
    for kind, oid, part, of, who in may:
        if (key := keys.get((kind, oid, part))) is not None:
            others = tuple(sorted(who)) if who else None
            objects[key] = replace(objects[key], owner=of, privileges=others)
    return replace(found, objects=objects, uses=_uses(uses, keys), owner=owner)


def _objects(
    rows: Iterable[Any], exclude: Collection[str], *, server_version: int
) -> tuple[Catalog, Mapping[tuple[int, int, int], Key]]:
    """The objects, and the key of each address in pg_depend."""
    objects: dict[Key, SchemaObject] = {}
    keys: dict[tuple[int, int, int], Key] = {}
    positions: dict[str, list[tuple[int, str]]] = {}
    for kind, name, relation, place, oid, part, read in rows:
        if relation in exclude or name in exclude:
            continue
        key = Key(kind, name)
        attributes: dict[str, Any] = json.loads(read) if isinstance(read, str) else read
        if (position := attributes.pop("#", None)) is not None:
            positions.setdefault(relation, []).append((position, attributes["name"]))
        if kind in ("view", "materialized view"):
            attributes["definition"] = view_definition(attributes["definition"], server_version)
        given: Any = {name.replace(" ", "_"): _value(each) for name, each in attributes.items()}
        objects[key] = KINDS[kind](**given)
        keys[int(place), int(oid), int(part)] = key
    order = {
        table: tuple(name for _, name in sorted(columns)) for table, columns in positions.items()
    }
    return Catalog({key: objects[key] for key in sorted(objects)}, order), keys


def _uses(
    rows: Iterable[Any], keys: Mapping[tuple[int, int, int], Key]
) -> Mapping[Key, frozenset[Key]]:
    def key(place: int, oid: int, column: int) -> Key | None:
        # Columns of views are no objects of their own: a user of one uses the view.
        return keys.get((place, oid, column)) or keys.get((place, oid, 0))

    found: dict[Key, set[Key]] = {}
    for row in rows:
        user, used = key(*row[:3]), key(*row[3:])
        if user is not None and used is not None and user != used:
            found.setdefault(user, set()).add(used)
    return {user: frozenset(found[user]) for user in sorted(found)}


def _value(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    if value is None or isinstance(value, bool | str):
        return value
    return str(value)
